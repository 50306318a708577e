/**
 * One `pw_stream`: connect, negotiate by pods, dequeue and queue buffers without copying.
 *
 * All callbacks run on the thread that iterates the loop (RT_PROCESS is never set). Everything the
 * library keeps is pinned until {@link PipewireStream.dispose}.
 */
import { toArrayBuffer } from 'bun:ffi';
import {
  CHUNK_CORRUPTED,
  DATA_TYPES,
  DIRECTIONS,
  PARAM_FORMAT,
  PW_BUFFER,
  PW_ID_ANY,
  PW_STREAM_EVENTS,
  SPA_BUFFER,
  SPA_CHUNK,
  SPA_DATA,
  SPA_META,
  STREAM_FLAGS,
  STREAM_STATES,
  type StreamState,
} from './libpipewire-layout.ts';
import {
  EventTable,
  libpipewire,
  newProperties,
  type PipewireProperties,
  podPointers,
  pointerAt,
  resultText,
  textAt,
  u32At,
} from './libpipewire-symbols.ts';
import { cString } from './loader.ts';
import { pin, unpin } from './pins.ts';

/** A negotiated pod is at most this long; more is not copied. */
const POD_BYTES_MAX = 65_536;
/** Planes and metas of one buffer; the library allows far more than any format has. */
const PLANES_MAX = 8;
const METAS_MAX = 16;

export interface StreamOptions {
  readonly name: string;
  readonly direction: 'input' | 'output';
  readonly props: PipewireProperties;
  /** EnumFormat pods, most wanted first. Copied by the library. */
  readonly params: readonly Uint8Array[];
  /** Or of STREAM_FLAGS; default AUTOCONNECT | MAP_BUFFERS. */
  readonly flags?: number;
  /** Node to link to; absent: the session manager chooses (or property `target.object`). */
  readonly targetNodeId?: number;
  /** Format pod, or null when the format was cleared. May come several times for one format. */
  readonly onFormat?: (pod: Uint8Array | null) => void;
  /** A buffer can be dequeued. */
  readonly onProcess?: () => void;
  readonly onState?: (state: StreamState, error: string) => void;
  /** A buffer and all views on its memory are about to become invalid. */
  readonly onRemoveBuffer?: (buffer: StreamBuffer) => void;
}

export interface StreamPlane {
  /** One of DATA_TYPES. */
  readonly type: number;
  /** File descriptor of MemFd and DmaBuf planes, else -1. Owned by the library. */
  readonly fd: number;
  /** Where the plane starts in `fd`. */
  readonly mapOffsetBytes: number;
  readonly maxSizeBytes: number;
  /** Mapped memory, or null when the plane is not mapped (DmaBuf). Read-only for input streams. */
  readonly bytes: Uint8Array | null;
}

/** A buffer of the stream. Views stay valid until `onRemoveBuffer`; contents until it is queued. */
export class StreamBuffer {
  /** Only for the stream itself. */
  readonly address: number;
  readonly planes: readonly StreamPlane[];
  readonly #chunks: readonly DataView[];
  readonly #metas: ReadonlyMap<number, DataView>;
  readonly #requested: DataView;

  constructor(address: number) {
    this.address = address;
    const buffer = pointerAt(address, PW_BUFFER.fields.buffer);
    const planeCount = Math.min(u32At(buffer, SPA_BUFFER.fields.n_datas), PLANES_MAX);
    const datas = pointerAt(buffer, SPA_BUFFER.fields.datas);
    const planes: StreamPlane[] = [];
    const chunks: DataView[] = [];
    for (let i = 0; i < planeCount; i++) {
      const data = datas + i * SPA_DATA.sizeBytes;
      planes.push(readPlane(data));
      chunks.push(viewAt(pointerAt(data, SPA_DATA.fields.chunk), SPA_CHUNK.sizeBytes));
    }
    this.planes = planes;
    this.#chunks = chunks;
    this.#metas = readMetas(buffer);
    this.#requested = viewAt(address + PW_BUFFER.fields.requested, 8);
  }

  chunkOffsetBytes(plane = 0): number {
    return this.#chunks[plane]?.getUint32(SPA_CHUNK.fields.offset, true) ?? 0;
  }

  chunkSizeBytes(plane = 0): number {
    return this.#chunks[plane]?.getUint32(SPA_CHUNK.fields.size, true) ?? 0;
  }

  chunkStrideBytes(plane = 0): number {
    return this.#chunks[plane]?.getInt32(SPA_CHUNK.fields.stride, true) ?? 0;
  }

