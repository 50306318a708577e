/**
 * What this machine can do, found by probes that change nothing: the encoder ladder once at start,
 * desktops and sound anew for every launch, because they come and go.
 */
import { PipewireLoop } from '../../ffi/libpipewire.ts';
import type { EncoderLadder } from '../encode/ladder.ts';
import { H264_SIDE_MAX, SOFTWARE_BITRATE_MAX_KBPS } from '../encode/x264-settings.ts';
import type { DisplaySource } from '../session/plan.ts';
import type { HostCapabilities } from '../session/plan-session.ts';
import type { VirtualDisplayBackend } from '../vdisplay/port.ts';

/** A rung that was not taken, for start-up lines and status. */
export interface RefusedRung {
  readonly rung: string;
  readonly missing: string;
  readonly remedy: string;
}

export interface DisplayProbe {
  readonly displays: HostCapabilities['displays'];
  /** Detail of the backends that are there, by name. */
  readonly details: ReadonlyMap<string, string>;
  readonly refused: readonly RefusedRung[];
}

const SOURCES: Record<VirtualDisplayBackend['name'], readonly DisplaySource[]> = {
  wlroots: ['virtual', 'mirror'],
  mutter: ['virtual', 'mirror'],
  portal: ['portal'],
};

/** Asks every backend, best first; the test card is always last. */
export async function probeDisplays(
  backends: readonly VirtualDisplayBackend[],
): Promise<DisplayProbe> {
  const displays: HostCapabilities['displays'][number][] = [];
  const details = new Map<string, string>();
  const refused: RefusedRung[] = [];
  const answers = await Promise.all(backends.map((backend) => probeOne(backend)));
  backends.forEach((backend, index) => {
    const answer = answers[index];
    if (answer?.available) {
      displays.push({ backend: backend.name, sources: SOURCES[backend.name] });
      details.set(backend.name, answer.detail);
    } else if (answer) {
      refused.push({ rung: backend.name, missing: answer.missing, remedy: answer.remedy });
    }
  });
  displays.push({ backend: 'synthetic', sources: ['synthetic'] });
  return { displays, details, refused };
}

async function probeOne(
  backend: VirtualDisplayBackend,
): Promise<Awaited<ReturnType<VirtualDisplayBackend['probe']>>> {
  try {
    return await backend.probe();
  } catch (error) {
    const missing = error instanceof Error ? error.message : String(error);
    return { available: false, missing, remedy: 'see the log with --log-level debug' };
  }
}

export type SoundProbe =
  | { readonly available: true; readonly detail: string }
  | { readonly available: false; readonly missing: string; readonly remedy: string };

/** Whether a PipeWire with a session manager answers in this runtime directory. */
export function probeSound(runtimeDir: string | null): SoundProbe {
  const remedy = 'start PipeWire and WirePlumber in the desktop session';
  if (runtimeDir === null) {
    return { available: false, missing: 'no XDG_RUNTIME_DIR of a desktop session', remedy };
  }
  try {
    const loop = PipewireLoop.open(runtimeDir);
    try {
      return loop.openMetadata('default') === null
        ? { available: false, missing: 'PipeWire runs without a session manager', remedy }
        : { available: true, detail: `PipeWire in ${runtimeDir}` };
    } finally {
      loop.close();
    }
  } catch (error) {
    return {
      available: false,
      missing: error instanceof Error ? error.message : String(error),
      remedy,
    };
  }
}

/** The ladder's rung in the words of the plan. */
export function encoderCapabilities(ladder: EncoderLadder): HostCapabilities['encoders'] {
  if (!ladder.rung) return [];
  return [
    {
      rung: ladder.rung.name,
      codecs: ladder.codecs,
      tenBit: false,
      yuv444: false,
      canInvalidate: ladder.rung.name === 'x264',
      maxBitrateKbps: SOFTWARE_BITRATE_MAX_KBPS,
      maxWidth: H264_SIDE_MAX,
      maxHeight: H264_SIDE_MAX,
    },
  ];
}
