/**
 * The receiving side of GameStream video: datagrams → shards → recovered blocks → access units.
 *
 * Follows what client programs do: a block is done as soon as any D of its shards arrived, and is
 * given up when a datagram of a later block or frame arrives. Bytes come from the network: nothing
 * throws, memory is bounded by one frame, and what breaks a sender's rules is counted as a fault.
 * Source: GameStream §9.1–§9.6.
 */
import { createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { BLOCK_DATA_SHARDS_LIMIT, parityShardsOfField } from '../fec/block-layout.ts';
import { BLOCK_SHARDS_MAX, recoverDataShards } from '../fec/cauchy.ts';
import {
  FLAG_END,
  FLAG_PICTURE,
  FLAG_START,
  FRAME_HEADER_BYTES,
  payloadBytesOf,
  RTP_HEADER_BYTES,
  SEAL_IV_BYTES,
  SEAL_PREFIX_BYTES,
  SEAL_TAG_BYTES,
  SEAL_TAG_OFFSET,
  VIDEO_HEADER_BYTES,
} from './gamestream-video-format.ts';

const FRAME_HEADER_SHORT = 0x01;

export interface ReceivedFrame {
  readonly kind: 'frame';
  readonly frameIndex: number;
  /** Byte 3 of the frame header. */
  readonly frameType: number;
  readonly rtpTimestamp: number;
  readonly latencyTenthMs: number;
  readonly accessUnit: Uint8Array<ArrayBuffer>;
  /** Data shards that came out of parity. */
  readonly recoveredShards: number;
}

/** Frames `first` … `last` will never be complete. */
export interface LostFrames {
  readonly kind: 'lost';
  readonly first: number;
  readonly last: number;
}

export type RefusalReason =
  | 'wrong-size'
  | 'not-video'
  | 'bad-tag'
  | 'stale'
  | 'impossible-block'
  | 'contradicts-block'
  | 'duplicate';

export type VideoEvent =
  | ReceivedFrame
  | LostFrames
  | { readonly kind: 'refused'; readonly reason: RefusalReason };

export interface VideoReceiverOptions {
  readonly packetSize: number;
  /** AES-128 key of a sealed stream, else null. */
  readonly key: Uint8Array | null;
}

interface ShardHeader {
  readonly sequence: number;
  readonly rtpTimestamp: number;
  readonly packetIndex: number;
  readonly frameIndex: number;
  readonly flags: number;
  readonly block: number;
  readonly lastBlock: number;
  readonly shard: number;
  readonly dataShards: number;
  readonly percentField: number;
}

interface OpenBlock {
  readonly first: ShardHeader;
  readonly parityShards: number;
  readonly shards: (Uint8Array | null)[];
  storedCount: number;
}

const STORED: readonly VideoEvent[] = [];

export class GameStreamVideoReceiver {
  /** Breaches of the sender's rules that do not hinder decoding; 0 for a correct sender. */
  faultCount = 0;
  /** What the last fault was, for messages. */
  lastFault = '';
  readonly #packetSize: number;
  readonly #payloadBytes: number;
  readonly #key: KeyObject | null;
  /** Frame that is being received or expected next. */
  #frameIndex = 1;
  #blockIndex = 0;
  /** A block of the frame was given up: ignore the rest of it. */
  #isFrameDead = false;
  #block: OpenBlock | null = null;
  /** Payload of the blocks that are done. */
  #payloads: Uint8Array[] = [];
  #recovered = 0;

  constructor(options: VideoReceiverOptions) {
    this.#packetSize = options.packetSize;
    this.#payloadBytes = payloadBytesOf(options.packetSize);
    this.#key = options.key ? createSecretKey(options.key) : null;
  }

  /** Takes one datagram; returns what it completed, gave up or was refused for. */
  receive(datagram: Uint8Array): readonly VideoEvent[] {
    const plain = this.#key ? this.#open(datagram, this.#key) : datagram;
    if (typeof plain === 'string') return refused(plain);
    const full = this.#packetSize + RTP_HEADER_BYTES;
    if (plain.length <= VIDEO_HEADER_BYTES || plain.length > full) return refused('wrong-size');
    if (((plain[0] ?? 0) & 0xd0) !== 0x90) return refused('not-video');
    const header = readHeader(plain);
    const parityShards = parityShardsOfField(header.dataShards, header.percentField);
    if (!isPossible(header, parityShards)) return refused('impossible-block');
    if (plain.length < full && header.shard !== header.dataShards - 1) return refused('wrong-size');
    if (header.frameIndex < this.#frameIndex) return refused('stale');
    const losses = this.#advanceTo(header);
    const stored = this.#store(header, parityShards, plain);
    return losses.length === 0 ? stored : [...losses, ...stored];
  }

  #open(datagram: Uint8Array, key: KeyObject): Uint8Array | RefusalReason {
    if (datagram.length <= SEAL_PREFIX_BYTES + VIDEO_HEADER_BYTES) return 'wrong-size';
    if (datagram.length > SEAL_PREFIX_BYTES + this.#packetSize + RTP_HEADER_BYTES) {
      return 'wrong-size';
    }
    const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.length);
    const frameIndex = view.getUint32(SEAL_IV_BYTES, true);
    if (frameIndex !== 0 && frameIndex < this.#frameIndex) return 'stale';
    const iv = datagram.subarray(0, SEAL_IV_BYTES);
    const decipher = createDecipheriv('aes-128-gcm', key, iv, { authTagLength: SEAL_TAG_BYTES });
    decipher.setAuthTag(datagram.subarray(SEAL_TAG_OFFSET, SEAL_TAG_OFFSET + SEAL_TAG_BYTES));
    const plain = decipher.update(datagram.subarray(SEAL_PREFIX_BYTES));
    try {
      decipher.final();
    } catch {
      return 'bad-tag';
    }
    return plain;
  }

  /** Gives up what lies before the header's block; returns the frames lost by that. */
  #advanceTo(header: ShardHeader): readonly VideoEvent[] {
    const losses: VideoEvent[] = [];
    if (header.frameIndex > this.#frameIndex) {
      const first = this.#isFrameDead ? this.#frameIndex + 1 : this.#frameIndex;
      if (first < header.frameIndex) {
        losses.push({ kind: 'lost', first, last: header.frameIndex - 1 });
      }
      this.#beginFrame(header.frameIndex);
    }
    if (header.block > this.#blockIndex && !this.#isFrameDead) {
      this.#isFrameDead = true;
      this.#block = null;
      this.#payloads = [];
      losses.push({ kind: 'lost', first: header.frameIndex, last: header.frameIndex });
    }
    return losses;
  }

  #beginFrame(frameIndex: number): void {
    this.#frameIndex = frameIndex;
    this.#blockIndex = 0;
    this.#isFrameDead = false;
    this.#block = null;
    this.#payloads = [];
    this.#recovered = 0;
  }

  #store(header: ShardHeader, parityShards: number, plain: Uint8Array): readonly VideoEvent[] {
    if (this.#isFrameDead || header.block < this.#blockIndex) return refused('stale');
    this.#block ??= {
      first: header,
      parityShards,
      shards: new Array(header.dataShards + parityShards).fill(null),
      storedCount: 0,
    };
    const block = this.#block;
    if (!isSameBlock(block.first, header)) return refused('contradicts-block');
    if (block.shards[header.shard]) return refused('duplicate');
    this.#checkNumbers(header, block.first);
    const shard = new Uint8Array(this.#packetSize + RTP_HEADER_BYTES);
    shard.set(plain);
    block.shards[header.shard] = shard;
    block.storedCount += 1;
    return block.storedCount < header.dataShards ? STORED : this.#finishBlock(block);
  }

  /** A sender's numbers rise together, shard by shard. */
  #checkNumbers(header: ShardHeader, first: ShardHeader): void {
    const distance = header.shard - first.shard;
    if (((first.sequence + distance) & 0xffff) !== header.sequence) this.#fault('sequence');
    if (header.shard >= header.dataShards) return;
    if (((header.packetIndex >>> 8) & 0xffff) !== header.sequence) this.#fault('packet index');
    if (header.flags !== flagsOf(header.shard, header.dataShards)) this.#fault('flags');
  }

  #finishBlock(block: OpenBlock): readonly VideoEvent[] {
    const { first } = block;
    const lost = block.shards.slice(0, first.dataShards).map((shard) => shard === null);
    // Bytes 0–15 are outside the code; offering the rest keeps the copied shards aligned.
    const coded = block.shards.map((shard) => shard?.subarray(RTP_HEADER_BYTES) ?? null);
    recoverDataShards(coded, first.dataShards, block.parityShards);
    for (let index = 0; index < first.dataShards; index += 1) {
      const shard = coded[index];
      if (!shard) continue;
      if (lost[index]) this.#checkRecovered(shard, index, first);
      this.#payloads.push(shard.subarray(VIDEO_HEADER_BYTES - RTP_HEADER_BYTES));
    }
    this.#block = null;
    this.#blockIndex += 1;
    return first.block === first.lastBlock ? this.#finishFrame(first) : STORED;
  }

  /** What parity carries of a header must be what the sender would have sent. */
  #checkRecovered(shard: Uint8Array, index: number, first: ShardHeader): void {
    this.#recovered += 1;
    const sequence = (first.sequence + index - first.shard) & 0xffff;
    const packetIndex = new DataView(shard.buffer, shard.byteOffset).getUint32(0, true);
    if (((packetIndex >>> 8) & 0xffff) !== sequence) this.#fault('recovered packet index');
    if (shard[8] !== flagsOf(index, first.dataShards)) this.#fault('recovered flags');
  }

  #finishFrame(first: ShardHeader): readonly VideoEvent[] {
    const payloads = this.#payloads;
    const recoveredShards = this.#recovered;
    const head = payloads[0] ?? new Uint8Array(this.#payloadBytes);
    const view = new DataView(head.buffer, head.byteOffset, head.length);
    const lastBytes = view.getUint16(4, true);
    const streamBytes = (payloads.length - 1) * this.#payloadBytes + lastBytes;
    this.#beginFrame(first.frameIndex + 1);
    const isHeader = head[0] === FRAME_HEADER_SHORT && lastBytes <= this.#payloadBytes;
    if (!isHeader || streamBytes <= FRAME_HEADER_BYTES) {
      this.#fault('frame header');
      return [{ kind: 'lost', first: first.frameIndex, last: first.frameIndex }];
    }
    const stream = new Uint8Array(payloads.length * this.#payloadBytes);
    payloads.forEach((payload, index) => {
      stream.set(payload, index * this.#payloadBytes);
    });
    if (stream.subarray(streamBytes).some((byte) => byte !== 0)) this.#fault('padding');
    return [
      {
        kind: 'frame',
        frameIndex: first.frameIndex,
        frameType: view.getUint8(3),
        rtpTimestamp: first.rtpTimestamp,
        latencyTenthMs: view.getUint16(1, true),
        accessUnit: stream.subarray(FRAME_HEADER_BYTES, streamBytes),
        recoveredShards,
      },
    ];
  }

  #fault(what: string): void {
    this.faultCount += 1;
    this.lastFault = what;
  }
}

