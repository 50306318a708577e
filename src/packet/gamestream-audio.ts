/**
 * Opus packets → GameStream audio datagrams with 4 + 2 parity (GameStream §10.2–10.4).
 *
 * | offset | size  | field                                                           |
 * |--------|-------|-----------------------------------------------------------------|
 * | 0      | 1     | 0x80                                                            |
 * | 1      | 1     | type: 97 data, 127 parity                                       |
 * | 2      | 2 BE  | sequence                                                        |
 * | 4      | 4 BE  | timestamp: packet duration in ms per packet; 0 in parity         |
 * | 8      | 4     | SSRC, 0                                                         |
 * | 12     | n     | data: Opus payload, sealed or not                               |
 *
 * Parity continues at 12: shard index, 97, base sequence (2 BE), base timestamp (4 BE), SSRC (4),
 * then at 24 the parity bytes over the four payloads as sent. Host → device only.
 */
import { createCipheriv } from 'node:crypto';
import type { ParityKernel } from '../fec/parity-kernel.ts';
import { PARITY_TABLE_BYTES } from '../fec/parity-kernel.ts';

export const AUDIO_DATA_SHARDS = 4;
export const AUDIO_PARITY_SHARDS = 2;
/** Fixed matrix of the audio plane; it is not the video plane's. */
export const AUDIO_PARITY_MATRIX: readonly (readonly number[])[] = [
  [0x77, 0x40, 0x38, 0x0e],
  [0xc7, 0xa7, 0x0d, 0x6c],
];
export const AUDIO_HEADER_BYTES = 12;
export const AUDIO_PARITY_HEADER_BYTES = 24;
/** Whole datagrams stay within 1400 bytes. */
export const AUDIO_DATAGRAM_BYTES_MAX = 1400;

const TYPE_DATA = 97;
const TYPE_PARITY = 127;
const SLOT_BYTES = 1536;
const SLOT_COUNT = AUDIO_DATA_SHARDS + AUDIO_PARITY_SHARDS;
const PAYLOAD_BYTES_MAX = AUDIO_DATAGRAM_BYTES_MAX - AUDIO_PARITY_HEADER_BYTES;

/** Bytes of the memory that the kernel's tables and the datagram slots need. */
export const AUDIO_MEMORY_BYTES = PARITY_TABLE_BYTES + SLOT_BYTES * SLOT_COUNT;

export interface AudioSealing {
  /** AES-128 key of the session. */
  readonly key: Uint8Array;
  /** rikeyid, unsigned 32 bit. */
  readonly keyId: number;
}

/** IV of the packet `sequence`: u32 BE (key id + sequence) and twelve zero bytes. */
export function writeAudioIv(into: Uint8Array, keyId: number, sequence: number): void {
  const counter = (keyId + sequence) >>> 0;
  into.fill(0);
  into[0] = counter >>> 24;
  into[1] = counter >>> 16;
  into[2] = counter >>> 8;
  into[3] = counter;
}

export class AudioPacketizer {
  readonly #kernel: ParityKernel;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Datagram of each slot as last sent. */
  readonly #views: Uint8Array[] = [];
  readonly #durationMs: number;
  readonly #sealing: AudioSealing | null;
  readonly #iv = new Uint8Array(16);
  readonly #lengths = new Int32Array(SLOT_COUNT);
  #sequence: number;
  #timestamp = 0;
  #blockFill = 0;
  #first = 0;
  #ready = 0;
  /** Blocks sent without parity because their payloads differed in size. */
  unevenBlocks = 0;

  /**
   * @param kernel parity kernel bound to `memory` with its tables at offset 0
   * @param memory at least {@link AUDIO_MEMORY_BYTES}
   * @param firstSequence multiple of 4; the wire starts at 0
   */
  constructor(
    kernel: ParityKernel,
    memory: ArrayBufferLike,
    options: {
      durationMs: number;
      sealing: AudioSealing | null;
      firstSequence?: number;
      firstTimestamp?: number;
    },
  ) {
    this.#kernel = kernel;
    this.#bytes = new Uint8Array(memory);
    this.#view = new DataView(memory);
    this.#durationMs = options.durationMs;
    this.#sealing = options.sealing;
    this.#sequence = options.firstSequence ?? 0;
    this.#timestamp = options.firstTimestamp ?? 0;
  }

