/**
 * Access units from the video worker to the packet worker: a single-producer single-consumer ring
 * two frames deep inside the packet worker's shared WebAssembly memory.
 *
 * Rule of pressure: `push` never waits. When both slots are taken the newest access unit is refused
 * and the caller counts it and re-anchors.
 *
 * Slot header (32-bit words, one cache line per slot; times are float64):
 *
 * | word | meaning                                             |
 * |------|-----------------------------------------------------|
 * | 0    | access unit bytes                                   |
 * | 1    | wire frame index (from 1)                           |
 * | 2    | flags: 1 IDR, 2 recovery anchor                     |
 * | 3    | reserved, 0                                         |
 * | 4–5  | capture time, CLOCK_MONOTONIC ns, float64           |
 * | 6–7  | time the encoder finished, CLOCK_MONOTONIC ns, f64  |
 */

export const FRAME_RING_DEPTH = 2;
const SLOT_WORDS = 16;
const WORD_WRITTEN = 0;
const WORD_READ = 1;
const WORD_CLOSED = 2;
const HEAD_WORDS = 16;

export const FRAME_FLAG_IDR = 1;
export const FRAME_FLAG_RECOVERY_ANCHOR = 2;

/** Where a ring lies in shared memory; structured-clonable. */
export interface FrameRingLayout {
  readonly memory: SharedArrayBuffer;
  /** Multiple of 64. */
  readonly headOffsetBytes: number;
  readonly dataOffsetBytes: number;
  readonly slotBytes: number;
}

export interface FrameRecord {
  frameIndex: number;
  flags: number;
  captureNs: number;
  encodedNs: number;
}

/** Bytes the ring's head needs in front of the data area. */
export const FRAME_RING_HEAD_BYTES = (HEAD_WORDS + SLOT_WORDS * FRAME_RING_DEPTH) * 4;

export class FrameRingWriter {
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  readonly #slots: Uint8Array[];
  readonly slotBytes: number;

  constructor(layout: FrameRingLayout) {
    const { words, times, slots } = viewsOf(layout);
    this.#words = words;
    this.#times = times;
    this.#slots = slots;
    this.slotBytes = layout.slotBytes;
  }

  /** True when the next `push` of a fitting access unit will be taken. */
  hasRoom(): boolean {
    const written = Atomics.load(this.#words, WORD_WRITTEN);
    return ((written - Atomics.load(this.#words, WORD_READ)) | 0) < FRAME_RING_DEPTH;
  }

  /** Copies one access unit in and wakes the reader; false when full or larger than a slot. */
  push(accessUnit: Uint8Array, record: Readonly<FrameRecord>): boolean {
    if (accessUnit.length > this.slotBytes || !this.hasRoom()) return false;
    const written = Atomics.load(this.#words, WORD_WRITTEN);
    const index = (written & 0x7fffffff) % FRAME_RING_DEPTH;
    const slot = this.#slots[index];
    if (!slot) return false;
    slot.set(accessUnit);
    const word = HEAD_WORDS + index * SLOT_WORDS;
    this.#words[word] = accessUnit.length;
    this.#words[word + 1] = record.frameIndex;
    this.#words[word + 2] = record.flags;
    this.#times[word / 2 + 2] = record.captureNs;
    this.#times[word / 2 + 3] = record.encodedNs;
    Atomics.store(this.#words, WORD_WRITTEN, (written + 1) | 0);
    Atomics.notify(this.#words, WORD_WRITTEN);
    return true;
  }

  /** No more frames will come; wakes the reader. */
  close(): void {
    Atomics.store(this.#words, WORD_CLOSED, 1);
    Atomics.notify(this.#words, WORD_WRITTEN);
  }
}

export class FrameRingReader {
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  readonly #dataOffsetBytes: number;
  readonly #slotBytes: number;
  /** Metadata of the frame that `wait` found; one object, overwritten each time. */
  readonly record: FrameRecord = { frameIndex: 0, flags: 0, captureNs: 0, encodedNs: 0 };
  /** Byte offset of the found access unit in the shared memory. */
  offsetBytes = 0;
  lengthBytes = 0;

  constructor(layout: FrameRingLayout) {
    const { words, times } = viewsOf(layout);
    this.#words = words;
    this.#times = times;
    this.#dataOffsetBytes = layout.dataOffsetBytes;
    this.#slotBytes = layout.slotBytes;
  }

  /** Waits for a frame; afterwards `record`, `offsetBytes` and `lengthBytes` describe it. */
  wait(timeoutMs: number): 'frame' | 'timeout' | 'closed' {
    const read = Atomics.load(this.#words, WORD_READ);
    if (Atomics.load(this.#words, WORD_WRITTEN) === read) {
      if (Atomics.load(this.#words, WORD_CLOSED) !== 0) return 'closed';
      Atomics.wait(this.#words, WORD_WRITTEN, read, timeoutMs);
      if (Atomics.load(this.#words, WORD_WRITTEN) === read) {
        return Atomics.load(this.#words, WORD_CLOSED) !== 0 ? 'closed' : 'timeout';
      }
    }
    const index = (read & 0x7fffffff) % FRAME_RING_DEPTH;
    const word = HEAD_WORDS + index * SLOT_WORDS;
    this.lengthBytes = this.#words[word] ?? 0;
    this.offsetBytes = this.#dataOffsetBytes + index * this.#slotBytes;
    this.record.frameIndex = this.#words[word + 1] ?? 0;
    this.record.flags = this.#words[word + 2] ?? 0;
    this.record.captureNs = this.#times[word / 2 + 2] ?? 0;
    this.record.encodedNs = this.#times[word / 2 + 3] ?? 0;
    return 'frame';
  }

  /** Gives the slot of the last found frame back to the writer. */
  release(): void {
    Atomics.store(this.#words, WORD_READ, (Atomics.load(this.#words, WORD_READ) + 1) | 0);
  }
}

function viewsOf(layout: FrameRingLayout): {
  words: Int32Array;
  times: Float64Array;
  slots: Uint8Array[];
} {
  const { memory, headOffsetBytes, dataOffsetBytes, slotBytes } = layout;
  const words = new Int32Array(memory, headOffsetBytes, FRAME_RING_HEAD_BYTES / 4);
  const times = new Float64Array(memory, headOffsetBytes, FRAME_RING_HEAD_BYTES / 8);
  const slots = Array.from(
    { length: FRAME_RING_DEPTH },
    (_, index) => new Uint8Array(memory, dataOffsetBytes + index * slotBytes, slotBytes),
  );
  return { words, times, slots };
}
