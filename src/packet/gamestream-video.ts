/**
 * One access unit becomes the datagrams of one GameStream frame, block by block, in place.
 *
 * The caller owns a slot area in the kernel's memory; a block's datagrams lie there back to back, so
 * the kernel can cut them out of one buffer. Nothing is allocated per frame or per packet. Order per
 * block: headers and payload of the data shards, parity over them, then the fields that parity does
 * not carry into the parity shards. Source: GameStream §9.1, §9.3, §9.5.
 */
import {
  BLOCK_DATA_SHARDS_LIMIT,
  BLOCKS_MAX,
  type BlockLayout,
  emptyLayout,
  layOutBlocks,
  maxDataShards,
  type ParityRule,
  parityShardsOfField,
  percentFieldFor,
} from '../fec/block-layout.ts';
import type { ParityKernel } from '../fec/parity-kernel.ts';
import {
  datagramBytesOf,
  FLAG_END,
  FLAG_PICTURE,
  FLAG_START,
  FRAME_HEADER_BYTES,
  isUsablePacketSize,
  payloadBytesOf,
  RTP_HEADER_BYTES,
  SEAL_PREFIX_BYTES,
  VIDEO_HEADER_BYTES,
  type VideoPacketFormat,
} from './gamestream-video-format.ts';
import type { SlotArea, VideoSealer } from './gamestream-video-seal.ts';

/** Slots a block can need: 255 with parity, 1023 in an oversize frame without. */
export const BLOCK_SLOTS_MAX = BLOCK_DATA_SHARDS_LIMIT;

/** 0x90, type 0, as the low bytes of a little-endian word. */
const RTP_FIRST_BYTES = 0x0090;
const MULTI_FEC_FLAGS = 0x10;

/** What the packetizer is told about one frame; one object may be reused. */
export interface VideoFrame {
  /** Where the access unit lies in the memory. */
  offsetBytes: number;
  /** ≥ 1. */
  lengthBytes: number;
  /** From 1, rising by one per sent frame. */
  frameIndex: number;
  /** 90 kHz, never 0. */
  rtpTimestamp: number;
  /** Byte 3 of the frame header, see FRAME_TYPE. */
  frameType: number;
  /** Capture to packetizer in 0.1 ms, 0…65535; 0: unknown. */
  latencyTenthMs: number;
}

/** Largest access unit that still fits four protected blocks: the cap for the encoder, in bytes. */
export function maxAccessUnitBytes(format: VideoPacketFormat): number {
  const shards = BLOCKS_MAX * maxDataShards(format);
  return shards * payloadBytesOf(format.packetSize) - FRAME_HEADER_BYTES;
}

/** Largest access unit that can be sent at all, then without parity, in bytes. */
export function maxSendableBytes(format: VideoPacketFormat): number {
  const shards = BLOCKS_MAX * BLOCK_DATA_SHARDS_LIMIT;
  return shards * payloadBytesOf(format.packetSize) - FRAME_HEADER_BYTES;
}

