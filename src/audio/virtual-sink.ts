/**
 * A sink of our own that the desktop plays into while a device listens: made with the device's
 * channel count, set as the user's default, and put back at the end.
 *
 * The node belongs to this process's connection, so it vanishes with the process; the default that
 * was configured before is in the restore journal before it is changed. When PipeWire restarts under
 * us the sink is made again; the session manager remembers our name as the default meanwhile, so
 * what was there before is read only once.
 */
import { PipewireLoop } from '../../ffi/libpipewire.ts';
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
/** Between attempts to make the sink again after PipeWire went away. */
const RETRY_MS = 500;

export interface VirtualSinkOptions {
  /** Runtime directory of the desktop session, where the PipeWire socket lies. */
  readonly runtimeDir: string;
  readonly nodeName: string;
  readonly channels: 2 | 6 | 8;
  readonly journal: RestoreJournal;
  /** PipeWire went away under us; fires once for each time. */
  readonly onLost: (cause: string) => void;
  /** The sink is there again. */
  readonly onBack: () => void;
}

export class VirtualSink {
  readonly #options: VirtualSinkOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  /** Holds the sink: it vanishes with the connection. */
  #connection: PipewireLoop | null;
  /** What the journal knows of the user's default; set before it is changed for the first time. */
  #restore: { readonly entryId: number; readonly previous: string | null } | null = null;
  #retryAtMs = 0;
  #isClosed = false;

  /** Throws with the reason when the machine has no usable PipeWire. */
  static open(options: VirtualSinkOptions): VirtualSink {
    return new VirtualSink(options);
  }

  private constructor(options: VirtualSinkOptions) {
    this.#options = options;
    this.#connection = this.#connect();
    this.#timer = setInterval(() => this.#tend(), POLL_MS);
  }

  get nodeName(): string {
    return this.#options.nodeName;
  }

  /**
   * Puts the default back and removes the sink. Idempotent. Throws when PipeWire cannot be reached;
   * the journal then keeps what is to be put back.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    const { nodeName, runtimeDir, journal } = this.#options;
    const connection = this.#connection;
    this.#connection = null;
    try {
      if (this.#restore === null) return;
      const { entryId, previous } = this.#restore;
      // Over a connection of its own: ours may be dead without having noticed.
      withLoop(runtimeDir, (loop) => restoreDefault(loop, nodeName, previous));
      journal.strike(entryId);
    } finally {
      connection?.close();
    }
  }

  #connect(): PipewireLoop {
    const { runtimeDir, nodeName, channels } = this.#options;
    const loop = PipewireLoop.open(runtimeDir);
    try {
      loop.createNode('adapter', {
        'factory.name': 'support.null-audio-sink',
        'node.name': nodeName,
        'node.description': 'punktfunk (streamed)',
        'media.class': 'Audio/Sink',
        'audio.position': `[ ${CHANNEL_LAYOUTS[channels].join(' ')} ]`,
        'monitor.channel-volumes': 'true',
      });
      this.#becomeDefault(loop);
      return loop;
    } catch (error) {
      loop.close();
      throw error;
    }
  }

  #becomeDefault(loop: PipewireLoop): void {
    if (loop.openMetadata(METADATA) === null) {
      throw new Error('PipeWire runs without a session manager; start WirePlumber');
    }
    const { runtimeDir, nodeName, journal } = this.#options;
    if (this.#restore === null) {
      const previous = loop.metadataGet(METADATA, SUBJECT, CONFIGURED_SINK);
      const detail = { runtimeDir, nodeName, previous: previous ?? '' };
      this.#restore = { entryId: journal.record({ kind: AUDIO_DEFAULT_KIND, detail }), previous };
    }
    const value = JSON.stringify({ name: nodeName });
    if (!loop.metadataSet(METADATA, SUBJECT, CONFIGURED_SINK, JSON_TYPE, value)) {
      throw new Error('PipeWire did not take our sink as the default');
    }
  }

  #tend(): void {
    const { onLost, onBack } = this.#options;
    if (this.#connection) {
      const cause = poll(this.#connection);
      if (cause === null) return;
      this.#connection.close();
      this.#connection = null;
      this.#retryAtMs = performance.now() + RETRY_MS;
      onLost(cause);
    } else if (performance.now() >= this.#retryAtMs) {
      this.#retryAtMs = performance.now() + RETRY_MS;
      try {
        this.#connection = this.#connect();
        onBack();
      } catch {
        // Not back yet; the next attempt follows.
      }
    }
  }
}

/** Reads the connection's events; what ended it, or null. */
function poll(loop: PipewireLoop): string | null {
  try {
    if (loop.failure === null) loop.iterate(0);
    return loop.failure;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Name of the sink that plays now; null when there is none. */
export function currentDefaultSink(runtimeDir: string): string | null {
  const value = withLoop(runtimeDir, (loop) => loop.metadataGet(METADATA, SUBJECT, CURRENT_SINK));
  return value === null ? null : sinkName(value);
}

/** Journal handler: gives the user's default back after a crash. */
export const undoAudioDefault: UndoHandler = async (detail) => {
  const previous = String(detail['previous']);
  withLoop(String(detail['runtimeDir']), (loop) =>
    restoreDefault(loop, String(detail['nodeName']), previous === '' ? null : previous),
  );
};

/**
 * Changes the default only while it is still ours: a choice the user made since then stays. Throws
 * when PipeWire does not take it.
 */
function restoreDefault(loop: PipewireLoop, nodeName: string, previous: string | null): void {
  if (loop.openMetadata(METADATA) === null) {
    throw new Error('PipeWire runs without a session manager, which keeps the default');
  }
  const current = loop.metadataGet(METADATA, SUBJECT, CONFIGURED_SINK);
  if (!loop.sync()) throw new Error('PipeWire did not answer');
  if (current === null || sinkName(current) !== nodeName) return;
  const type = previous === null ? null : JSON_TYPE;
  if (!loop.metadataSet(METADATA, SUBJECT, CONFIGURED_SINK, type, previous)) {
    throw new Error('PipeWire did not answer');
  }
}

function withLoop<T>(runtimeDir: string, work: (loop: PipewireLoop) => T): T {
  const loop = PipewireLoop.open(runtimeDir);
  try {
    return work(loop);
  } finally {
    loop.close();
  }
}

function sinkName(json: string): string | null {
  try {
    const { name } = JSON.parse(json) as { name?: unknown };
    return typeof name === 'string' ? name : null;
  } catch {
    return null;
  }
}
