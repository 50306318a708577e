/**
 * Copies pictures that arrive as I420 or NV12 already. Their colours are taken as they are; another
 * size is centred and cut, on black. Rare (some portals), so plain loops do.
 */
import type { EncoderInput } from '../encode/port.ts';
import type { MemoryFrame } from './port.ts';

const NEUTRAL_CHROMA = 128;

/** One plane: `stepBytes` from sample to sample, 2 for interleaved chroma. */
interface Plane {
  readonly bytes: Uint8Array;
  readonly strideBytes: number;
  readonly stepBytes: number;
}

export function copyYuv(
  frame: MemoryFrame,
  into: EncoderInput,
  target: { readonly width: number; readonly height: number },
  blackLuma: number,
): void {
  const from = sourcePlanes(frame);
  const to = targetPlanes(into);
  const { width, height } = frame;
  copyPlane(from[0], [width, height], to[0], [target.width, target.height], blackLuma);
  const half: [number, number] = [(width + 1) >> 1, (height + 1) >> 1];
  const targetHalf: [number, number] = [target.width / 2, target.height / 2];
  copyPlane(from[1], half, to[1], targetHalf, NEUTRAL_CHROMA);
  copyPlane(from[2], half, to[2], targetHalf, NEUTRAL_CHROMA);
}

function sourcePlanes(frame: MemoryFrame): [Plane, Plane, Plane] {
  const { data, strideBytes, width, height } = frame;
  const chromaRows = (height + 1) >> 1;
  const lumaBytes = strideBytes * height;
  const isPlanar = frame.format === 'I420';
  const chromaStride = isPlanar ? (strideBytes + 1) >> 1 : strideBytes;
  const needed = lumaBytes + chromaStride * chromaRows * (isPlanar ? 2 : 1);
  if (strideBytes < width || data.length < needed) {
    throw new Error(`a ${width}x${height} ${frame.format} picture needs ${needed} bytes`);
  }
  const luma = { bytes: data, strideBytes, stepBytes: 1 };
  const chroma = data.subarray(lumaBytes);
  const second = isPlanar ? chroma.subarray(chromaStride * chromaRows) : chroma.subarray(1);
  const stepBytes = isPlanar ? 1 : 2;
  return [
    luma,
    { bytes: chroma, strideBytes: chromaStride, stepBytes },
    { bytes: second, strideBytes: chromaStride, stepBytes },
  ];
}

function targetPlanes(input: EncoderInput): [Plane, Plane, Plane] {
  if (input.kind === 'i420') {
    const { yStrideBytes, uvStrideBytes: strideBytes } = input;
    return [
      { bytes: input.y, strideBytes: yStrideBytes, stepBytes: 1 },
      { bytes: input.u, strideBytes, stepBytes: 1 },
      { bytes: input.v, strideBytes, stepBytes: 1 },
    ];
  }
  if (input.kind !== 'nv12') throw new Error(`no planes in a ${input.kind} picture`);
  const { data, strideBytes, chromaOffsetBytes } = input;
  return [
    { bytes: data, strideBytes, stepBytes: 1 },
    { bytes: data.subarray(chromaOffsetBytes), strideBytes, stepBytes: 2 },
    { bytes: data.subarray(chromaOffsetBytes + 1), strideBytes, stepBytes: 2 },
  ];
}

function copyPlane(
  from: Plane,
  [fromWidth, fromHeight]: readonly [number, number],
  to: Plane,
  [toWidth, toHeight]: readonly [number, number],
  background: number,
): void {
  const left = Math.floor((toWidth - fromWidth) / 2);
  const top = Math.floor((toHeight - fromHeight) / 2);
  for (let row = 0; row < toHeight; row += 1) {
    const fromRow = row - top;
    const isInside = fromRow >= 0 && fromRow < fromHeight;
    for (let x = 0; x < toWidth; x += 1) {
      const fromX = x - left;
      const value =
        isInside && fromX >= 0 && fromX < fromWidth
          ? from.bytes[fromRow * from.strideBytes + fromX * from.stepBytes]
          : background;
      to.bytes[row * to.strideBytes + x * to.stepBytes] = value ?? background;
    }
  }
}