export class GameStreamVideoPacketizer {
  /** Datagrams of the frame begun last, all blocks, data and parity. */
  datagramCount = 0;
  /** Whether the frame begun last needs more than four protected blocks. */
  isOversize = false;
  readonly datagramBytes: number;
  readonly #rule: ParityRule;
  readonly #maxShards: number;
  readonly #payloadBytes: number;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  /** Offset of the first slot's plain datagram. */
  readonly #plainOffset: number;
  readonly #kernel: ParityKernel;
  readonly #sealer: VideoSealer | null;
  readonly #layout: BlockLayout = emptyLayout();
  readonly #lastRule: { parityPct: number; minParityShards: number };
  readonly #frame: VideoFrame = {
    offsetBytes: 0,
    lengthBytes: 0,
    frameIndex: 0,
    rtpTimestamp: 0,
    frameType: 0,
    latencyTenthMs: 0,
  };
  #sequence = 0;
  #nextBlock = 0;

  /**
   * @param slots at least {@link BLOCK_SLOTS_MAX} slots of the format's datagram size, in the
   * memory the kernel is bound to
   * @param sealer required exactly when the format says `sealVideo`
   * @param maxShards data shards per block; smaller than the code allows only in tests
   */
  constructor(
    format: VideoPacketFormat,
    slots: SlotArea,
    kernel: ParityKernel,
    sealer: VideoSealer | null,
    maxShards: number = maxDataShards(format),
  ) {
    if (!isUsablePacketSize(format.packetSize)) {
      throw new RangeError(`packet size ${format.packetSize} is not a usable multiple of 16`);
    }
    if (format.sealVideo !== (sealer !== null)) {
      throw new RangeError('a sealed format needs a sealer, a plain one must have none');
    }
    this.datagramBytes = datagramBytesOf(format);
    if (slots.slotBytes !== this.datagramBytes || slots.slotCount < BLOCK_SLOTS_MAX) {
      throw new RangeError('the slot area does not fit the packet format');
    }
    this.#rule = format;
    this.#lastRule = { parityPct: 0, minParityShards: format.minParityShards };
    this.#maxShards = maxShards;
    this.#payloadBytes = payloadBytesOf(format.packetSize);
    this.#bytes = new Uint8Array(slots.memory);
    this.#words = new Uint32Array(slots.memory);
    this.#plainOffset = slots.offsetBytes + (format.sealVideo ? SEAL_PREFIX_BYTES : 0);
    this.#kernel = kernel;
    this.#sealer = sealer;
  }

  /**
   * Lays out a frame; its blocks are then made one by one with {@link nextBlock}.
   * @returns false when the access unit cannot be sent (empty, or above {@link maxSendableBytes})
   */
  begin(frame: Readonly<VideoFrame>): boolean {
    const layout = this.#layout;
    const streamBytes = frame.lengthBytes + FRAME_HEADER_BYTES;
    const shardCount = Math.ceil(streamBytes / this.#payloadBytes);
    this.#nextBlock = 0;
    this.datagramCount = 0;
    const fits = layOutBlocks(shardCount, this.#maxShards, this.#rule.parityPct, layout);
    this.isOversize = layout.isOversize;
    if (frame.lengthBytes < 1 || !fits) {
      layout.blockCount = 0;
      return false;
    }
    Object.assign(this.#frame, frame);
    this.#lastRule.parityPct = layout.parityPct;
    const full = parityShardsOfField(layout.dataShards, this.#fieldOf(layout.dataShards));
    const last = parityShardsOfField(layout.lastDataShards, this.#fieldOf(layout.lastDataShards));
    this.datagramCount = shardCount + (layout.blockCount - 1) * full + last;
    return true;
  }

  /** Whether the frame begun last has blocks that are not made yet. */
  get hasBlocks(): boolean {
    return this.#nextBlock < this.#layout.blockCount;
  }

  /** Makes the next block in slots 0 … n − 1, plain; returns n, or 0 when the frame is done. */
  nextBlock(): number {
    const layout = this.#layout;
    const block = this.#nextBlock;
    if (block >= layout.blockCount) return 0;
    this.#nextBlock = block + 1;
    const isLast = block === layout.blockCount - 1;
    const dataShards = isLast ? layout.lastDataShards : layout.dataShards;
    const field = this.#fieldOf(dataShards);
    const parityShards = parityShardsOfField(dataShards, field);
    const blockByte = (block << 4) | ((layout.blockCount - 1) << 6);
    this.#writeData(block * layout.dataShards, dataShards, blockByte);
    const stride = this.datagramBytes;
    if (parityShards > 0) {
      // Bytes 0–15 of every shard are rewritten below, so parity starts after them.
      const from = this.#plainOffset + RTP_HEADER_BYTES;
      const to = from + dataShards * stride;
      const bytes = this.#payloadBytes + (VIDEO_HEADER_BYTES - RTP_HEADER_BYTES);
      this.#kernel.encode(from, dataShards, to, parityShards, stride, bytes);
    }
    this.#writeCommon(dataShards, parityShards, blockByte, field);
    return dataShards + parityShards;
  }

  /** Seals slots `first` … of the block made last; does nothing in a plain format. */
  seal(first: number, count: number): void {
    this.#sealer?.seal(first, count, this.#frame.frameIndex);
  }

  #fieldOf(dataShards: number): number {
    return percentFieldFor(dataShards, this.#lastRule);
  }

  /** Fields that parity covers, and the payload, of the data shards from frame shard `firstShard`. */
  #writeData(firstShard: number, dataShards: number, blockByte: number): void {
    const words = this.#words;
    const frame = this.#frame;
    const payload = this.#payloadBytes;
    const fixed = (MULTI_FEC_FLAGS << 16) | (blockByte << 24);
    for (let index = 0; index < dataShards; index += 1) {
      const offset = this.#plainOffset + index * this.datagramBytes;
      const word = offset >>> 2;
      let flags = FLAG_PICTURE;
      if (index === 0) flags |= FLAG_START;
      if (index === dataShards - 1) flags |= FLAG_END;
      words[word + 4] = ((this.#sequence + index) & 0xffffff) << 8;
      words[word + 5] = frame.frameIndex;
      words[word + 6] = flags | fixed;
      words[word + 7] = 0;
      this.#writePayload(offset + VIDEO_HEADER_BYTES, (firstShard + index) * payload);
    }
  }

  /** Bytes `from` … of `frame header ‖ access unit`, padded with zeros to a full shard. */
  #writePayload(target: number, from: number): void {
    const frame = this.#frame;
    const payload = this.#payloadBytes;
    let start = from - FRAME_HEADER_BYTES;
    let room = payload;
    let at = target;
    if (from === 0) {
      const lastBytes = (frame.lengthBytes + FRAME_HEADER_BYTES) % payload || payload;
      const word = target >>> 2;
      this.#words[word] = 1 | (frame.latencyTenthMs << 8) | (frame.frameType << 24);
      this.#words[word + 1] = lastBytes;
      start = 0;
      room -= FRAME_HEADER_BYTES;
      at += FRAME_HEADER_BYTES;
    }
    const copied = Math.min(room, frame.lengthBytes - start);
    const source = frame.offsetBytes + start;
    if (copied > 0) this.#bytes.copyWithin(at, source, source + copied);
    if (copied < room) this.#bytes.fill(0, at + Math.max(copied, 0), at + room);
  }

  /** RTP header, frame index, block byte and shard description of all shards; takes their numbers. */
  #writeCommon(dataShards: number, parityShards: number, blockByte: number, field: number): void {
    const words = this.#words;
    const timestamp = swap32(this.#frame.rtpTimestamp);
    const description = (dataShards << 22) | (field << 4);
    const total = dataShards + parityShards;
    for (let index = 0; index < total; index += 1) {
      const offset = this.#plainOffset + index * this.datagramBytes;
      const word = offset >>> 2;
      const sequence = this.#sequence + index;
      words[word] = RTP_FIRST_BYTES | ((sequence & 0xff00) << 8) | ((sequence & 0xff) << 24);
      words[word + 1] = timestamp;
      words[word + 2] = 0;
      words[word + 3] = 0;
      words[word + 7] = description | (index << 12);
      if (index >= dataShards) {
        words[word + 5] = this.#frame.frameIndex;
        this.#bytes[offset + 27] = blockByte;
      }
    }
    this.#sequence = (this.#sequence + total) & 0xffffff;
  }
}

function swap32(value: number): number {
  return (
    (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | ((value >>> 24) & 0xff)
  );
}
