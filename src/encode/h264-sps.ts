/**
 * Reads a sequence parameter set far enough to check what hardware decoders need for one-frame
 * latency: no reordering, a decoder buffer of just the references, and the colour description.
 * Pure. Source: ITU-T H.264 §7.3.2.1.1, §E.1.1; GameStream §9.4.
 */
import type { ColourDescription } from '../session/mode.ts';
import { BitReader, withoutEmulation } from './bit-reader.ts';

export interface SequenceColour {
  readonly fullRange: boolean;
  /** H.273 code points. */
  readonly primaries: number;
  readonly transfer: number;
  readonly matrix: number;
}

export interface SequenceParameters {
  readonly profileIdc: number;
  readonly levelIdc: number;
  /** After cropping. */
  readonly width: number;
  readonly height: number;
  readonly referenceFrames: number;
  readonly colour: SequenceColour | null;
  /** Null when bitstream_restriction_flag is 0. */
  readonly restriction: {
    readonly reorderFrames: number;
    readonly decodeBufferFrames: number;
  } | null;
}

/** H.273 code points per matrix family: [primaries, transfer, matrix]. */
export const COLOUR_CODES = {
  bt601: [6, 6, 6],
  bt709: [1, 1, 1],
  bt2020: [9, 14, 9],
} as const;

const PROFILES_WITH_CHROMA = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128]);
const EXTENDED_SAR = 255;
const REFERENCES_MAX = 16;

/** Parses the SPS whose NAL header byte lies at `headerBytes`; null when it is not a whole one. */
export function parseSps(
  data: Uint8Array,
  headerBytes: number,
  endBytes: number,
): SequenceParameters | null {
  const bits = new BitReader(withoutEmulation(data, headerBytes + 1, endBytes));
  const profileIdc = bits.bits(8);
  bits.bits(8);
  const levelIdc = bits.bits(8);
  bits.unsigned();
  const chromaFormat = PROFILES_WITH_CHROMA.has(profileIdc) ? readChroma(bits) : 1;
  bits.unsigned();
  readPictureOrder(bits);
  const referenceFrames = bits.unsigned();
  bits.flag();
  const widthMbs = bits.unsigned() + 1;
  const heightUnits = bits.unsigned() + 1;
  const isProgressive = bits.flag();
  if (!isProgressive) bits.flag();
  bits.flag();
  const cropX = chromaFormat === 1 || chromaFormat === 2 ? 2 : 1;
  const cropY = (chromaFormat === 1 ? 2 : 1) * (isProgressive ? 1 : 2);
  const crop = bits.flag()
    ? [bits.unsigned(), bits.unsigned(), bits.unsigned(), bits.unsigned()]
    : [0, 0, 0, 0];
  const [left = 0, right = 0, top = 0, bottom = 0] = crop;
  const vui = bits.flag() ? readVui(bits) : { colour: null, restriction: null };
  if (bits.isOverrun || referenceFrames > REFERENCES_MAX) return null;
  return {
    profileIdc,
    levelIdc,
    width: widthMbs * 16 - cropX * (left + right),
    height: heightUnits * 16 * (isProgressive ? 1 : 2) - cropY * (top + bottom),
    referenceFrames,
    ...vui,
  };
}

/** Sentence naming what would cost a device latency or colour, or null when the SPS is right. */
export function spsProblem(
  sps: SequenceParameters,
  colour: ColourDescription,
  referenceFramesMax: number,
): string | null {
  if (sps.restriction === null) return 'the SPS has no bitstream restriction';
  if (sps.restriction.reorderFrames !== 0) return 'the SPS allows reordered frames';
  if (sps.restriction.decodeBufferFrames !== sps.referenceFrames) {
    return 'the SPS asks for a larger decoder buffer than its references need';
  }
  if (referenceFramesMax > 0 && sps.referenceFrames > referenceFramesMax) {
    return `the SPS has ${sps.referenceFrames} reference frames, the limit is ${referenceFramesMax}`;
  }
  if (sps.colour === null) return 'the SPS has no colour description';
  const [primaries, transfer, matrix] = COLOUR_CODES[colour.matrix];
  const isRight =
    sps.colour.primaries === primaries &&
    sps.colour.transfer === transfer &&
    sps.colour.matrix === matrix &&
    sps.colour.fullRange === colour.fullRange;
  return isRight ? null : `the SPS says other colours than ${colour.matrix}`;
}

function readChroma(bits: BitReader): number {
  const chromaFormat = bits.unsigned();
  if (chromaFormat === 3) bits.flag();
  bits.unsigned();
  bits.unsigned();
  bits.flag();
  if (!bits.flag()) return chromaFormat;
  const lists = chromaFormat === 3 ? 12 : 8;
  for (let list = 0; list < lists; list += 1) {
    if (bits.flag()) skipScalingList(bits, list < 6 ? 16 : 64);
  }
  return chromaFormat;
}

function skipScalingList(bits: BitReader, size: number): void {
  let last = 8;
  let next = 8;
  for (let index = 0; index < size; index += 1) {
    if (next !== 0) next = (last + bits.signed() + 256) % 256;
    if (next !== 0) last = next;
  }
}

function readPictureOrder(bits: BitReader): void {
  const type = bits.unsigned();
  if (type === 0) bits.unsigned();
  if (type !== 1) return;
  bits.flag();
  bits.signed();
  bits.signed();
  const cycle = Math.min(bits.unsigned(), 255);
  for (let index = 0; index < cycle; index += 1) bits.signed();
}

function readVui(bits: BitReader): Pick<SequenceParameters, 'colour' | 'restriction'> {
  if (bits.flag() && bits.bits(8) === EXTENDED_SAR) bits.bits(32);
  if (bits.flag()) bits.flag();
  let colour: SequenceColour | null = null;
  if (bits.flag()) {
    bits.bits(3);
    const fullRange = bits.flag();
    if (bits.flag()) {
      colour = {
        fullRange,
        primaries: bits.bits(8),
        transfer: bits.bits(8),
        matrix: bits.bits(8),
      };
    }
  }
  if (bits.flag()) {
    bits.unsigned();
    bits.unsigned();
  }
  if (bits.flag()) {
    bits.bits(32);
    bits.bits(32);
    bits.flag();
  }
  const hasNalHrd = bits.flag();
  if (hasNalHrd) skipHrd(bits);
  const hasVclHrd = bits.flag();
  if (hasVclHrd) skipHrd(bits);
  if (hasNalHrd || hasVclHrd) bits.flag();
  bits.flag();
  if (!bits.flag()) return { colour, restriction: null };
  bits.flag();
  for (let field = 0; field < 4; field += 1) bits.unsigned();
  return {
    colour,
    restriction: { reorderFrames: bits.unsigned(), decodeBufferFrames: bits.unsigned() },
  };
}

function skipHrd(bits: BitReader): void {
  const count = Math.min(bits.unsigned() + 1, 32);
  bits.bits(8);
  for (let index = 0; index < count; index += 1) {
    bits.unsigned();
    bits.unsigned();
    bits.flag();
  }
  bits.bits(20);
}
