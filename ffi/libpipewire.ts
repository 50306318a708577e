/**
 * libpipewire-0.3: one connection to a PipeWire daemon, driven by the calling thread.
 *
 * The loop runs only inside {@link PipewireLoop.iterate}, so every callback arrives on this thread;
 * a media worker blocks there, other threads poll with a timeout of 0. The socket is named by an
 * absolute path in `remote.name`: the environment of the process is neither read nor changed.
 */

import { errno } from './libc.ts';
import {
  DIRECTIONS,
  INTERFACES,
  PW_CORE_EVENTS,
  PW_CORE_METHODS,
  PW_LOOP,
  SPA_LOOP_CONTROL_METHODS,
} from './libpipewire-layout.ts';
import {
  listen,
  type MetadataProperty,
  type PipewireGlobal,
  PipewireMetadata,
  PipewireObject,
  PipewireRegistry,
} from './libpipewire-objects.ts';
import { PipewireStream, type StreamOptions } from './libpipewire-stream.ts';
import {
  EventTable,
  libpipewire,
  NativeInterface,
  newProperties,
  type PipewireProperties,
  pointerAt,
  resultText,
  textAt,
} from './libpipewire-symbols.ts';
import { pin, unpin } from './pins.ts';

export {
  DATA_TYPES,
  HEADER_CORRUPTED,
  META_TYPES,
  PW_ID_ANY,
  SPA_META_HEADER,
  STREAM_FLAGS,
  type StreamState,
} from './libpipewire-layout.ts';
export type {
  MetadataProperty,
  PipewireGlobal,
  PipewireMetadata,
  PipewireObject,
} from './libpipewire-objects.ts';
export type { PipewireStream, StreamBuffer, StreamOptions } from './libpipewire-stream.ts';
export type { PipewireProperties } from './libpipewire-symbols.ts';

/** Objects remembered from the registry; a busy desktop has a few hundred. */
const GLOBALS_MAX = 4096;
/** Errors kept for objects we asked for. */
const ERRORS_MAX = 32;
const CORE_ID = 0;
const EPIPE = -32;
const EINTR = -4;

interface Disposable {
  dispose(): void;
}

/** Version of the installed library, e.g. `0.3.65`. Throws LibraryError when there is none. */
export function pipewireLibraryVersion(): string {
  return libpipewire().pw_get_library_version();
}

