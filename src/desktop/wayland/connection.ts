/**
 * A Wayland client connection with descriptor passing. One class serves both ways of use: media
 * workers block in `dispatch` and `roundtrip`; the main thread awaits `waitUntil` and lets
 * `keepReading` look for events now and then.
 *
 * Nothing throws once the connection stands: a protocol error, a malformed message or a compositor
 * that died ends it, `failure` says why, and later requests are ignored.
 */
import { closeFd, connectUnix, unixPeer } from '../../../ffi/libc-fd.ts';
import { monotonicNs } from '../../../ffi/libc-time.ts';
import { type CompiledInterface, compileInterface, type InterfaceSpec } from './interface.ts';
import { WL_CALLBACK, WL_DISPLAY, WL_REGISTRY } from './protocols/core.ts';
import { WaylandTransport } from './transport.ts';
import { decodeArguments, type WireValue } from './wire.ts';

/** Objects alive at once; the largest user (an output manager's heads and modes) needs hundreds. */
const OBJECTS_MAX = 8192;
const GLOBALS_MAX = 1024;
/** Ids from here on are made by the compositor. */
const FIRST_SERVER_ID = 0xff000000;
const SETUP_POLL_MS = 2;

export type EventHandlers<E extends string> = {
  readonly [K in E]?: (values: readonly WireValue[]) => void;
};

export interface WaylandObject<R extends string = string> {
  readonly id: number;
  readonly version: number;
  readonly spec: InterfaceSpec<R, string>;
}

export interface WaylandGlobal {
  /** Registry name: a number, unique while the global lives. */
  readonly name: number;
  readonly interface: string;
  readonly version: number;
}

interface ObjectEntry {
  readonly compiled: CompiledInterface;
  /** Null once the client destroyed the object: its late events are read and dropped. */
  handlers: EventHandlers<string> | null;
}

export class WaylandConnection {
  readonly #transport: WaylandTransport;
  readonly #objects = new Map<number, ObjectEntry>();
  readonly #freeIds: number[] = [];
  #nextId = 2;
  #failure: string | null = null;
  #pollTimer: ReturnType<typeof setInterval> | null = null;
  readonly #globals = new Map<number, WaylandGlobal>();
  readonly #display: WaylandObject<keyof typeof WL_DISPLAY.requests>;
  readonly #registry: WaylandObject<keyof typeof WL_REGISTRY.requests>;
  /** Process behind the socket, null when the kernel does not say. */
  readonly peer: { readonly pid: number; readonly uid: number } | null;
  readonly socketPath: string;
  /** Called once with the reason when the connection ends by itself. */
  onFailure: (cause: string) => void = () => {};
  onGlobal: (global: WaylandGlobal) => void = () => {};
  onGlobalRemoved: (global: WaylandGlobal) => void = () => {};

