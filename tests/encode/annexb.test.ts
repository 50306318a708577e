import { describe, expect, test } from 'bun:test';
import {
  cleanAccessUnit,
  forEachNal,
  leadProblem,
  NAL,
  newAccessUnitLead,
  nextStartCode,
} from '../../src/encode/annexb.ts';
import { seededRandom } from '../support/random.ts';

const SHORT = [0, 0, 1];
const LONG = [0, 0, 0, 1];
const SPS = [...LONG, 0x67, 0x64, 0x00, 0x20];
const PPS = [...LONG, 0x68, 0xee, 0x3c, 0x80];
const AUD = [...LONG, 0x09, 0xf0];
const FILLER = [...SHORT, 0x0c, 0xff, 0xff, 0x80];
const IDR_SLICE = [...SHORT, 0x65, 0x88, 0x84, 0x21];
const P_SLICE = [...LONG, 0x41, 0x9a, 0x02, 0x33];
/** Payload type 5, 18 bytes with an emulation prevention byte inside. */
const USER_DATA = [
  ...SHORT,
  ...[0x06, 0x05, 0x12],
  ...Array.from({ length: 15 }, (_, index) => 0x40 + index),
  ...[0, 0, 3, 1],
  0x80,
];
/** Payload type 6, recovery point. */
const RECOVERY_POINT = [...SHORT, 0x06, 0x06, 0x01, 0xc4, 0x80];

function clean(...parts: number[][]) {
  const data = Uint8Array.from(parts.flat());
  const lead = newAccessUnitLead();
  const isUnit = cleanAccessUnit(data, data.length, lead);
  return { isUnit, lead, bytes: [...data.subarray(0, lead.lengthBytes)] };
}

describe('access units in Annex B form', () => {
  test('start codes of three and four bytes are found at their first byte', () => {
    const data = Uint8Array.from([9, 0, 0, 1, 5, 0, 0, 0, 1, 7, 0, 0, 2, 0, 1]);
    expect(nextStartCode(data, 0)).toBe(1);
    expect(nextStartCode(data, 2)).toBe(5);
    expect(nextStartCode(data, 6)).toBe(6);
    expect(nextStartCode(data, 7)).toBe(data.length);
  });

  test('every unit is visited with its bounds', () => {
    const found: [number, number, number][] = [];
    forEachNal(Uint8Array.from([...SPS, ...PPS, ...IDR_SLICE]), (...nal) => found.push(nal));
    expect(found).toEqual([
      [NAL.sps, 0, 8],
      [NAL.pps, 8, 16],
      [NAL.idrSlice, 16, 23],
    ]);
  });

  test('delimiter, filler and user data in front of an IDR are dropped, the rest keeps its order', () => {
    const { isUnit, lead, bytes } = clean(AUD, SPS, PPS, USER_DATA, FILLER, IDR_SLICE, IDR_SLICE);
    expect(isUnit).toBe(true);
    expect(bytes).toEqual([...SPS, ...PPS, ...IDR_SLICE, ...IDR_SLICE]);
    expect(lead).toMatchObject({ isIdr: true, hasSps: true, hasPps: true, firstSliceBytes: 16 });
    expect(leadProblem(lead, 24)).toBeNull();
  });

  test('zeros behind a dropped unit do not save it', () => {
    const { bytes } = clean(SPS, PPS, [...USER_DATA, 0, 0, 0], AUD, IDR_SLICE);
    expect(bytes).toEqual([...SPS, ...PPS, ...IDR_SLICE]);
  });

  test('SEI other than user data stays', () => {
    const { bytes } = clean(SPS, PPS, RECOVERY_POINT, USER_DATA, IDR_SLICE);
    expect(bytes).toEqual([...SPS, ...PPS, ...RECOVERY_POINT, ...IDR_SLICE]);
  });

  test('a P picture is left as it is and is no IDR', () => {
    const { lead, bytes } = clean(P_SLICE, P_SLICE);
    expect(bytes).toEqual([...P_SLICE, ...P_SLICE]);
    expect(lead).toMatchObject({ isIdr: false, firstSliceBytes: 0 });
    expect(leadProblem(lead, 8)).toBeNull();
  });

  test('violations of the lead are named', () => {
    expect(leadProblem(clean(SPS, IDR_SLICE).lead, 900)).toContain('parameter sets');
    expect(leadProblem(clean(SPS, PPS, IDR_SLICE).lead, 23)).toContain('byte 16');
    expect(leadProblem(clean(SPS, PPS).lead, 900)).toContain('no slice');
  });

  test.each([
    ['nothing', []],
    ['one zero', [0]],
    ['a lone start code', LONG],
    ['a unit without a slice', SPS],
    ['bytes without a start code', [1, 2, 3, 4, 5, 6]],
  ])('%s is no access unit', (_, bytes) => {
    expect(clean(bytes).isUnit).toBe(false);
  });

  test('more than 32 units in front of a slice are no access unit', () => {
    const many = Array.from({ length: 33 }, () => PPS);
    expect(clean(...many.slice(1), IDR_SLICE).isUnit).toBe(false);
    expect(clean(...many.slice(2), IDR_SLICE).isUnit).toBe(true);
  });

  test('100 000 hostile inputs neither throw nor grow, and cleaning twice changes nothing', () => {
    const random = seededRandom('annexb');
    const pieces = [SPS, PPS, AUD, FILLER, IDR_SLICE, P_SLICE, USER_DATA, RECOVERY_POINT];
    const lead = newAccessUnitLead();
    const again = newAccessUnitLead();
    for (let round = 0; round < 100_000; round += 1) {
      const parts: number[] = [];
      for (let piece = random.int(0, 5); piece > 0; piece -= 1) {
        const known = pieces[random.int(0, pieces.length)];
        parts.push(...(known ?? random.bytes(random.int(0, 12)).map((byte) => byte & 3)));
      }
      const data = Uint8Array.from(parts);
      const isUnit = cleanAccessUnit(data, data.length, lead);
      expect(lead.lengthBytes).toBeLessThanOrEqual(data.length);
      if (!isUnit) continue;
      const before = data.slice(0, lead.lengthBytes);
      if (!cleanAccessUnit(data, lead.lengthBytes, again)) throw new Error('no longer a unit');
      if (Buffer.compare(before, data.subarray(0, again.lengthBytes)) !== 0) {
        throw new Error(`not idempotent: ${Buffer.from(parts).toString('hex')}`);
      }
    }
  });
});
