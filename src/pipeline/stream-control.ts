/**
 * The shared words of one stream: what main asks of its workers and what the workers count.
 * Media workers block in native calls, so requests travel through memory, not messages.
 */

/** Indices of 32-bit words; every word has exactly one writer. */
const WORDS = {
  /** Non-zero: all workers of the stream end. Main writes. */
  stop: 0,
  /** Rising count of IDR wishes. Main writes. */
  idrRequests: 1,
  /** Rising count of RFI ranges written to the range ring. Main writes. */
  invalidations: 2,
  /** Encoder rate to apply. Main writes. */
  bitrateKbps: 3,
  /** Rises with each new video destination; the packed address lies at `videoAddress`. */
  videoAddressVersion: 4,
  audioAddressVersion: 5,
  /** Rise once per loop turn; a stalled worker stops counting. */
  videoHeartbeat: 6,
  packetHeartbeat: 7,
  audioHeartbeat: 8,
  /** Counters for statistics; read them with `count`. */
  framesCaptured: 9,
  framesRepeated: 10,
  framesEncoded: 11,
  framesDropped: 12,
  framesSent: 13,
  idrFrames: 14,
  invalidationsAnswered: 15,
  packetsSent: 16,
  packetsDropped: 17,
  framesOversize: 18,
  captureRebuilds: 20,
  audioPackets: 21,
  audioSilentPackets: 22,
  /** Frame rate and preset the encoder stepped down to; see encode/step-down.ts. */
  appliedFpsTimes100: 23,
  appliedPreset: 24,
  appliedBitrateKbps: 25,
  packetsTestDropped: 26,
  appliedWidth: 27,
  appliedHeight: 28,
} as const;

export type ControlWord = keyof typeof WORDS;

/** The words, then how often each of them wrapped. */
const WORDS_MAX = 32;
const WORD_COUNT = WORDS_MAX * 2;
/** A power of two. */
const RANGE_RING_DEPTH = 16;
const ADDRESS_BYTES = 32;
/** Addresses kept per plane: a worker that copies one is not disturbed by the next being written. */
const ADDRESS_SLOTS = 4;
/** Per-stage histograms: 48 buckets of a quarter octave from 1 µs. */
export const STAGES = [
  'capture',
  'convert',
  'encode',
  'queue',
  'packetize',
  'send',
  'total',
] as const;
export type Stage = (typeof STAGES)[number];
const HISTOGRAM_BUCKETS = 96;

const OFFSET_RANGES = WORD_COUNT * 4;
const OFFSET_ADDRESSES = OFFSET_RANGES + RANGE_RING_DEPTH * 8;
const OFFSET_HISTOGRAMS = OFFSET_ADDRESSES + ADDRESS_BYTES * ADDRESS_SLOTS * 2;
const TOTAL_BYTES = OFFSET_HISTOGRAMS + STAGES.length * HISTOGRAM_BUCKETS * 4;

