/** Where a stream's sound comes from: a sink of our own, the sink that plays already, or silence. */
import type { AudioSource } from '../audio/port.ts';
import { currentDefaultSink, VirtualSink } from '../audio/virtual-sink.ts';
import type { RestoreJournal } from '../platform/journal.ts';
import { logger } from '../platform/log.ts';
import type { AudioPlan } from '../session/plan.ts';

const log = logger('sound');

export interface StreamSound {
  readonly source: AudioSource;
  /** Gives the user's default back. Idempotent, never throws. */
  close(): void;
}

/** Never throws: without sound the stream goes on, and the source says why. */
export function openStreamSound(
  plan: AudioPlan,
  runtimeDir: string | null,
  journal: RestoreJournal,
): StreamSound {
  const { channels, playOnHost, source } = plan;
  if (source !== 'pipewire' || runtimeDir === null) return withoutSink({ kind: 'silence' });
  try {
    const played = playOnHost ? currentDefaultSink(runtimeDir) : null;
    if (played !== null) {
      return withoutSink({ kind: 'pipewire', runtimeDir, sinkName: played, channels });
    }
    const sink = VirtualSink.open({
      runtimeDir,
      nodeName: `punktfunk-${process.pid}-${channels}`,
      channels,
      journal,
      onLost: (cause) => log.warn('the sound system went away; silence is sent', { cause }),
      onBack: () => log.info('the sound system is back'),
    });
    return {
      source: { kind: 'pipewire', runtimeDir, sinkName: sink.nodeName, channels },
      close: () => closeSink(sink),
    };
  } catch (error) {
    const cause = messageOf(error);
    log.warn('sound is not streamed', { cause });
    return withoutSink({ kind: 'silence', reason: cause });
  }
}

function withoutSink(source: AudioSource): StreamSound {
  return { source, close: () => {} };
}

function closeSink(sink: VirtualSink): void {
  try {
    sink.close();
  } catch (error) {
    log.warn('the default sound output is put back at the next start', { cause: messageOf(error) });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
