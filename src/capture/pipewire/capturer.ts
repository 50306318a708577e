/**
 * Captures a PipeWire video node (Mutter virtual monitor, portal stream) inside the video worker.
 *
 * The worker's thread iterates the loop in `next`; the newest buffer wins and older ones go straight
 * back. The picture handed out stays in the producer's shared memory until the following `next`.
 * Sources send pictures only when something changed, so `none` is normal; a source that never sends
 * its first picture is told apart by a watchdog.
 */
import { monotonicNs } from '../../../ffi/libc-time.ts';
import {
  DATA_TYPES,
  HEADER_CORRUPTED,
  META_TYPES,
  PipewireLoop,
  type PipewireStream,
  SPA_META_HEADER,
  STREAM_FLAGS,
  type StreamBuffer,
} from '../../../ffi/libpipewire.ts';
import type { VideoFormat } from '../../desktop/pipewire/video-format.ts';
import { formatMode } from '../../session/mode.ts';
import type { CaptureResult, Capturer, CaptureSource, MemoryFrame } from '../port.ts';
import { frameOfBuffer } from './buffer-frame.ts';
import {
  agreedVideoFormat,
  isStarved,
  relaxedVideoOffers,
  videoAnswers,
  videoOffers,
} from './negotiation.ts';

/** A source that does not come to life for this long after opening is broken, not idle. */
export const FIRST_FRAME_TIMEOUT_MS = 10_000;
/** Buffers taken from the stream in one `next`; a stream has at most 16. */
const BURST_MAX = 64;
/** A machine that stalls all the time must not spend its time reopening. */
const REOPEN_INTERVAL_NS = 1_000_000_000;

export type PipewireSource = Extract<CaptureSource, { kind: 'pipewire' }>;

/** Opens the node; throws with a cause when the daemon or the node is not there. */
export function openPipewireCapturer(
  source: PipewireSource,
  firstFrameTimeoutMs = FIRST_FRAME_TIMEOUT_MS,
): Capturer {
  return new PipewireCapturer(source, firstFrameTimeoutMs);
}

class PipewireCapturer implements Capturer {
  readonly #source: PipewireSource;
  readonly #loop: PipewireLoop;
  #stream: PipewireStream;
  readonly #firstFrameByNs: number;
  #format: VideoFormat | null = null;
  #formatPod: Uint8Array | null = null;
  #held: StreamBuffer | null = null;
  #memory = 'not yet negotiated';
  #hasFrame = false;
  #lost: string | null = null;
  #isRelaxed = false;
  #isStarved = false;
  #reopenNotBeforeNs = 0;
  #isReopening = false;
  #isClosed = false;

  constructor(source: PipewireSource, firstFrameTimeoutMs: number) {
    this.#source = source;
    this.#firstFrameByNs = monotonicNs() + firstFrameTimeoutMs * 1e6;
    this.#loop = PipewireLoop.open(source.runtimeDir);
    try {
      this.#watchNode();
      this.#stream = this.#openStream();
    } catch (error) {
      this.#loop.close();
      throw error;
    }
  }

  get description(): string {
    const format = this.#format;
    const shape = format ? `${format.width}x${format.height} ${format.format}, ` : '';
    return `pipewire node ${this.#source.nodeId} (${shape}${this.#memory})`;
  }