  /**
   * Takes one Opus packet and readies its datagram; after every fourth also two parity datagrams.
   * @returns datagrams ready, 1 or 3; 0 when the packet is too large for a datagram.
   */
  push(opusPacket: Uint8Array): number {
    const payload = this.#sealing ? this.#seal(opusPacket, this.#sealing) : opusPacket;
    if (payload.length === 0 || payload.length > PAYLOAD_BYTES_MAX) return 0;
    const slot = this.#blockFill;
    const offset = slotOffset(slot);
    this.#writeHeader(offset, TYPE_DATA, this.#sequence, this.#timestamp);
    this.#bytes.set(payload, offset + AUDIO_HEADER_BYTES);
    this.#lengths[slot] = AUDIO_HEADER_BYTES + payload.length;
    this.#first = slot;
    this.#ready = 1;
    this.#blockFill += 1;
    if (this.#blockFill === AUDIO_DATA_SHARDS) this.#ready += this.#finishBlock();
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.#timestamp = (this.#timestamp + this.#durationMs) >>> 0;
    return this.#ready;
  }

  /** Datagram `index` of the last `push`; valid until the next one. */
  datagram(index: number): Uint8Array {
    const slot = this.#first + index;
    const length = this.#lengths[slot] ?? 0;
    let view = this.#views[slot];
    if (view?.length !== length) {
      // Packets of a stream have one size: views are made once, not 200 times a second.
      view = this.#bytes.subarray(slotOffset(slot), slotOffset(slot) + length);
      this.#views[slot] = view;
    }
    return view;
  }

  #finishBlock(): number {
    this.#blockFill = 0;
    const length = this.#lengths[0] ?? 0;
    for (let slot = 1; slot < AUDIO_DATA_SHARDS; slot += 1) {
      if (this.#lengths[slot] !== length) {
        this.unevenBlocks += 1;
        return 0;
      }
    }
    const payloadBytes = length - AUDIO_HEADER_BYTES;
    const baseSequence = (this.#sequence - (AUDIO_DATA_SHARDS - 1)) & 0xffff;
    const baseTimestamp = (this.#timestamp - (AUDIO_DATA_SHARDS - 1) * this.#durationMs) >>> 0;
    for (let row = 0; row < AUDIO_PARITY_SHARDS; row += 1) {
      const slot = AUDIO_DATA_SHARDS + row;
      const offset = slotOffset(slot);
      this.#writeHeader(offset, TYPE_PARITY, (baseSequence + AUDIO_DATA_SHARDS + row) & 0xffff, 0);
      this.#view.setUint8(offset + 12, row);
      this.#view.setUint8(offset + 13, TYPE_DATA);
      this.#view.setUint16(offset + 14, baseSequence);
      this.#view.setUint32(offset + 16, baseTimestamp);
      this.#view.setUint32(offset + 20, 0);
      const target = offset + AUDIO_PARITY_HEADER_BYTES;
      this.#bytes.fill(0, target, target + payloadBytes);
      for (let shard = 0; shard < AUDIO_DATA_SHARDS; shard += 1) {
        const factor = AUDIO_PARITY_MATRIX[row]?.[shard] ?? 0;
        const source = slotOffset(shard) + AUDIO_HEADER_BYTES;
        this.#kernel.multiplyAccumulate(factor, source, target, payloadBytes);
      }
      this.#lengths[slot] = AUDIO_PARITY_HEADER_BYTES + payloadBytes;
    }
    return AUDIO_PARITY_SHARDS;
  }

  #writeHeader(offset: number, type: number, sequence: number, timestamp: number): void {
    this.#view.setUint8(offset, 0x80);
    this.#view.setUint8(offset + 1, type);
    this.#view.setUint16(offset + 2, sequence);
    this.#view.setUint32(offset + 4, timestamp);
    this.#view.setUint32(offset + 8, 0);
  }

  #seal(opusPacket: Uint8Array, sealing: AudioSealing): Uint8Array {
    writeAudioIv(this.#iv, sealing.keyId, this.#sequence);
    const cipher = createCipheriv('aes-128-cbc', sealing.key, this.#iv);
    return Buffer.concat([cipher.update(opusPacket), cipher.final()]);
  }
}

function slotOffset(slot: number): number {
  return PARITY_TABLE_BYTES + slot * SLOT_BYTES;
}