  isCorrupted(plane = 0): boolean {
    const flags = this.#chunks[plane]?.getInt32(SPA_CHUNK.fields.flags, true) ?? 0;
    return (flags & CHUNK_CORRUPTED) !== 0;
  }

  /** Says how much of an output buffer was filled. */
  setChunk(plane: number, offsetBytes: number, sizeBytes: number, strideBytes: number): void {
    const chunk = this.#chunks[plane];
    if (!chunk) return;
    chunk.setUint32(SPA_CHUNK.fields.offset, offsetBytes, true);
    chunk.setUint32(SPA_CHUNK.fields.size, sizeBytes, true);
    chunk.setInt32(SPA_CHUNK.fields.stride, strideBytes, true);
    chunk.setInt32(SPA_CHUNK.fields.flags, 0, true);
  }

  /** Memory of the metadata of `type` (META_TYPES), or null when it was not negotiated. */
  meta(type: number): DataView | null {
    return this.#metas.get(type) ?? null;
  }

  /** Output streams: frames the graph asks for; 0 when it does not say. */
  requestedFrames(): number {
    return this.#requested.getUint32(0, true);
  }
}

/** Made by `PipewireLoop.openStream`. */
export class PipewireStream {
  readonly #stream: number;
  readonly #events: EventTable;
  readonly #buffers = new Map<number, StreamBuffer>();
  readonly #isBusy: () => boolean;
  readonly #onDisposed: (stream: PipewireStream) => void;
  #state: StreamState = 'unconnected';
  #error = '';
  #disposed = false;

  constructor(
    core: number,
    options: StreamOptions,
    hooks: {
      readonly onFault: (error: unknown) => void;
      readonly onDisposed: (stream: PipewireStream) => void;
      readonly isBusy: () => boolean;
    },
  ) {
    const library = libpipewire();
    this.#isBusy = hooks.isBusy;
    this.#onDisposed = hooks.onDisposed;
    const props = newProperties(options.props);
    const stream = library.pw_stream_new(core, cString(options.name), props);
    if (!stream) throw new Error(`pipewire: stream ${options.name} could not be made`);
    this.#stream = stream;
    this.#events = new EventTable(
      PW_STREAM_EVENTS,
      2,
      {
        state_changed: {
          args: ['i32', 'i32', 'ptr'],
          handle: (_old, state, error) => this.#changeState(state ?? 0, error ?? 0, options),
        },
        param_changed: {
          args: ['u32', 'ptr'],
          handle: (id, pod) => {
            if (id === PARAM_FORMAT) options.onFormat?.(copyPod(pod ?? 0));
          },
        },
        add_buffer: {
          args: ['ptr'],
          handle: (address) => {
            if (address) this.#buffers.set(address, new StreamBuffer(address));
          },
        },
        remove_buffer: { args: ['ptr'], handle: (address) => this.#drop(address ?? 0, options) },
        process: { args: [], handle: () => options.onProcess?.() },
      },
      hooks.onFault,
    );
    pin(this);
    library.pw_stream_add_listener(
      stream,
      this.#events.hookAddress,
      this.#events.structAddress,
      null,
    );
    this.#connect(options);
  }

  get state(): StreamState {
    return this.#state;
  }

  /** The library's words when the state is `error`. */
  get error(): string {
    return this.#error;
  }

  /** Buffers the stream and its peer pass around; 0 before they are negotiated. */
  get bufferCount(): number {
    return this.#buffers.size;
  }

  /** Global id of the stream's own node; PW_ID_ANY until it is bound. */
  get nodeId(): number {
    return this.#disposed ? PW_ID_ANY : libpipewire().pw_stream_get_node_id(this.#stream);
  }

