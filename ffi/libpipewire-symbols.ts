/**
 * The symbol table of libpipewire-0.3, the method slots reached through its interfaces, and the
 * event tables handed to it. Used by the other libpipewire files only.
 *
 * 0.3.65 exports neither the loop functions nor the core and registry methods, so both go through
 * their method tables on every version.
 */
import { JSCallback, read } from 'bun:ffi';
import { addressOf } from './libc.ts';
import { SPA_HOOK, SPA_INTERFACE, type StructLayout } from './libpipewire-layout.ts';
import { bindLibrary, cString, functionAt, type NativeDeclaration } from './loader.ts';
import { pin, stableBytes, unpin } from './pins.ts';

/** The versioned name every distribution carries; the plain one belongs to the -dev package. */
const NAMES = ['libpipewire-0.3.so.0'] as const;

const SYMBOLS = {
  // void pw_init(int *argc, char **argv[]);
  pw_init: { args: ['ptr', 'ptr'], returns: 'void' },
  // const char *pw_get_library_version(void);
  pw_get_library_version: { args: [], returns: 'cstring' },
  // struct pw_main_loop *pw_main_loop_new(const struct spa_dict *props);
  pw_main_loop_new: { args: ['ptr'], returns: 'ptr' },
  // struct pw_loop *pw_main_loop_get_loop(struct pw_main_loop *loop);
  pw_main_loop_get_loop: { args: ['ptr'], returns: 'ptr' },
  pw_main_loop_destroy: { args: ['ptr'], returns: 'void' },
  // struct pw_context *pw_context_new(struct pw_loop *, struct pw_properties *, size_t);
  pw_context_new: { args: ['ptr', 'ptr', 'usize'], returns: 'ptr' },
  // struct pw_core *pw_context_connect(struct pw_context *, struct pw_properties *, size_t);
  pw_context_connect: { args: ['ptr', 'ptr', 'usize'], returns: 'ptr' },
  pw_context_destroy: { args: ['ptr'], returns: 'void' },
  // int pw_core_disconnect(struct pw_core *core);
  pw_core_disconnect: { args: ['ptr'], returns: 'i32' },
  // struct pw_properties *pw_properties_new_string(const char *args);
  pw_properties_new_string: { args: ['ptr'], returns: 'ptr' },
  pw_properties_free: { args: ['ptr'], returns: 'void' },
  // void pw_proxy_destroy(struct pw_proxy *proxy);
  pw_proxy_destroy: { args: ['ptr'], returns: 'void' },
  pw_proxy_get_id: { args: ['ptr'], returns: 'u32' },
  pw_proxy_get_bound_id: { args: ['ptr'], returns: 'u32' },
  // struct pw_stream *pw_stream_new(struct pw_core *, const char *name, struct pw_properties *);
  pw_stream_new: { args: ['ptr', 'ptr', 'ptr'], returns: 'ptr' },
  // void pw_stream_add_listener(struct pw_stream *, struct spa_hook *,
  //                             const struct pw_stream_events *, void *data);
  pw_stream_add_listener: { args: ['ptr', 'ptr', 'ptr', 'ptr'], returns: 'void' },
  // int pw_stream_connect(struct pw_stream *, enum pw_direction, uint32_t target_id,
  //                       enum pw_stream_flags, const struct spa_pod **params, uint32_t n_params);
  pw_stream_connect: { args: ['ptr', 'i32', 'u32', 'u32', 'ptr', 'u32'], returns: 'i32' },
  // int pw_stream_update_params(struct pw_stream *, const struct spa_pod **, uint32_t);
  pw_stream_update_params: { args: ['ptr', 'ptr', 'u32'], returns: 'i32' },
  // int pw_stream_set_active(struct pw_stream *stream, bool active);
  pw_stream_set_active: { args: ['ptr', 'bool'], returns: 'i32' },
  // struct pw_buffer *pw_stream_dequeue_buffer(struct pw_stream *stream);
  pw_stream_dequeue_buffer: { args: ['ptr'], returns: 'ptr' },
  // int pw_stream_queue_buffer(struct pw_stream *stream, struct pw_buffer *buffer);
  pw_stream_queue_buffer: { args: ['ptr', 'ptr'], returns: 'i32' },
  pw_stream_get_node_id: { args: ['ptr'], returns: 'u32' },
  // int pw_stream_flush(struct pw_stream *stream, bool drain);
  pw_stream_flush: { args: ['ptr', 'bool'], returns: 'i32' },
  pw_stream_destroy: { args: ['ptr'], returns: 'void' },
} as const satisfies Record<string, NativeDeclaration>;

type Bound = ReturnType<typeof bindLibrary<typeof SYMBOLS>>;
let bound: Bound | undefined;

/** The library, bound and initialised on first use. Throws LibraryError when it is not there. */
export function libpipewire(): Bound['symbols'] {
  if (!bound) {
    bound = bindLibrary(NAMES, SYMBOLS);
    bound.symbols.pw_init(null, null);
  }
  return bound.symbols;
}

/** One object behind a `spa_interface`: its method table and the first argument of every method. */
export class NativeInterface {
  readonly #functions: number;
  readonly #object: number;

  /** @param address of a struct that begins with `struct spa_interface` (every proxy does). */
  constructor(address: number) {
    this.#functions = pointerAt(address, SPA_INTERFACE.fields['cb.funcs']);
    this.#object = pointerAt(address, SPA_INTERFACE.fields['cb.data']);
  }

