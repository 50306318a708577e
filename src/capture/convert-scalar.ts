/**
 * Scalar twin of the conversion kernels: the same bytes, one pixel at a time. Reference for the
 * property tests and for reading; too slow for a stream.
 */
import type { ConvertKernels } from './convert-kernels.ts';

const average = (a: number, b: number): number => (a + b + 1) >> 1;
const clamp = (value: number): number => Math.min(255, Math.max(0, value));

export function scalarKernels(memory: WebAssembly.Memory): ConvertKernels {
  const bytes = new Uint8Array(memory.buffer);
  const words = new DataView(memory.buffer);
  const at = (offset: number): number => bytes[offset] ?? 0;

  /** Average of the 2x2 block whose left upper byte is at `upper` and left lower one at `lower`. */
  const block = (upper: number, lower: number): number =>
    average(average(at(upper), at(lower)), average(at(upper + 4), at(lower + 4)));

  const weigh = (row: number, bias: number, a: number, b: number, c: number): number => {
    const w0 = words.getInt16(row, true);
    const w1 = words.getInt16(row + 16, true);
    const w2 = words.getInt16(row + 2, true);
    return clamp((a * w0 + b * w1 + c * w2 + words.getInt32(bias, true)) >> 15);
  };

  return {
    convert(
      source,
      sourceStride,
      luma,
      lumaStride,
      cb,
      cr,
      chromaStride,
      width,
      rowPairs,
      coefficients,
      interleaved,
    ) {
      for (let row = 0; row < rowPairs * 2; row += 1) {
        for (let x = 0; x < width; x += 1) {
          const p = source + row * sourceStride + x * 4;
          const value = weigh(coefficients, coefficients + 96, at(p), at(p + 1), at(p + 2));
          bytes[luma + row * lumaStride + x] = value;
        }
      }
      for (let pair = 0; pair < rowPairs; pair += 1) {
        for (let x = 0; x < width / 2; x += 1) {
          const p = source + pair * 2 * sourceStride + x * 8;
          const q = p + sourceStride;
          const c0 = block(p, q);
          const c1 = block(p + 1, q + 1);
          const c2 = block(p + 2, q + 2);
          const blue = weigh(coefficients + 32, coefficients + 100, c0, c1, c2);
          const red = weigh(coefficients + 64, coefficients + 100, c0, c1, c2);
          const step = interleaved === 1 ? 2 : 1;
          bytes[cb + pair * chromaStride + x * step] = blue;
          if (interleaved === 1) bytes[cb + pair * chromaStride + x * 2 + 1] = red;
          else bytes[cr + pair * chromaStride + x] = red;
        }
      }
    },

    halve(source, sourceStride, target, targetStride, targetWidth, targetHeight) {
      for (let row = 0; row < targetHeight; row += 1) {
        for (let x = 0; x < targetWidth; x += 1) {
          for (let channel = 0; channel < 4; channel += 1) {
            const p = source + row * 2 * sourceStride + x * 8 + channel;
            bytes[target + row * targetStride + x * 4 + channel] = block(p, p + sourceStride);
          }
        }
      }
    },

    bilinearRow(
      upper,
      lower,
      rowWeight,
      sourceWidth,
      blended,
      columns,
      weights,
      target,
      targetWidth,
    ) {
      for (let byte = 0; byte < sourceWidth * 4; byte += 1) {
        const sum = at(upper + byte) * (256 - rowWeight) + at(lower + byte) * rowWeight;
        bytes[blended + byte] = (sum + 128) >> 8;
      }
      const end = blended + sourceWidth * 4;
      for (let channel = 0; channel < 4; channel += 1) bytes[end + channel] = at(end - 4 + channel);
      for (let x = 0; x < targetWidth; x += 1) {
        const left = words.getInt16(weights + x * 16, true);
        const right = words.getInt16(weights + x * 16 + 8, true);
        for (let channel = 0; channel < 4; channel += 1) {
          const p = blended + words.getUint32(columns + x * 4, true) + channel;
          bytes[target + x * 4 + channel] = (at(p) * left + at(p + 4) * right + 128) >> 8;
        }
      }
    },
  };
}