function readHeader(plain: Uint8Array): ShardHeader {
  const view = new DataView(plain.buffer, plain.byteOffset, plain.length);
  const blockByte = view.getUint8(27);
  const description = view.getUint32(28, true);
  return {
    sequence: view.getUint16(2),
    rtpTimestamp: view.getUint32(4),
    packetIndex: view.getUint32(16, true),
    frameIndex: view.getUint32(20, true),
    flags: view.getUint8(24),
    block: (blockByte >>> 4) & 3,
    lastBlock: blockByte >>> 6,
    shard: (description >>> 12) & BLOCK_DATA_SHARDS_LIMIT,
    dataShards: description >>> 22,
    percentField: (description >>> 4) & 255,
  };
}

function isPossible(header: ShardHeader, parityShards: number): boolean {
  const { dataShards, percentField, shard, block, lastBlock } = header;
  if (dataShards === 0 || block > lastBlock || shard >= dataShards + parityShards) return false;
  return percentField === 0 || dataShards + parityShards <= BLOCK_SHARDS_MAX;
}

function isSameBlock(a: ShardHeader, b: ShardHeader): boolean {
  return (
    a.dataShards === b.dataShards &&
    a.percentField === b.percentField &&
    a.block === b.block &&
    a.lastBlock === b.lastBlock &&
    a.rtpTimestamp === b.rtpTimestamp
  );
}

function flagsOf(shard: number, dataShards: number): number {
  const start = shard === 0 ? FLAG_START : 0;
  const end = shard === dataShards - 1 ? FLAG_END : 0;
  return FLAG_PICTURE | start | end;
}

function refused(reason: RefusalReason): readonly VideoEvent[] {
  return [{ kind: 'refused', reason }];
}
