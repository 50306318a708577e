/**
 * A sink of our own that the desktop plays into while a device listens: made with the device's
 * channel count, set as the user's default, and put back at the end.
 *
 * The node belongs to this process's connection, so it vanishes with the process; the default that
 * was configured before is in the restore journal before it is changed.
 */
import { PipewireLoop, type PipewireObject } from '../../ffi/libpipewire.ts';
import { CHANNEL_LAYOUTS } from '../desktop/pipewire/audio-format.ts';
import type { RestoreJournal, UndoHandler } from '../platform/journal.ts';

export const AUDIO_DEFAULT_KIND = 'audio-default-sink';

const METADATA = 'default';
const CONFIGURED_SINK = 'default.configured.audio.sink';
const CURRENT_SINK = 'default.audio.sink';
const JSON_TYPE = 'Spa:String:JSON';
const SUBJECT = 0;
/** The connection needs its events read, nothing is urgent. */
const POLL_MS = 100;

export interface VirtualSinkOptions {
  /** Runtime directory of the desktop session, where the PipeWire socket lies. */
  readonly runtimeDir: string;
  readonly nodeName: string;
  readonly channels: 2 | 6 | 8;
  readonly journal: RestoreJournal;
  /** Fires once when PipeWire goes away under us. */
  readonly onLost: (cause: string) => void;
}

export class VirtualSink {
  readonly nodeName: string;
  readonly #runtimeDir: string;
  readonly #journal: RestoreJournal;
  readonly #loop: PipewireLoop;
  readonly #node: PipewireObject;
  readonly #timer: ReturnType<typeof setInterval>;
  #journalEntry: number | null = null;
  #previous: string | null = null;
  #closed = false;

  /** Throws with the reason when the machine has no usable PipeWire. */
  static open(options: VirtualSinkOptions): VirtualSink {
    const loop = PipewireLoop.open(options.runtimeDir);
    try {
      return new VirtualSink(options, loop);
    } catch (error) {
      loop.close();
      throw error;
    }
  }

  private constructor(options: VirtualSinkOptions, loop: PipewireLoop) {
    this.nodeName = options.nodeName;
    this.#runtimeDir = options.runtimeDir;
    this.#journal = options.journal;
    this.#loop = loop;
    this.#node = loop.createNode('adapter', {
      'factory.name': 'support.null-audio-sink',
      'node.name': options.nodeName,
      'node.description': 'punktfunk (streamed)',
      'media.class': 'Audio/Sink',
      'audio.position': `[ ${CHANNEL_LAYOUTS[options.channels].join(' ')} ]`,
      'monitor.channel-volumes': 'true',
    });
    this.#becomeDefault();
    this.#timer = setInterval(() => this.#poll(options.onLost), POLL_MS);
  }

  /** Puts the default back and removes the sink. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    if (this.#loop.failure === null) {
      restoreDefault(this.#loop, this.nodeName, this.#previous);
      this.#node.dispose();
      this.#loop.sync(500);
    }
    this.#loop.close();
    if (this.#journalEntry !== null) this.#journal.strike(this.#journalEntry);
  }

  #becomeDefault(): void {
    this.#previous = this.#loop.metadataGet(METADATA, SUBJECT, CONFIGURED_SINK);
    this.#journalEntry = this.#journal.record({
      kind: AUDIO_DEFAULT_KIND,
      detail: {
        runtimeDir: this.#runtimeDir,
        nodeName: this.nodeName,
        previous: this.#previous ?? '',
      },
    });
    const value = JSON.stringify({ name: this.nodeName });
    if (!this.#loop.metadataSet(METADATA, SUBJECT, CONFIGURED_SINK, JSON_TYPE, value)) {
      this.#journal.strike(this.#journalEntry);
      throw new Error('PipeWire runs without a session manager; start WirePlumber');
    }
  }

  #poll(onLost: (cause: string) => void): void {
    if (this.#loop.failure === null) this.#loop.iterate(0);
    if (this.#loop.failure !== null) {
      clearInterval(this.#timer);
      onLost(this.#loop.failure);
    }
  }
}

/** Name of the sink that plays now; null when there is none. */
export function currentDefaultSink(runtimeDir: string): string | null {
  const loop = PipewireLoop.open(runtimeDir);
  try {
    const value = loop.metadataGet(METADATA, SUBJECT, CURRENT_SINK);
    return value === null ? null : sinkName(value);
  } finally {
    loop.close();
  }
}

/** Journal handler: gives the user's default back after a crash. */
export const undoAudioDefault: UndoHandler = async (detail) => {
  const loop = PipewireLoop.open(String(detail['runtimeDir']));
  try {
    const previous = String(detail['previous']);
    restoreDefault(loop, String(detail['nodeName']), previous === '' ? null : previous);
  } finally {
    loop.close();
  }
};

/** Changes the default only while it is still ours: a choice the user made since then stays. */
function restoreDefault(loop: PipewireLoop, nodeName: string, previous: string | null): void {
  const current = loop.metadataGet(METADATA, SUBJECT, CONFIGURED_SINK);
  if (current === null || sinkName(current) !== nodeName) return;
  loop.metadataSet(
    METADATA,
    SUBJECT,
    CONFIGURED_SINK,
    previous === null ? null : JSON_TYPE,
    previous,
  );
}

function sinkName(json: string): string | null {
  try {
    const { name } = JSON.parse(json) as { name?: unknown };
    return typeof name === 'string' ? name : null;
  } catch {
    return null;
  }
}
