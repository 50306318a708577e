/**
 * Bits of an H.264 raw byte sequence payload: fixed fields and Exp-Golomb numbers.
 * Reading past the end yields zeros and sets `isOverrun`; it never throws.
 * Source: ITU-T H.264 §7.2, §7.4.1.1, §9.1.
 */

/** Copy of a NAL unit's payload without the emulation prevention bytes (00 00 03). */
export function withoutEmulation(
  data: Uint8Array,
  fromBytes: number,
  endBytes: number,
): Uint8Array {
  const out = new Uint8Array(Math.max(0, endBytes - fromBytes));
  let length = 0;
  let zeros = 0;
  for (let at = fromBytes; at < endBytes; at += 1) {
    const value = data[at] ?? 0;
    if (zeros >= 2 && value === 3) {
      zeros = 0;
      continue;
    }
    zeros = value === 0 ? zeros + 1 : 0;
    out[length] = value;
    length += 1;
  }
  return out.subarray(0, length);
}

export class BitReader {
  readonly #bytes: Uint8Array;
  #bit = 0;
  isOverrun = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** u(n), n ≤ 32. */
  bits(count: number): number {
    let value = 0;
    for (let index = 0; index < count; index += 1) {
      const byte = this.#bytes[this.#bit >> 3];
      if (byte === undefined) this.isOverrun = true;
      value = value * 2 + (((byte ?? 0) >> (7 - (this.#bit & 7))) & 1);
      this.#bit += 1;
    }
    return value;
  }

  flag(): boolean {
    return this.bits(1) === 1;
  }

  /** ue(v). */
  unsigned(): number {
    let zeros = 0;
    while (zeros < 32 && !this.isOverrun && this.bits(1) === 0) zeros += 1;
    return 2 ** zeros - 1 + this.bits(zeros);
  }

  /** se(v). */
  signed(): number {
    const code = this.unsigned();
    return code % 2 === 1 ? (code + 1) / 2 : -code / 2;
  }
}
