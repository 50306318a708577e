import { describe, expect, test } from 'bun:test';
import { BitReader, withoutEmulation } from '../../src/encode/bit-reader.ts';
import { parseSps, type SequenceParameters, spsProblem } from '../../src/encode/h264-sps.ts';
import { seededRandom } from '../support/random.ts';

/** Writes the fields of an SPS the way the standard lists them, for the parser to read back. */
class BitWriter {
  readonly #bits: number[] = [];

  bits(value: number, count: number): this {
    for (let bit = count - 1; bit >= 0; bit -= 1) this.#bits.push(Math.floor(value / 2 ** bit) % 2);
    return this;
  }

  ue(value: number): this {
    const code = value + 1;
    const length = Math.floor(Math.log2(code));
    return this.bits(0, length).bits(code, length + 1);
  }

  se(value: number): this {
    return this.ue(value > 0 ? value * 2 - 1 : -value * 2);
  }

  /** The payload with trailing bits and emulation prevention, behind the NAL header 0x67. */
  nal(): Uint8Array {
    const bits = [...this.#bits, 1];
    while (bits.length % 8 !== 0) bits.push(0);
    const out = [0x67];
    let zeros = 0;
    for (let index = 0; index < bits.length; index += 8) {
      const byte = bits.slice(index, index + 8).reduce((value, bit) => value * 2 + bit, 0);
      if (zeros >= 2 && byte <= 3) {
        out.push(3);
        zeros = 0;
      }
      zeros = byte === 0 ? zeros + 1 : 0;
      out.push(byte);
    }
    return Uint8Array.from(out);
  }
}

/** High profile with a scaling list, picture order type 1, cropping, timing and both HRDs. */
function fullSps(): Uint8Array {
  const writer = new BitWriter().bits(100, 8).bits(0, 8).bits(42, 8).ue(0);
  writer.ue(1).ue(0).ue(0).bits(0, 1).bits(1, 1);
  writer.bits(1, 1);
  for (let index = 0; index < 16; index += 1) writer.se(index % 3 === 0 ? -1 : 1);
  writer.bits(0, 7);
  writer.ue(4).ue(1).bits(0, 1).se(-3).se(2).ue(2).se(1).se(-1);
  writer.ue(4).bits(0, 1);
  // 121 x 68 macroblocks, cropped to 1922 x 1082.
  writer.ue(120).ue(67).bits(1, 1).bits(1, 1).bits(1, 1).ue(0).ue(7).ue(0).ue(3);
  writer.bits(1, 1);
  writer.bits(1, 1).bits(255, 8).bits(4, 16).bits(3, 16);
  writer.bits(1, 1).bits(0, 1);
  writer.bits(1, 1).bits(5, 3).bits(1, 1).bits(1, 1).bits(9, 8).bits(14, 8).bits(9, 8);
  writer.bits(1, 1).ue(2).ue(2);
  writer.bits(1, 1).bits(1, 32).bits(120, 32).bits(1, 1);
  for (let hrd = 0; hrd < 2; hrd += 1) {
    writer.bits(1, 1).ue(1).bits(0x21, 8);
    for (let entry = 0; entry < 2; entry += 1) writer.ue(1000).ue(2000).bits(0, 1);
    writer.bits(0x12345, 20);
  }
  writer.bits(0, 1).bits(0, 1);
  writer.bits(1, 1).bits(1, 1).ue(2).ue(1).ue(16).ue(16).ue(0).ue(4);
  return writer.nal();
}

const GOOD: SequenceParameters = {
  profileIdc: 100,
  levelIdc: 42,
  width: 1920,
  height: 1080,
  referenceFrames: 1,
  colour: { fullRange: false, primaries: 1, transfer: 1, matrix: 1 },
  restriction: { reorderFrames: 0, decodeBufferFrames: 1 },
};
const BT709 = { matrix: 'bt709', fullRange: false } as const;

describe('sequence parameter sets of H.264', () => {
  test('an SPS with every optional part is read field by field', () => {
    const nal = fullSps();
    expect(parseSps(nal, 0, nal.length)).toEqual({
      profileIdc: 100,
      levelIdc: 42,
      width: 1922,
      height: 1082,
      referenceFrames: 4,
      colour: { fullRange: true, primaries: 9, transfer: 14, matrix: 9 },
      restriction: { reorderFrames: 0, decodeBufferFrames: 4 },
    });
  });

  test('every truncation of an SPS is refused', () => {
    const nal = fullSps();
    for (let end = 0; end < nal.length - 1; end += 1) expect(parseSps(nal, 0, end)).toBeNull();
  });

  test('100 000 random and mutated inputs never throw', () => {
    const random = seededRandom('h264-sps');
    const good = fullSps();
    for (let round = 0; round < 100_000; round += 1) {
      const nal = round % 2 === 0 ? random.bytes(random.int(0, 40)) : good.slice();
      if (round % 2 === 1) nal[random.int(0, nal.length - 1)] = random.int(0, 255);
      parseSps(nal, 0, nal.length);
    }
  });

  test.each([
    ['bitstream restriction', { restriction: null }],
    ['reordered', { restriction: { reorderFrames: 2, decodeBufferFrames: 1 } }],
    ['decoder buffer', { restriction: { reorderFrames: 0, decodeBufferFrames: 4 } }],
    ['colour description', { colour: null }],
    ['other colours', { colour: { fullRange: true, primaries: 1, transfer: 1, matrix: 1 } }],
  ] as [string, Partial<SequenceParameters>][])('a fault is named: %s', (words, change) => {
    expect(spsProblem({ ...GOOD, ...change }, BT709, 0)).toContain(words);
  });

  test('references beyond the limit of the device are named; 0 sets none', () => {
    const five: SequenceParameters = {
      ...GOOD,
      referenceFrames: 5,
      restriction: { reorderFrames: 0, decodeBufferFrames: 5 },
    };
    expect(spsProblem(GOOD, BT709, 1)).toBeNull();
    expect(spsProblem(five, BT709, 0)).toBeNull();
    expect(spsProblem(five, BT709, 4)).toContain('5 reference frames, the limit is 4');
  });
});

describe('bit reader', () => {
  test('Exp-Golomb codes of the standard’s table 9-2 are read', () => {
    // 1 010 011 00100 00101 00110 00111 0001000
    const bits = new BitReader(
      Uint8Array.from([0b10100110, 0b01000010, 0b10011000, 0b11100010, 0]),
    );
    const codes = Array.from({ length: 8 }, () => bits.unsigned());
    expect(codes).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(bits.isOverrun).toBe(false);
  });

  test('signed codes alternate around zero', () => {
    const bits = new BitReader(Uint8Array.from([0b10100110, 0b01000010, 0b10000000]));
    expect(Array.from({ length: 5 }, () => bits.signed())).toEqual([-0, 1, -1, 2, -2]);
  });

  test('reading past the end yields zeros and is marked', () => {
    const bits = new BitReader(Uint8Array.from([0xff]));
    expect(bits.bits(8)).toBe(255);
    expect(bits.isOverrun).toBe(false);
    expect(bits.bits(4)).toBe(0);
    expect(bits.isOverrun).toBe(true);
  });

  test('emulation prevention bytes vanish, other threes stay', () => {
    const data = Uint8Array.from([0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 3, 0, 3]);
    expect([...withoutEmulation(data, 0, data.length)]).toEqual([0, 0, 1, 0, 0, 0, 0, 3, 0, 3]);
  });
});