  /** Connects and asks for the registry; throws SystemCallError when nobody listens. */
  constructor(socketPath: string) {
    const fd = connectUnix(socketPath);
    this.socketPath = socketPath;
    this.peer = unixPeer(fd);
    this.#transport = new WaylandTransport(
      fd,
      (view, objectId, opcode, offset, end) => this.#handle(view, objectId, opcode, offset, end),
      (cause) => this.#fail(cause),
    );
    this.#display = { id: 1, version: 1, spec: WL_DISPLAY };
    this.#objects.set(1, {
      compiled: compileInterface(WL_DISPLAY),
      handlers: {
        error: ([object, code, message]) =>
          this.#fail(
            `the compositor refused a request: ${message} (object ${object}, code ${code})`,
          ),
        delete_id: ([id]) => this.#forget(Number(id)),
      },
    });
    this.#registry = this.construct(this.#display, 'get_registry', WL_REGISTRY, {
      global: (values) => this.#addGlobal(values),
      global_remove: ([name]) => this.#removeGlobal(Number(name)),
    });
  }

  /** Why the connection ended; null while it stands. */
  get failure(): string | null {
    return this.#failure;
  }

  get globals(): ReadonlyMap<number, WaylandGlobal> {
    return this.#globals;
  }

  /** Binds a global at the highest version both sides know. */
  bind<R extends string, E extends string>(
    global: WaylandGlobal,
    spec: InterfaceSpec<R, E>,
    handlers: EventHandlers<E>,
  ): WaylandObject<R> {
    const object = this.#register(spec, Math.min(global.version, spec.version), handlers);
    this.request(this.#registry, 'bind', global.name, spec.name, object.version, object.id);
    return object;
  }

  /** Binds the first global of this interface, or null when the compositor has none. */
  bindFirst<R extends string, E extends string>(
    spec: InterfaceSpec<R, E>,
    handlers: EventHandlers<E> = {},
  ): WaylandObject<R> | null {
    for (const global of this.#globals.values()) {
      if (global.interface === spec.name) return this.bind(global, spec, handlers);
    }
    return null;
  }

  /** Sends a request that makes an object; the new id takes the place of `n` in its signature. */
  construct<P extends string, R extends string, E extends string>(
    parent: WaylandObject<P>,
    request: P,
    spec: InterfaceSpec<R, E>,
    handlers: EventHandlers<E>,
    ...values: readonly WireValue[]
  ): WaylandObject<R> {
    const object = this.#register(spec, Math.min(parent.version, spec.version), handlers);
    const position = compileInterface(parent.spec).requests.get(request)?.newIdIndex ?? 0;
    const all = [...values];
    all.splice(position, 0, object.id);
    this.request(parent, request, ...all);
    return object;
  }

  /** Takes an object that the compositor made (new id in an event). Call inside that event. */
  adopt<R extends string, E extends string>(
    id: number,
    spec: InterfaceSpec<R, E>,
    version: number,
    handlers: EventHandlers<E>,
  ): WaylandObject<R> {
    if (id >= FIRST_SERVER_ID && this.#objects.size < OBJECTS_MAX) {
      this.#objects.set(id, { compiled: compileInterface(spec), handlers });
    } else {
      this.#fail(`the compositor made object ${id}, which is out of range`);
    }
    return { id, version: Math.min(version, spec.version), spec };
  }

  /**
   * Queues a request; `flush`, `dispatch` and the waiting calls send it. Descriptors among the
   * values belong to the connection from here on and are closed once sent.
   */
  request<R extends string>(
    object: WaylandObject<R>,
    name: R,
    ...values: readonly WireValue[]
  ): void {
    const request = compileInterface(object.spec).requests.get(name);
    if (!request) throw new Error(`${object.spec.name} has no request ${name}`);
    const { opcode, signature } = request;
    if (this.#failure !== null) {
      closeDescriptors(signature, values);
    } else if (!this.#transport.queue(object.id, opcode, signature, values)) {
      this.#fail(`request ${object.spec.name}.${name} does not fit its signature`);
    }
  }

  /** Ends an object: sends its `destroy` or `release` and drops its later events. Idempotent. */
  destroy(object: WaylandObject): void {
    const entry = this.#objects.get(object.id);
    if (!entry?.handlers || entry.compiled.name !== object.spec.name) return;
    for (const name of ['destroy', 'release']) {
      const request = entry.compiled.requests.get(name);
      if (request && object.version >= request.sinceVersion) this.request(object, name);
    }
    entry.handlers = null;
    if (object.id >= FIRST_SERVER_ID) this.#objects.delete(object.id);
  }

  /** Hands queued requests to the kernel as far as it takes them. Never blocks. */
  flush(): void {
    if (this.#failure === null) this.#transport.flush();
  }

  /** Blocks until queued requests left this process; gives up after `timeoutMs` without progress. */
  drain(timeoutMs: number): void {
    if (this.#failure === null) this.#transport.drain(timeoutMs);
  }

  /**
   * Sends what is queued, waits at most `timeoutMs` for events and runs their handlers.
   *
   * @returns whether anything arrived
   */
  dispatch(timeoutMs: number): boolean {
    this.flush();
    return this.#failure === null && this.#transport.wait(timeoutMs);
  }

  /** Blocks until the compositor handled everything sent so far; false on timeout or failure. */
  roundtrip(timeoutMs: number): boolean {
    const sync = this.#sync();
    const deadlineNs = monotonicNs() + timeoutMs * 1e6;
    while (!sync.isDone && this.#failure === null) {
      const leftMs = (deadlineNs - monotonicNs()) / 1e6;
      if (leftMs <= 0) return false;
      this.dispatch(leftMs);
    }
    return sync.isDone;
  }

  /** `roundtrip` for the main thread. */
  async roundtripAsync(timeoutMs: number): Promise<boolean> {
    const sync = this.#sync();
    return await this.waitUntil(() => sync.isDone, timeoutMs);
  }

  /** Reads events until `isReached()`; false on timeout or failure. For setup on the main thread. */
  async waitUntil(isReached: () => boolean, timeoutMs: number): Promise<boolean> {
    const deadlineNs = monotonicNs() + timeoutMs * 1e6;
    for (;;) {
      while (this.dispatch(0));
      if (isReached()) return true;
      if (this.#failure !== null || monotonicNs() >= deadlineNs) return false;
      await new Promise((resolve) => setTimeout(resolve, SETUP_POLL_MS));
    }
  }

  /**
   * Main thread: looks for events every `intervalMs` without holding the process alive. Costs one
   * poll(2) each time and finds a dead compositor within that time.
   */
  keepReading(intervalMs: number): void {
    this.#pollTimer ??= setInterval(() => {
      while (this.dispatch(0));
    }, intervalMs);
    this.#pollTimer.unref();
  }

  /** Idempotent. Everything this client made goes away with it. */
  close(): void {
    this.#failure ??= 'the connection was closed';
    this.#end();
  }

  #sync(): { isDone: boolean } {
    const state = { isDone: false };
    const callback = this.construct(this.#display, 'sync', WL_CALLBACK, {
      done: () => {
        state.isDone = true;
        this.destroy(callback);
      },
    });
    return state;
  }

  #register<R extends string, E extends string>(
    spec: InterfaceSpec<R, E>,
    version: number,
    handlers: EventHandlers<E>,
  ): WaylandObject<R> {
    const id = this.#freeIds.pop() ?? this.#nextId++;
    if (this.#objects.size >= OBJECTS_MAX) this.#fail(`more than ${OBJECTS_MAX} objects`);
    else this.#objects.set(id, { compiled: compileInterface(spec), handlers });
    return { id, version, spec };
  }

  #forget(id: number): void {
    if (this.#objects.delete(id) && id < FIRST_SERVER_ID) this.#freeIds.push(id);
  }

  #addGlobal(values: readonly WireValue[]): void {
    if (this.#globals.size >= GLOBALS_MAX) {
      this.#fail(`the compositor has more than ${GLOBALS_MAX} globals`);
      return;
    }
    const global = {
      name: Number(values[0]),
      interface: String(values[1]),
      version: Number(values[2]),
    };
    this.#globals.set(global.name, global);
    this.onGlobal(global);
  }

  #removeGlobal(name: number): void {
    const global = this.#globals.get(name);
    if (global && this.#globals.delete(name)) this.onGlobalRemoved(global);
  }

  #handle(view: DataView, objectId: number, opcode: number, offset: number, end: number): void {
    const entry = this.#objects.get(objectId);
    const event = entry?.compiled.events[opcode];
    // An object nobody adopted, or an event newer than the bound version allows.
    if (this.#failure !== null || !entry || !event) return;
    const fds = this.#transport.receivedFds;
    const values = decodeArguments(view, offset, end, event.signature, fds);
    if (typeof values === 'string') {
      this.#fail(`the compositor sent a bad ${entry.compiled.name}.${event.name}: ${values}`);
      return;
    }
    const handler = entry.handlers?.[event.name];
    if (handler) handler(values);
    else closeDescriptors(event.signature, values);
  }

  #fail(cause: string): void {
    if (this.#failure !== null) return;
    this.#failure = cause;
    this.#end();
    this.onFailure(cause);
  }

  #end(): void {
    if (this.#pollTimer) clearInterval(this.#pollTimer);
    this.#pollTimer = null;
    this.#transport.close();
    this.#objects.clear();
  }
}

function closeDescriptors(signature: string, values: readonly WireValue[]): void {
  [...signature.replaceAll('?', '')].forEach((kind, index) => {
    if (kind === 'h') closeFd(Number(values[index]));
  });
}