export class StreamControl {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #ranges: Uint32Array;
  readonly #addresses: Uint8Array;
  readonly #histograms: Int32Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(TOTAL_BYTES)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer, 0, WORD_COUNT);
    this.#ranges = new Uint32Array(buffer, OFFSET_RANGES, RANGE_RING_DEPTH * 2);
    this.#addresses = new Uint8Array(
      buffer,
      OFFSET_ADDRESSES,
      OFFSET_HISTOGRAMS - OFFSET_ADDRESSES,
    );
    this.#histograms = new Int32Array(buffer, OFFSET_HISTOGRAMS, STAGES.length * HISTOGRAM_BUCKETS);
  }

  get(word: ControlWord): number {
    return Atomics.load(this.#words, WORDS[word]);
  }

  set(word: ControlWord, value: number): void {
    Atomics.store(this.#words, WORDS[word], value);
  }

  /** @param amount 0…2^31 − 1 */
  add(word: ControlWord, amount = 1): void {
    const before = Atomics.add(this.#words, WORDS[word], amount);
    if (before < 0 && ((before + amount) | 0) >= 0) {
      Atomics.add(this.#words, WORDS_MAX + WORDS[word], 1);
    }
  }

  /** All that was ever added to a word: a busy stream sends 2^32 packets in a day. */
  count(word: ControlWord): number {
    const wraps = Atomics.load(this.#words, WORDS_MAX + WORDS[word]);
    return wraps * 2 ** 32 + (this.get(word) >>> 0);
  }

  /** Main: the device lost wire frames `first`…`last`. Old unread ranges are overwritten. */
  requestInvalidation(first: number, last: number): void {
    const slot = rangeSlot(this.get('invalidations'));
    this.#ranges[slot] = first;
    this.#ranges[slot + 1] = last;
    this.add('invalidations');
  }

  /**
   * Video worker: merges all ranges written since `seen` into `into`.
   * @returns the new value of `seen`; equal when there was none. `into[0]` > `into[1]`: ranges were
   * overwritten unread, so only an IDR can answer.
   */
  takeInvalidations(seen: number, into: Uint32Array): number {
    const written = this.get('invalidations');
    if (written === seen) return seen;
    if (((written - seen) | 0) > RANGE_RING_DEPTH) {
      into[0] = 1;
      into[1] = 0;
      return written;
    }
    let first = 0xffffffff;
    let last = 0;
    for (let index = seen; index !== written; index = (index + 1) | 0) {
      const slot = rangeSlot(index);
      first = Math.min(first, this.#ranges[slot] ?? 0);
      last = Math.max(last, this.#ranges[slot + 1] ?? 0);
    }
    into[0] = first;
    into[1] = last;
    return written;
  }

  /** Main: where datagrams of a plane go from now on (packed sockaddr, ≤ 28 bytes). */
  setAddress(plane: 'video' | 'audio', sockaddr: Uint8Array): void {
    const offset = this.#addressOffset(plane, 1);
    this.#addresses.fill(0, offset, offset + ADDRESS_BYTES);
    this.#addresses.set(sockaddr.subarray(0, ADDRESS_BYTES - 1), offset + 1);
    this.#addresses[offset] = Math.min(sockaddr.length, ADDRESS_BYTES - 1);
    this.add(ADDRESS_VERSION[plane]);
  }

  /** Worker: copy of the packed sockaddr of a plane. Call when the version word rose. */
  address(plane: 'video' | 'audio'): Uint8Array<ArrayBuffer> {
    const offset = this.#addressOffset(plane, 0);
    const length = this.#addresses[offset] ?? 0;
    const copy = new Uint8Array(new ArrayBuffer(length));
    copy.set(this.#addresses.subarray(offset + 1, offset + 1 + length));
    return copy;
  }

  /** Counts one duration of a stage. No allocation. */
  recordStage(stage: number, durationNs: number): void {
    const micros = Math.max(1, durationNs / 1000);
    const bucket = Math.min(HISTOGRAM_BUCKETS - 1, Math.floor(Math.log2(micros) * 4));
    Atomics.add(this.#histograms, stage * HISTOGRAM_BUCKETS + bucket, 1);
  }

  /** Main: forgets all durations counted so far, e.g. those of a warm-up. */
  clearStages(): void {
    this.#histograms.fill(0);
  }

  /** p-quantile of a stage in µs (upper bound of its bucket), or null without samples. */
  stageQuantileUs(stage: Stage, quantile: number): number | null {
    const base = STAGES.indexOf(stage) * HISTOGRAM_BUCKETS;
    let total = 0;
    for (let bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket += 1) {
      total += this.#histograms[base + bucket] ?? 0;
    }
    if (total === 0) return null;
    let seen = 0;
    for (let bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket += 1) {
      seen += this.#histograms[base + bucket] ?? 0;
      if (seen >= total * quantile) return Math.round(2 ** ((bucket + 1) / 4));
    }
    return null;
  }

  #addressOffset(plane: 'video' | 'audio', ahead: number): number {
    const slot = (this.get(ADDRESS_VERSION[plane]) + ahead) & (ADDRESS_SLOTS - 1);
    return (slot + (plane === 'video' ? 0 : ADDRESS_SLOTS)) * ADDRESS_BYTES;
  }
}

const ADDRESS_VERSION = {
  video: 'videoAddressVersion',
  audio: 'audioAddressVersion',
} as const satisfies Record<string, ControlWord>;

/** Where range number `index` lies; counts may have wrapped to negative. */
function rangeSlot(index: number): number {
  return (index & (RANGE_RING_DEPTH - 1)) * 2;
}