  next(timeoutMs: number): CaptureResult {
    if (this.#isClosed) return { kind: 'lost', cause: 'the capturer is closed' };
    this.#giveBack();
    this.#relax();
    const deadlineNs = monotonicNs() + timeoutMs * 1e6;
    let waitMs = 0;
    for (;;) {
      if (this.#isStarved && monotonicNs() >= this.#reopenNotBeforeNs) this.#reopenStream();
      if (this.#lost === null) this.#loop.iterate(waitMs);
      const cause = this.#lost ?? this.#loop.failure;
      if (cause !== null) return { kind: 'lost', cause };
      const frame = this.#newestFrame();
      if (frame) return { kind: 'frame', frame };
      const nowNs = monotonicNs();
      if (!this.#hasFrame && nowNs > this.#firstFrameByNs && this.#owesFrame()) {
        this.#lose(this.#silenceCause());
        continue;
      }
      if (nowNs >= deadlineNs) return { kind: 'none' };
      waitMs = Math.ceil((deadlineNs - nowNs) / 1e6);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#giveBack();
    this.#loop.close();
  }

  /** Checks that the node is there, frees it from consumers of ours that died, watches its end. */
  #watchNode(): void {
    const { nodeId } = this.#source;
    const left: number[] = [];
    let isThere = false;
    this.#loop.registry(
      ({ id, props }) => {
        isThere ||= id === nodeId;
        if (props['node.name'] === consumerName(nodeId)) left.push(id);
      },
      (id) => {
        if (id === nodeId) this.#lose(`PipeWire node ${nodeId} was removed`);
      },
    );
    if (!this.#loop.sync()) {
      throw new Error(this.#loop.failure ?? 'pipewire: the daemon gives no answer');
    }
    if (!isThere) throw new Error(`pipewire: there is no node ${nodeId} to capture`);
    for (const id of left) this.#loop.destroyGlobal(id);
  }

  #openStream(): PipewireStream {
    return this.#loop.openStream({
      name: 'punktfunk screen capture',
      direction: 'input',
      props: {
        'media.type': 'Video',
        'media.category': 'Capture',
        'media.role': 'Screen',
        'node.name': consumerName(this.#source.nodeId),
      },
      params: this.#offers(),
      targetNodeId: this.#source.nodeId,
      // Without DONT_RECONNECT the session manager would link a webcam when the screen is gone.
      flags: STREAM_FLAGS.AUTOCONNECT | STREAM_FLAGS.MAP_BUFFERS | STREAM_FLAGS.DONT_RECONNECT,
      onFormat: (pod) => this.#agree(pod),
      onState: (state, error) => {
        if (state === 'error') this.#lose(`the stream failed: ${error}`);
        if (state === 'unconnected' && !this.#isReopening) {
          this.#lose('the stream was disconnected');
        }
      },
      onRemoveBuffer: (buffer) => {
        if (this.#held === buffer) this.#held = null;
      },
    });
  }

  #offers(): Uint8Array[] {
    const { mode, fixedSize } = this.#source;
    return this.#isRelaxed
      ? relaxedVideoOffers(mode, openingTag())
      : videoOffers(mode, fixedSize, openingTag());
  }

  /** After the first picture, which says that the screen exists in its mode: asks for more room. */
  #relax(): void {
    if (!this.#source.fixedSize || !this.#hasFrame || this.#isRelaxed) return;
    this.#isRelaxed = true;
    try {
      this.#stream.updateParams(this.#offers());
    } catch (error) {
      this.#lose(error instanceof Error ? error.message : String(error));
    }
  }

  /**
   * Takes the stream down and up again, which gives the producer its buffers back. Needed after a
   * stall of ours that left it with none: it would never send another picture.
   */
  #reopenStream(): void {
    this.#reopenNotBeforeNs = monotonicNs() + REOPEN_INTERVAL_NS;
    this.#isStarved = false;
    this.#isReopening = true;
    this.#stream.dispose();
    this.#isReopening = false;
    this.#format = null;
    this.#formatPod = null;
    try {
      this.#stream = this.#openStream();
    } catch (error) {
      this.#lose(error instanceof Error ? error.message : String(error));
    }
  }