  /** Next filled (input) or free (output) buffer, or null. Give it back with {@link queue}. */
  dequeue(): StreamBuffer | null {
    if (this.#disposed) return null;
    const address = libpipewire().pw_stream_dequeue_buffer(this.#stream);
    if (!address) return null;
    let buffer = this.#buffers.get(address);
    if (!buffer) {
      buffer = new StreamBuffer(address);
      this.#buffers.set(address, buffer);
    }
    return buffer;
  }

  queue(buffer: StreamBuffer): void {
    if (this.#disposed || this.#buffers.get(buffer.address) !== buffer) return;
    libpipewire().pw_stream_queue_buffer(this.#stream, buffer.address);
  }

  /** Answers a format (Buffers and Meta pods), or offers new formats (EnumFormat pods). */
  updateParams(pods: readonly Uint8Array[]): void {
    if (this.#disposed) return;
    const { pointers, kept } = podPointers(pods);
    pin(kept);
    const result = libpipewire().pw_stream_update_params(this.#stream, pointers, pods.length);
    unpin(kept);
    if (result < 0) throw new Error(`pipewire: parameters refused: ${resultText(result)}`);
  }

  setActive(active: boolean): void {
    if (!this.#disposed) libpipewire().pw_stream_set_active(this.#stream, active);
  }

  /** Throws away (or, with `drain`, plays out) what is queued. */
  flush(drain: boolean): void {
    if (!this.#disposed) libpipewire().pw_stream_flush(this.#stream, drain);
  }

  /** Disconnects and frees. Idempotent; not from inside one of the stream's own callbacks. */
  dispose(): void {
    if (this.#disposed) return;
    if (this.#isBusy()) throw new Error('pipewire: a stream cannot be disposed inside a callback');
    this.#disposed = true;
    libpipewire().pw_stream_destroy(this.#stream);
    this.#events.dispose();
    this.#buffers.clear();
    this.#onDisposed(this);
    unpin(this);
  }

  #connect(options: StreamOptions): void {
    const { pointers, kept } = podPointers(options.params);
    pin(kept);
    const result = libpipewire().pw_stream_connect(
      this.#stream,
      DIRECTIONS[options.direction],
      options.targetNodeId ?? PW_ID_ANY,
      options.flags ?? STREAM_FLAGS.AUTOCONNECT | STREAM_FLAGS.MAP_BUFFERS,
      pointers,
      options.params.length,
    );
    unpin(kept);
    if (result >= 0) return;
    libpipewire().pw_stream_destroy(this.#stream);
    this.#disposed = true;
    this.#events.dispose();
    unpin(this);
    throw new Error(`pipewire: stream ${options.name} not connected: ${resultText(result)}`);
  }

  #changeState(state: number, error: number, options: StreamOptions): void {
    const known = STREAM_STATES[String(state) as keyof typeof STREAM_STATES];
    if (known === undefined) return;
    this.#state = known;
    if (known === 'error') this.#error = textAt(error) || 'no reason given';
    options.onState?.(known, known === 'error' ? this.#error : '');
  }

  #drop(address: number, options: StreamOptions): void {
    const buffer = this.#buffers.get(address);
    if (!buffer) return;
    this.#buffers.delete(address);
    options.onRemoveBuffer?.(buffer);
  }
}

function readPlane(data: number): StreamPlane {
  const type = u32At(data, SPA_DATA.fields.type);
  const maxSizeBytes = u32At(data, SPA_DATA.fields.maxsize);
  const mapped = pointerAt(data, SPA_DATA.fields.data);
  const hasFd = type === DATA_TYPES.MEM_FD || type === DATA_TYPES.DMA_BUF;
  return {
    type,
    fd: hasFd ? u32At(data, SPA_DATA.fields.fd) | 0 : -1,
    mapOffsetBytes: u32At(data, SPA_DATA.fields.mapoffset),
    maxSizeBytes,
    bytes:
      mapped !== 0 && maxSizeBytes > 0
        ? new Uint8Array(toArrayBuffer(mapped as never, 0, maxSizeBytes))
        : null,
  };
}

function readMetas(buffer: number): ReadonlyMap<number, DataView> {
  const count = Math.min(u32At(buffer, SPA_BUFFER.fields.n_metas), METAS_MAX);
  const metas = pointerAt(buffer, SPA_BUFFER.fields.metas);
  const found = new Map<number, DataView>();
  for (let i = 0; i < count; i++) {
    const meta = metas + i * SPA_META.sizeBytes;
    const address = pointerAt(meta, SPA_META.fields.data);
    const sizeBytes = u32At(meta, SPA_META.fields.size);
    if (address === 0 || sizeBytes === 0) continue;
    found.set(u32At(meta, SPA_META.fields.type), viewAt(address, sizeBytes));
  }
  return found;
}

function viewAt(address: number, sizeBytes: number): DataView {
  return new DataView(toArrayBuffer(address as never, 0, sizeBytes));
}

function copyPod(address: number): Uint8Array | null {
  if (address === 0) return null;
  const sizeBytes = u32At(address, 0) + 8;
  if (sizeBytes > POD_BYTES_MAX) return null;
  return new Uint8Array(toArrayBuffer(address as never, 0, sizeBytes).slice(0));
}