  get object(): number {
    return this.#object;
  }

  /** Callable for the method at `offsetBytes` of the table; keep it, making one costs 2 µs. */
  method<const D extends NativeDeclaration>(offsetBytes: number, declaration: D) {
    const address = pointerAt(this.#functions, offsetBytes);
    if (address === 0) throw new Error(`libpipewire: method slot ${offsetBytes} is empty`);
    return functionAt(address, declaration);
  }
}

export interface EventHandler {
  readonly args: readonly ('ptr' | 'u32' | 'i32')[];
  readonly returns?: 'i32';
  /** Receives the arguments after `data`. Must not throw across C: the table catches. */
  readonly handle: (...values: number[]) => void;
}

/**
 * A struct of callbacks plus its hook, kept until {@link dispose}.
 * Callbacks run on this thread, inside the loop's `iterate` or another call into the library.
 */
export class EventTable {
  readonly #struct: Uint8Array;
  readonly #hook: Uint8Array;
  readonly #callbacks: JSCallback[] = [];

  constructor(
    layout: StructLayout,
    version: number,
    handlers: Readonly<Record<string, EventHandler>>,
    onFault: (error: unknown) => void,
  ) {
    this.#struct = stableBytes(layout.sizeBytes + 64);
    this.#hook = stableBytes(SPA_HOOK.sizeBytes);
    const view = new DataView(this.#struct.buffer as ArrayBuffer);
    view.setUint32(0, version, true);
    for (const [name, handler] of Object.entries(handlers)) {
      const offset = layout.fields[name];
      if (offset === undefined) throw new Error(`${layout.name} has no field ${name}`);
      const callback = new JSCallback(guarded(handler, onFault), {
        args: ['ptr', ...handler.args],
        returns: handler.returns ?? 'void',
      });
      view.setBigUint64(offset, BigInt(Number(callback.ptr)), true);
      this.#callbacks.push(callback);
    }
    // KEEP: C holds the struct, the hook and the callbacks until the listened object is destroyed.
    pin(this);
  }

  get structAddress(): number {
    return addressOf(this.#struct);
  }

  get hookAddress(): number {
    return addressOf(this.#hook);
  }

  /** Call after the listened object was destroyed, never from inside one of its callbacks. */
  dispose(): void {
    for (const callback of this.#callbacks) callback.close();
    this.#callbacks.length = 0;
    unpin(this);
  }
}

function guarded(handler: EventHandler, onFault: (error: unknown) => void) {
  return (_data: number, ...values: (number | bigint | null)[]): number => {
    try {
      handler.handle(...values.map(Number));
    } catch (error) {
      onFault(error);
    }
    return 0;
  };
}

/** Pointer stored at `address + offsetBytes`; 0 is NULL. */
export function pointerAt(address: number, offsetBytes: number): number {
  return Number(read.ptr(address as never, offsetBytes));
}

export function u32At(address: number, offsetBytes: number): number {
  return read.u32(address as never, offsetBytes);
}

/** Longest text taken from the library; node properties are far below. */
const TEXT_BYTES_MAX = 65_536;

/** Copy of a C string, empty for NULL. */
export function textAt(address: number): string {
  if (address === 0) return '';
  const bytes: number[] = [];
  for (let i = 0; i < TEXT_BYTES_MAX; i++) {
    const byte = read.u8(address as never, i);
    if (byte === 0) break;
    bytes.push(byte);
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

export type PipewireProperties = Readonly<Record<string, string | number | boolean>>;

/**
 * A `pw_properties` of `properties`, owned by whoever it is passed to.
 * The text form is SPA-JSON, of which JSON with string values is a subset.
 */
export function newProperties(properties: PipewireProperties): number {
  const text = JSON.stringify(
    Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, String(value)])),
  );
  const made = libpipewire().pw_properties_new_string(cString(text));
  if (!made) throw new Error('libpipewire: out of memory for properties');
  return made;
}

/** Pods as the `const struct spa_pod **` the library wants; both parts must outlive the call. */
export function podPointers(pods: readonly Uint8Array[]): {
  readonly pointers: Uint8Array;
  readonly kept: readonly Uint8Array[];
} {
  const kept = pods.map((pod) => {
    const bytes = stableBytes(pod.byteLength);
    bytes.set(pod);
    return bytes;
  });
  const pointers = stableBytes(Math.max(8, 8 * kept.length));
  const view = new DataView(pointers.buffer);
  kept.forEach((pod, i) => {
    view.setBigUint64(8 * i, BigInt(addressOf(pod)), true);
  });
  return { pointers, kept };
}

/** Negative results of the library are `-errno`. */
export function resultText(result: number): string {
  return ERRNO_TEXT[-result] ?? `error ${-result}`;
}

const ERRNO_TEXT: Readonly<Record<number, string>> = {
  1: 'not permitted (EPERM)',
  2: 'no such object (ENOENT)',
  5: 'input/output error (EIO)',
  12: 'out of memory (ENOMEM)',
  13: 'access denied (EACCES)',
  16: 'busy (EBUSY)',
  22: 'not accepted (EINVAL)',
  32: 'connection lost (EPIPE)',
  95: 'not supported (ENOTSUP)',
  104: 'connection reset (ECONNRESET)',
  110: 'timed out (ETIMEDOUT)',
  111: 'connection refused (ECONNREFUSED)',
  112: 'daemon is not running (EHOSTDOWN)',
};