export class PipewireLoop {
  readonly #mainLoop: number;
  readonly #control: NativeInterface;
  readonly #iterate;
  readonly #context: number;
  readonly #corePointer: number;
  readonly #core: NativeInterface;
  readonly #events: EventTable;
  readonly #sync;
  readonly #owned = new Set<Disposable>();
  readonly #globals = new Map<number, PipewireGlobal>();
  readonly #errors = new Map<number, string>();
  readonly #listeners = new Set<{
    onGlobal: (global: PipewireGlobal) => void;
    onRemove: (id: number) => void;
  }>();
  #registry: PipewireRegistry | null = null;
  #doneSequence = -1;
  #failure: string | null = null;
  #fault: unknown;
  #depth = 0;
  #closed = false;

  /**
   * Connects to the daemon whose socket lies in `runtimeDir` (XDG_RUNTIME_DIR of the desktop).
   * Throws LibraryError without the library, Error with a cause when nobody listens there.
   */
  static open(runtimeDir: string, socketName = 'pipewire-0'): PipewireLoop {
    return new PipewireLoop(`${runtimeDir}/${socketName}`);
  }

  private constructor(socketPath: string) {
    const library = libpipewire();
    const mainLoop = library.pw_main_loop_new(null);
    if (!mainLoop) throw new Error('pipewire: no main loop');
    this.#mainLoop = mainLoop;
    const loop = Number(library.pw_main_loop_get_loop(mainLoop));
    this.#control = new NativeInterface(pointerAt(loop, PW_LOOP.fields.control));
    // int iterate(void *object, int timeout_ms);
    this.#iterate = this.#control.method(SPA_LOOP_CONTROL_METHODS.fields.iterate, {
      args: ['ptr', 'i32'],
      returns: 'i32',
    });
    this.#callControl(SPA_LOOP_CONTROL_METHODS.fields.enter);
    const context = library.pw_context_new(loop, newProperties({ 'remote.name': socketPath }), 0);
    if (!context) {
      const reason = resultText(-errno());
      this.#callControl(SPA_LOOP_CONTROL_METHODS.fields.leave);
      library.pw_main_loop_destroy(mainLoop);
      throw new Error(`pipewire: no client context: ${reason}`);
    }
    this.#context = context;
    const props = newProperties({ 'remote.name': socketPath, 'application.name': 'punktfunk' });
    const core = library.pw_context_connect(context, props, 0);
    if (!core) {
      const reason = resultText(-errno());
      this.#destroyContext();
      throw new Error(`pipewire: no daemon at ${socketPath}: ${reason}`);
    }
    this.#corePointer = core;
    this.#core = new NativeInterface(core);
    this.#events = new EventTable(
      PW_CORE_EVENTS,
      0,
      {
        done: {
          args: ['u32', 'i32'],
          handle: (id, sequence) => {
            if (id === CORE_ID && sequence !== undefined) this.#doneSequence = sequence;
          },
        },
        error: {
          args: ['u32', 'i32', 'i32', 'ptr'],
          handle: (id, _sequence, result, message) =>
            this.#note(id ?? 0, result ?? 0, textAt(message ?? 0)),
        },
      },
      (error) => this.#keepFault(error),
    );
    listen(this.#core, PW_CORE_METHODS.fields.add_listener, this.#events);
    // int sync(void *object, uint32_t id, int seq);
    this.#sync = this.#core.method(PW_CORE_METHODS.fields.sync, {
      args: ['ptr', 'u32', 'i32'],
      returns: 'i32',
    });
    // KEEP: the library holds the event tables until close().
    pin(this);
  }

  /** Why the connection is unusable, or null. Once set it stays. */
  get failure(): string | null {
    return this.#failure;
  }

  /**
   * Waits up to `timeoutMs` for events (0: does not wait, -1: for ever) and runs their callbacks.
   * An exception of a callback is thrown from here.
   */
  iterate(timeoutMs: number): void {
    this.#assertUsable();
    this.#depth += 1;
    const result = this.#iterate(this.#control.object, timeoutMs);
    this.#depth -= 1;
    if (result < 0 && result !== EINTR) {
      this.#failure ??= `pipewire: the loop stopped: ${resultText(result)}`;
    }
    if (this.#fault !== undefined) {
      const fault = this.#fault;
      this.#fault = undefined;
      throw fault;
    }
  }

  /**
   * Iterates until the daemon has answered everything sent before.
   * @returns false when it did not within `timeoutMs` or the connection is gone.
   */
  sync(timeoutMs = 2000): boolean {
    this.#assertUsable();
    const sequence = this.#sync(this.#core.object, CORE_ID, 0);
    if (sequence < 0) return false;
    const deadlineMs = performance.now() + timeoutMs;
    while (this.#doneSequence !== sequence && this.#failure === null) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) return false;
      this.iterate(Math.ceil(leftMs));
    }
    return this.#failure === null;
  }

  openStream(options: StreamOptions): PipewireStream {
    this.#assertUsable();
    if (!(options.direction in DIRECTIONS)) throw new Error('pipewire: unknown direction');
    const stream = new PipewireStream(this.#corePointer, options, {
      onFault: (error) => this.#keepFault(error),
      onDisposed: (gone) => this.#owned.delete(gone),
      isBusy: () => this.#depth > 0,
    });
    this.#owned.add(stream);
    return stream;
  }

  /**
   * Follows the daemon's objects: the known ones are told at once, later ones while iterating.
   * @returns a function that stops it.
   */
  registry(
    onGlobal: (global: PipewireGlobal) => void,
    onRemove: (id: number) => void = () => {},
  ): () => void {
    this.#openRegistry();
    const listener = { onGlobal, onRemove };
    this.#listeners.add(listener);
    for (const global of this.#globals.values()) onGlobal(global);
    return () => this.#listeners.delete(listener);
  }

  /** All objects of the daemon after a round trip. */
  globals(): readonly PipewireGlobal[] {
    this.#openRegistry();
    this.sync();
    return [...this.#globals.values()];
  }

  /** First node with this `node.name`, or null. */
  findNode(name: string): PipewireGlobal | null {
    return (
      this.globals().find(
        (global) => global.type === INTERFACES.node.type && global.props['node.name'] === name,
      ) ?? null
    );
  }

  /** Asks the daemon to destroy an object that somebody else (an earlier run) made. */
  destroyGlobal(id: number): void {
    this.#openRegistry().destroyGlobal(id);
    this.sync();
  }

  /**
   * Makes a node in the daemon, e.g. factory `adapter` with `factory.name=support.null-audio-sink`.
   * Returns after the daemon agreed; throws with its words when it refuses.
   */
  createNode(factory: string, props: PipewireProperties): PipewireObject {
    return this.#createObject(factory, INTERFACES.node, props);
  }

  /** Links two ports: `link.output.port`, `link.input.port` (ids) and friends. */
  createLink(props: PipewireProperties): PipewireObject {
    return this.#createObject('link-factory', INTERFACES.link, props);
  }

  /** Opens the metadata store `name` (`default`); null when the daemon has none (no session manager). */
  openMetadata(
    name: string,
    onProperty: (property: MetadataProperty) => void = () => {},
  ): PipewireMetadata | null {
    const registry = this.#openRegistry();
    const global = this.globals().find(
      ({ type, props }) => type === INTERFACES.metadata.type && props['metadata.name'] === name,
    );
    if (!global) return null;
    const metadata = new PipewireMetadata(registry, global.id, onProperty, (error) =>
      this.#keepFault(error),
    );
    this.#owned.add(metadata);
    this.sync();
    return metadata;
  }

  /** Current value of one key, or null. */
  metadataGet(name: string, subject: number, key: string): string | null {
    let found: string | null = null;
    const metadata = this.openMetadata(name, (property) => {
      if (property.subject === subject && property.key === key) found = property.value;
    });
    this.#release(metadata);
    return found;
  }

  /** Sets (or with null removes) one key and waits until the daemon has it. */
  metadataSet(
    name: string,
    subject: number,
    key: string,
    type: string | null,
    value: string | null,
  ): boolean {
    const metadata = this.openMetadata(name);
    if (!metadata) return false;
    metadata.set(subject, key, type, value);
    const answered = this.sync();
    this.#release(metadata);
    return answered;
  }

  /** Frees streams, objects and the connection. Idempotent; not from inside a callback. */
  close(): void {
    if (this.#closed) return;
    if (this.#depth > 0) throw new Error('pipewire: the loop cannot be closed inside a callback');
    for (const owned of [...this.#owned].reverse()) owned.dispose();
    this.#owned.clear();
    this.#registry?.dispose();
    this.#closed = true;
    libpipewire().pw_core_disconnect(this.#corePointer);
    this.#events.dispose();
    this.#destroyContext();
    unpin(this);
  }

  #createObject(
    factory: string,
    kind: { readonly type: string; readonly version: number },
    props: PipewireProperties,
  ): PipewireObject {
    this.#assertUsable();
    const made = new PipewireObject(this.#core, factory, kind.type, kind.version, props);
    const id = made.proxyId;
    this.#errors.delete(id);
    const answered = this.sync();
    const refused = this.#errors.get(id) ?? (answered ? null : 'the daemon did not answer');
    if (refused !== null) {
      made.dispose();
      throw new Error(`pipewire: ${factory} refused: ${refused}`);
    }
    this.#owned.add(made);
    return made;
  }

  #openRegistry(): PipewireRegistry {
    this.#assertUsable();
    if (this.#registry) return this.#registry;
    this.#registry = new PipewireRegistry(
      this.#core,
      {
        onGlobal: (global) => {
          if (this.#globals.size < GLOBALS_MAX) this.#globals.set(global.id, global);
          for (const listener of this.#listeners) listener.onGlobal(global);
        },
        onRemove: (id) => {
          this.#globals.delete(id);
          for (const listener of this.#listeners) listener.onRemove(id);
        },
      },
      (error) => this.#keepFault(error),
    );
    this.sync();
    return this.#registry;
  }

  #release(owned: Disposable | null): void {
    if (!owned) return;
    this.#owned.delete(owned);
    owned.dispose();
  }

  #note(id: number, result: number, message: string): void {
    if (id === CORE_ID && result === EPIPE) {
      this.#failure ??= 'the PipeWire daemon ended the connection';
      return;
    }
    if (this.#errors.size >= ERRORS_MAX) this.#errors.clear();
    this.#errors.set(id, `${message || 'no reason given'} (${resultText(result)})`);
  }

  #keepFault(error: unknown): void {
    this.#fault ??= error ?? new Error('pipewire: a callback threw nothing');
  }

  #assertUsable(): void {
    if (this.#closed) throw new Error('pipewire: the connection is closed');
  }

  #callControl(slotBytes: number): void {
    const call = this.#control.method(slotBytes, { args: ['ptr'], returns: 'void' });
    call(this.#control.object);
  }

  #destroyContext(): void {
    libpipewire().pw_context_destroy(this.#context);
    this.#callControl(SPA_LOOP_CONTROL_METHODS.fields.leave);
    libpipewire().pw_main_loop_destroy(this.#mainLoop);
  }
}
