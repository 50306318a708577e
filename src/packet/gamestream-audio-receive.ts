/**
 * The device's side of GameStream audio: datagrams → Opus packets, with recovery of up to two lost
 * packets of a block of four. Used by our own test device; written from the wire format, not from
 * the host's packetizer.
 */
import { createDecipheriv } from 'node:crypto';
import { inverse, multiply } from '../fec/gf256.ts';
import {
  AUDIO_DATA_SHARDS,
  AUDIO_DATAGRAM_BYTES_MAX,
  AUDIO_HEADER_BYTES,
  AUDIO_PARITY_HEADER_BYTES,
  AUDIO_PARITY_MATRIX,
  AUDIO_PARITY_SHARDS,
  type AudioSealing,
  writeAudioIv,
} from './gamestream-audio.ts';

/** Blocks kept while their packets arrive. */
const BLOCKS_MAX = 8;

export interface ReceivedAudio {
  readonly sequence: number;
  readonly opusPacket: Uint8Array;
  readonly isRecovered: boolean;
}

interface Block {
  readonly base: number;
  readonly data: (Uint8Array | null)[];
  readonly parity: (Uint8Array | null)[];
  isFinished: boolean;
}

export class AudioReceiver {
  readonly #sealing: AudioSealing | null;
  readonly #blocks: Block[] = [];
  malformedCount = 0;
  recoveredCount = 0;

  constructor(sealing: AudioSealing | null) {
    this.#sealing = sealing;
  }

  /** Packets that became known by this datagram; empty for a duplicate or a malformed one. */
  push(datagram: Uint8Array): ReceivedAudio[] {
    const isSane =
      datagram.length > AUDIO_HEADER_BYTES &&
      datagram.length <= AUDIO_DATAGRAM_BYTES_MAX &&
      datagram[0] === 0x80;
    const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
    if (isSane && datagram[1] === 97) return this.#pushData(view, datagram);
    if (isSane && datagram[1] === 127 && datagram.length > AUDIO_PARITY_HEADER_BYTES) {
      return this.#pushParity(view, datagram);
    }
    this.malformedCount += 1;
    return [];
  }

  #pushData(view: DataView, datagram: Uint8Array): ReceivedAudio[] {
    const sequence = view.getUint16(2);
    const block = this.#blockOf(sequence & ~3 & 0xffff);
    const index = sequence & 3;
    if (block.data[index]) return [];
    const payload = datagram.slice(AUDIO_HEADER_BYTES);
    block.data[index] = payload;
    return [...this.#deliver(sequence, payload, false), ...this.#recover(block)];
  }

  #pushParity(view: DataView, datagram: Uint8Array): ReceivedAudio[] {
    const row = view.getUint8(12);
    const base = view.getUint16(14);
    if (row >= AUDIO_PARITY_SHARDS || base % AUDIO_DATA_SHARDS !== 0) {
      this.malformedCount += 1;
      return [];
    }
    const block = this.#blockOf(base);
    if (block.parity[row]) return [];
    block.parity[row] = datagram.slice(AUDIO_PARITY_HEADER_BYTES);
    return this.#recover(block);
  }

  #blockOf(base: number): Block {
    const known = this.#blocks.find((block) => block.base === base);
    if (known) return known;
    const block: Block = {
      base,
      data: new Array(AUDIO_DATA_SHARDS).fill(null),
      parity: new Array(AUDIO_PARITY_SHARDS).fill(null),
      isFinished: false,
    };
    this.#blocks.push(block);
    if (this.#blocks.length > BLOCKS_MAX) this.#blocks.shift();
    return block;
  }

  #recover(block: Block): ReceivedAudio[] {
    const missing = [0, 1, 2, 3].filter((index) => block.data[index] === null);
    const rows = [0, 1].filter((row) => block.parity[row] !== null);
    if (block.isFinished || missing.length === 0 || missing.length > rows.length) return [];
    block.isFinished = true;
    const solved = solve(block, missing, rows.slice(0, missing.length));
    return solved.flatMap((payload, order) => {
      const index = missing[order] ?? 0;
      block.data[index] = payload;
      this.recoveredCount += 1;
      return this.#deliver((block.base + index) & 0xffff, payload, true);
    });
  }

  #deliver(sequence: number, payload: Uint8Array, isRecovered: boolean): ReceivedAudio[] {
    if (!this.#sealing) return [{ sequence, opusPacket: payload, isRecovered }];
    const iv = new Uint8Array(16);
    writeAudioIv(iv, this.#sealing.keyId, sequence);
    try {
      const decipher = createDecipheriv('aes-128-cbc', this.#sealing.key, iv);
      const opusPacket = Buffer.concat([decipher.update(payload), decipher.final()]);
      return [{ sequence, opusPacket, isRecovered }];
    } catch {
      this.malformedCount += 1;
      return [];
    }
  }
}

/** Solves for one or two missing payloads by elimination over GF(2^8). */
function solve(block: Block, missing: number[], rows: number[]): Uint8Array[] {
  const factor = (row: number, column: number): number => AUDIO_PARITY_MATRIX[row]?.[column] ?? 0;
  const sums = rows.map((row) => {
    const sum = Uint8Array.from(block.parity[row] ?? []);
    block.data.forEach((payload, column) => {
      if (!payload) return;
      for (let at = 0; at < sum.length; at += 1) {
        sum[at] = (sum[at] ?? 0) ^ multiply(factor(row, column), payload[at] ?? 0);
      }
    });
    return sum;
  });
  const [first, second] = sums;
  const [rowA = 0, rowB = 0] = rows;
  const [columnX = 0, columnY = 0] = missing;
  if (!first) return [];
  if (!second) {
    const scale = inverse(factor(rowA, columnX));
    return [first.map((value) => multiply(scale, value))];
  }
  const [a, b, c, d] = [
    factor(rowA, columnX),
    factor(rowA, columnY),
    factor(rowB, columnX),
    factor(rowB, columnY),
  ];
  const scale = inverse(multiply(a, d) ^ multiply(b, c));
  return [
    first.map((value, at) => multiply(scale, multiply(d, value) ^ multiply(b, second[at] ?? 0))),
    first.map((value, at) => multiply(scale, multiply(c, value) ^ multiply(a, second[at] ?? 0))),
  ];
}