  /** Answers a format. It may be told several times, or change while the stream runs. */
  #agree(pod: Uint8Array | null): void {
    const known = this.#formatPod;
    this.#formatPod = pod;
    if (pod === null) {
      this.#format = null;
      return;
    }
    if (known && Buffer.compare(known, pod) === 0) return;
    const format = agreedVideoFormat(pod);
    if (typeof format === 'string') {
      this.#lose(`the producer chose a format that cannot be captured: ${format}`);
      return;
    }
    this.#format = format;
    try {
      this.#stream.updateParams(videoAnswers(format));
    } catch (error) {
      this.#lose(error instanceof Error ? error.message : String(error));
    }
  }

  /** Takes everything that came, keeps the newest picture and gives the rest straight back. */
  #newestFrame(): MemoryFrame | null {
    let newest: StreamBuffer | null = null;
    let frame: MemoryFrame | null = null;
    const others: StreamBuffer[] = [];
    let burstCount = 0;
    for (; burstCount < BURST_MAX; burstCount++) {
      const buffer = this.#stream.dequeue();
      if (!buffer) break;
      const candidate = this.#readBuffer(buffer);
      if (candidate && newest) others.push(newest);
      if (candidate) newest = buffer;
      else others.push(buffer);
      frame = candidate ?? frame;
    }
    for (const buffer of others) this.#stream.queue(buffer);
    if (isStarved(burstCount, this.#stream.bufferCount)) this.#isStarved = true;
    this.#held = newest;
    if (frame) this.#hasFrame = true;
    return frame;
  }

  #readBuffer(buffer: StreamBuffer): MemoryFrame | null {
    const plane = buffer.planes[0];
    if (!this.#format || !plane) return null;
    this.#memory = plane.type === DATA_TYPES.MEM_FD ? 'memfd' : 'memory';
    const header = buffer.meta(META_TYPES.HEADER);
    const flags = header?.getUint32(SPA_META_HEADER.fields.flags, true) ?? 0;
    const frame = frameOfBuffer(
      {
        bytes: plane.bytes,
        offsetBytes: buffer.chunkOffsetBytes(),
        sizeBytes: buffer.chunkSizeBytes(),
        strideBytes: buffer.chunkStrideBytes(),
        isCorrupted: buffer.isCorrupted() || (flags & HEADER_CORRUPTED) !== 0,
        stampNs: header ? stampOf(header) : null,
      },
      this.#format,
      monotonicNs(),
    );
    if (typeof frame !== 'string') return frame;
    if (frame === 'too-small' || frame === 'not-mapped') {
      this.#lose(`the producer's buffers do not hold a picture (${frame}): ${this.description}`);
    }
    return null;
  }

  #giveBack(): void {
    if (this.#held) this.#stream.queue(this.#held);
    this.#held = null;
  }

  #lose(cause: string): void {
    this.#lost ??= cause;
  }

  /**
   * Whether silence is a fault. A running stream of an existing screen may owe nothing: the wlroots
   * portal sends a new consumer its first picture only when something moves.
   */
  #owesFrame(): boolean {
    return this.#source.fixedSize || this.#stream.state !== 'streaming' || this.#format === null;
  }

  /** Says how far the stream came before it fell silent. */
  #silenceCause(): string {
    const node = `PipeWire node ${this.#source.nodeId}`;
    if (this.#format) {
      return `${node} sent no picture although ${this.#format.width}x${this.#format.height} ${this.#format.format} was agreed`;
    }
    const state = this.#stream.state;
    if (state === 'connecting' || state === 'paused') {
      return `${node} was not linked to the capture stream or offered no format for ${formatMode(this.#source.mode)}; check that a session manager (WirePlumber) runs`;
    }
    return `${node} sent no picture; its stream is ${state}`;
  }
}

/**
 * Name of the one consumer this host has of a node. One that is there already belongs to a worker
 * that was ended without closing: it takes buffers and never gives them back.
 */
function consumerName(nodeId: number): string {
  return `punktfunk-capture-${nodeId}`;
}

/** A number that the last opening of the same node did not have, also in another process. */
function openingTag(): number {
  return 1 + (Math.floor(monotonicNs() / 1000) % 0x7fff_fffe);
}

/** Signed 64-bit nanoseconds as a number; -1 (no stamp) and other negatives become null. */
function stampOf(header: DataView): number | null {
  const high = header.getInt32(SPA_META_HEADER.fields.pts + 4, true);
  if (high < 0) return null;
  return high * 2 ** 32 + header.getUint32(SPA_META_HEADER.fields.pts, true);
}
