/**
 * What both x264 rungs (system library and embedded addon) set, in one place: rate control of one
 * frame, slice threads, colour labels. Pure.
 * Source: x264 documentation; H.273 colour names; rates as GameStream clients expect them.
 */
import type { ColourMatrix } from '../session/mode.ts';
import type { EncoderInput, EncoderParameters } from './port.ts';

/** Software H.264 above this costs quality nothing and CPU much. */
export const SOFTWARE_BITRATE_MAX_KBPS = 100_000;
/** Below this even a still picture breaks its one-frame buffer. */
const BITRATE_MIN_KBPS = 100;
/** More slices than this cost compression without gaining time. */
const THREADS_MAX = 4;
const SLICES_MAX = 16;
/** x264 needs a few macroblock rows per slice for its motion search. */
const ROWS_PER_SLICE_MIN = 64;
/** x264 keeps access units within its buffer but for rounding; the rest is reserve. */
const BUFFER_SHARE_OF_UNIT = 0.9;
/** Depth of references for repair without an IDR; more would cost decoders latency. */
export const INVALIDATION_DEPTH = 5;
export const H264_SIDE_MAX = 4096;

export interface RatePlan {
  readonly bitrateKbps: number;
  readonly vbvBufferKbit: number;
}

/**
 * Rate and buffer for one frame interval times `vbvFrames`; both shrink when an access unit could
 * otherwise outgrow `maxAccessUnitBytes`. The buffer is never smaller than one frame's share,
 * because x264 would raise it by itself.
 */
export function planRate(
  wishKbps: number,
  parameters: Pick<EncoderParameters, 'fpsNum' | 'fpsDen' | 'vbvFrames' | 'maxAccessUnitBytes'>,
): RatePlan {
  const fps = parameters.fpsNum / parameters.fpsDen;
  const unitKbit = (parameters.maxAccessUnitBytes * 8 * BUFFER_SHARE_OF_UNIT) / 1000;
  const ceilingKbps = Math.min(SOFTWARE_BITRATE_MAX_KBPS, Math.floor(unitKbit * fps));
  const bitrateKbps = Math.max(BITRATE_MIN_KBPS, Math.min(Math.round(wishKbps), ceilingKbps));
  const frameKbit = bitrateKbps / fps;
  const bufferKbit = Math.min(frameKbit * Math.max(1, parameters.vbvFrames), unitKbit);
  return { bitrateKbps, vbvBufferKbit: Math.max(1, Math.round(Math.max(bufferKbit, frameKbit))) };
}

/** Slice threads: what the device asked for, else up to four cores, at least two. */
export function sliceThreads(slicesPerFrame: number, cores: number, height: number): number {
  const wanted = Math.max(slicesPerFrame, Math.min(cores, THREADS_MAX), 2);
  const fitting = Math.max(1, Math.floor(height / ROWS_PER_SLICE_MIN));
  return Math.min(wanted, fitting, SLICES_MAX);
}

/** References to keep: the device's limit, else the depth that repairs without an IDR. */
export function referenceDepth(maxReferenceFrames: number): number {
  if (maxReferenceFrames <= 0) return INVALIDATION_DEPTH;
  return Math.min(maxReferenceFrames, INVALIDATION_DEPTH);
}

/** Names that both x264 and FFmpeg understand: primaries, transfer, matrix. */
export const COLOUR_NAMES: Readonly<
  Record<ColourMatrix, { primaries: string; transfer: string; matrix: string }>
> = {
  bt601: { primaries: 'smpte170m', transfer: 'smpte170m', matrix: 'smpte170m' },
  bt709: { primaries: 'bt709', transfer: 'bt709', matrix: 'bt709' },
  bt2020: { primaries: 'bt2020', transfer: 'bt2020-10', matrix: 'bt2020nc' },
};

/** Sentence saying why software H.264 cannot encode this, or null. */
export function parametersProblem(parameters: EncoderParameters): string | null {
  const { width, height, codec } = parameters;
  if (codec !== 'h264') return `software encoding offers H.264 only, not ${codec}`;
  if (parameters.bitDepth !== 8 || parameters.hdr) return 'software encoding offers 8-bit SDR only';
  if (parameters.chroma !== '420') return 'software encoding offers 4:2:0 only';
  if (!isEvenSide(width) || !isEvenSide(height)) {
    return `H.264 needs an even size from 16 to ${H264_SIDE_MAX}, not ${width}x${height}`;
  }
  if (!(parameters.fpsNum > 0 && parameters.fpsDen > 0)) return 'the frame rate must be positive';
  if (!(parameters.maxAccessUnitBytes >= 1024)) return 'the access unit limit is below 1 kB';
  return null;
}

/**
 * Sentence saying why a picture's memory does not hold `width` × `height`, or null. Native code
 * reads by address, so a short plane must be refused here.
 */
export function inputProblem(input: EncoderInput, width: number, height: number): string | null {
  if (input.kind === 'i420') {
    const { yStrideBytes, uvStrideBytes } = input;
    const isWhole =
      holdsPlane(input.y.length, yStrideBytes, width, height) &&
      holdsPlane(input.u.length, uvStrideBytes, width / 2, height / 2) &&
      holdsPlane(input.v.length, uvStrideBytes, width / 2, height / 2);
    return isWhole ? null : `the planes are smaller than ${width}x${height}`;
  }
  if (input.kind === 'nv12') {
    const { data, strideBytes, chromaOffsetBytes } = input;
    const isWhole =
      holdsPlane(Math.min(chromaOffsetBytes, data.length), strideBytes, width, height) &&
      holdsPlane(data.length - chromaOffsetBytes, strideBytes, width, height / 2);
    return isWhole ? null : `the planes are smaller than ${width}x${height}`;
  }
  return `software encoding takes I420 or NV12 pictures, not ${input.kind}`;
}

function holdsPlane(bytes: number, strideBytes: number, width: number, height: number): boolean {
  return strideBytes >= width && bytes >= strideBytes * (height - 1) + width;
}

function isEvenSide(value: number): boolean {
  return Number.isInteger(value) && value >= 16 && value <= H264_SIDE_MAX && value % 2 === 0;
}
