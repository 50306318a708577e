/**
 * The desktops that stream tests run on, seen through the desktop's own tools: which outputs it has,
 * what is on them, how a program is put on one of them. Nothing here asks the host.
 */
import { join } from 'node:path';
import {
  type DesktopSession,
  missingPrograms,
  type SwayDesktop,
  startSway,
  swaySkipReason,
} from './harness.ts';
import { type MutterDesktop, mutterSkipReason, startMutter } from './harness-mutter.ts';
import { startPortal } from './harness-portal.ts';
import { patternImage } from './stream-likeness.ts';

export interface StreamDesktop {
  readonly kind: 'sway' | 'mutter';
  readonly session: DesktopSession;
  readonly env: Readonly<Record<string, string>>;
  readonly socketPath: string;
  /** Name and current mode (`1922x1082@60`) of every output. */
  outputs(): Promise<ReadonlyMap<string, string>>;
  /** Makes new windows appear on this output. */
  focus(output: string): Promise<void>;
  /** Path of an image of what the output shows while the pattern is held at `counter`. */
  takeShot(output: string, counter: number): Promise<string>;
  stop(): Promise<void>;
}

const STREAM_PROGRAMS = ['ffmpeg', 'ffprobe', 'pipewire', 'wireplumber', 'pw-cli'];

/** Why streams of this desktop cannot be tested here, or null. */
export function streamSkipReason(
  kind: StreamDesktop['kind'],
  programs: readonly string[] = [],
): string | null {
  const reason = kind === 'sway' ? swaySkipReason(['grim']) : mutterSkipReason();
  return reason ?? missingPrograms([...STREAM_PROGRAMS, ...programs]);
}

/** A desktop with PipeWire. `monitor` is the mode of the one it starts with; Mutter may have none. */
export function startDesktop(
  kind: StreamDesktop['kind'],
  monitor: string | null = null,
): Promise<StreamDesktop> {
  return kind === 'sway' ? startSwayDesktop(monitor) : startMutterDesktop(monitor);
}

/** sway before 1.8 cannot remove an output: the host leaves it this small, outside of the desktop. */
const PARKED_MODE = '64x64@60';

interface SwayOutputRow {
  readonly name: string;
  readonly active: boolean;
  readonly current_mode?: { width: number; height: number; refresh: number };
}

async function startSwayDesktop(monitor: string | null): Promise<StreamDesktop> {
  const config = monitor === null ? '' : `output HEADLESS-1 mode --custom ${monitor}Hz`;
  return onSway(await startSway({ pipewire: true, config }));
}

/** sway with the screen sharing portal beside it. */
export async function startPortalDesktop(): Promise<StreamDesktop> {
  const portal = await startPortal();
  return { ...onSway(portal.sway), stop: portal.stop };
}

function onSway(sway: SwayDesktop): StreamDesktop {
  return {
    kind: 'sway',
    session: sway.session,
    env: sway.env,
    socketPath: sway.socketPath,
    stop: sway.stop,
    async outputs() {
      const rows = (await sway.message('-t', 'get_outputs')) as SwayOutputRow[];
      const modes = rows
        .filter(({ active }) => active)
        .map(({ name, current_mode: mode }): [string, string] => [
          name,
          mode ? `${mode.width}x${mode.height}@${mode.refresh / 1000}` : 'none',
        ]);
      return new Map(modes.filter(([, mode]) => mode !== PARKED_MODE));
    },
    async focus(output) {
      await sway.message(`focus output ${output}`);
    },
    async takeShot(output) {
      const path = join(sway.session.runtimeDir, 'shot.ppm');
      await sway.session.run(['grim', '-t', 'ppm', '-o', output, path], { env: sway.env });
      return path;
    },
  };
}

async function startMutterDesktop(monitor: string | null): Promise<StreamDesktop> {
  const mutter = await startMutter(monitor === null ? {} : { monitors: [monitor] });
  const outputs = () => mutterOutputs(mutter);
  return {
    kind: 'mutter',
    session: mutter.session,
    env: mutter.env,
    socketPath: join(mutter.runtimeDir, mutter.displayName),
    stop: mutter.stop,
    outputs,
    // A new window goes where the pointer is, and the only monitor is the session's own.
    async focus() {},
    async takeShot(output, counter) {
      // Mutter alone has no screenshot interface: what the program drew is known instead.
      const size = /^(\d+)x(\d+)@/.exec((await outputs()).get(output) ?? '');
      if (!size) throw new Error(`Mutter has no output ${output}`);
      const path = join(mutter.session.runtimeDir, 'shot.ppm');
      await Bun.write(path, patternImage(Number(size[1]), Number(size[2]), counter));
      return path;
    },
  };
}

/** Reads `GetCurrentState` as gdbus prints it: `(('Meta-0', …), [('1280x720@60.000', …`. */
async function mutterOutputs({ session }: MutterDesktop): Promise<ReadonlyMap<string, string>> {
  const name = 'org.gnome.Mutter.DisplayConfig';
  const text = await session.run([
    ...['gdbus', 'call', '--session', '-d', name, '-o', '/org/gnome/Mutter/DisplayConfig'],
    ...['-m', `${name}.GetCurrentState`],
  ]);
  const modes = /\(\('([^']+)', '[^']*', '[^']*', '[^']*'\), \[\('(\d+x\d+)@([\d.]+)'/g;
  return new Map(
    [...text.matchAll(modes)].map(([, output = '', size, rate]) => [
      output,
      `${size}@${Number(rate)}`,
    ]),
  );
}
