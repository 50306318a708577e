/**
 * Sealing of video datagrams: AES-128-GCM in place, 32-byte prefix, no associated data.
 *
 * The IV is a 64-bit packet counter, zeros, and `V` in byte 11. It never repeats under one key: the
 * counter starts at 1 and only rises, and every session has a key of its own.
 * Source: GameStream §9.6.
 */
import { createCipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { SEAL_IV_BYTES, SEAL_PREFIX_BYTES, SEAL_TAG_OFFSET } from './gamestream-video-format.ts';

const IV_DIRECTION_VIDEO = 0x56;

/** Slots of equal size in one memory; slot i starts at `offsetBytes + i * slotBytes`. */
export interface SlotArea {
  readonly memory: SharedArrayBuffer | ArrayBuffer;
  /** Multiple of 16. */
  readonly offsetBytes: number;
  readonly slotBytes: number;
  readonly slotCount: number;
}

export interface VideoSealer {
  /** Seals the plain datagrams (prefix space in front) in slots `first` … `first + count - 1`. */
  seal(first: number, count: number, frameIndex: number): void;
}

/** Writes the IV of packet `counter` (1 … 2^53) to `into` at `offset`. */
export function writeVideoIv(into: Uint8Array, offset: number, counter: number): void {
  let low = counter >>> 0;
  let high = Math.floor(counter / 2 ** 32);
  for (let index = 0; index < 4; index += 1) {
    into[offset + index] = low & 255;
    into[offset + 4 + index] = high & 255;
    low >>>= 8;
    high >>>= 8;
  }
  into.fill(0, offset + 8, offset + SEAL_IV_BYTES);
  into[offset + SEAL_IV_BYTES - 1] = IV_DIRECTION_VIDEO;
}

/** Sealer on the runtime's own AES; works on every machine. */
export class RuntimeVideoSealer implements VideoSealer {
  readonly #key: KeyObject;
  readonly #iv = new Uint8Array(new ArrayBuffer(SEAL_IV_BYTES));
  /** One view per slot, made once: views per packet would be garbage per packet. */
  readonly #prefixes: Uint8Array[];
  readonly #bodies: Uint8Array[];
  #counter = 1;

  constructor(key: Uint8Array, slots: SlotArea) {
    this.#key = createSecretKey(key);
    const { memory, offsetBytes, slotBytes, slotCount } = slots;
    const view = (index: number, from: number, to: number) =>
      new Uint8Array(memory, offsetBytes + index * slotBytes + from, to - from);
    this.#prefixes = Array.from({ length: slotCount }, (_, i) => view(i, 0, SEAL_PREFIX_BYTES));
    this.#bodies = Array.from({ length: slotCount }, (_, i) =>
      view(i, SEAL_PREFIX_BYTES, slotBytes),
    );
  }

  seal(first: number, count: number, frameIndex: number): void {
    const iv = this.#iv;
    for (let index = first; index < first + count; index += 1) {
      const prefix = this.#prefixes[index];
      const body = this.#bodies[index];
      if (!prefix || !body) return;
      writeVideoIv(iv, 0, this.#counter);
      this.#counter += 1;
      const cipher = createCipheriv('aes-128-gcm', this.#key, iv);
      body.set(cipher.update(body));
      cipher.final();
      prefix.set(iv);
      prefix[12] = frameIndex & 255;
      prefix[13] = (frameIndex >>> 8) & 255;
      prefix[14] = (frameIndex >>> 16) & 255;
      prefix[15] = frameIndex >>> 24;
      prefix.set(cipher.getAuthTag(), SEAL_TAG_OFFSET);
    }
  }
}
