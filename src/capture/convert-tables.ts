/** The tables that the conversion kernels read from their memory; layouts in kernels/convert.as.ts. */
import type { ColourCoefficients } from './colour-coefficients.ts';
import { COEFFICIENT_BYTES, type ConvertLayout } from './convert-layout.ts';
import type { MemoryFrame } from './port.ts';

/** Coefficient block of the kernels: weights in the byte order of the source. */
export function writeCoefficients(
  memory: WebAssembly.Memory,
  offset: number,
  coefficients: ColourCoefficients,
  format: MemoryFrame['format'],
): void {
  const isRedFirst = format === 'RGBx' || format === 'RGBA';
  const view = new DataView(memory.buffer, offset, COEFFICIENT_BYTES);
  [coefficients.luma, coefficients.cb, coefficients.cr].forEach((weights, row) => {
    const [red, green, blue] = weights;
    const outer = isRedFirst ? [red, blue] : [blue, red];
    for (let lane = 0; lane < 8; lane += 1) {
      view.setInt16(row * 32 + lane * 2, outer[lane % 2] ?? 0, true);
      view.setInt16(row * 32 + 16 + lane * 2, lane % 2 === 0 ? green : 0, true);
    }
  });
  view.setInt32(96, coefficients.lumaBias, true);
  view.setInt32(100, coefficients.chromaBias, true);
}

/** Fills the tables of the kernel's interpolation: where each target column comes from. */
export function writeColumns(
  memory: WebAssembly.Memory,
  { levels, fit, columns, weights }: NonNullable<ConvertLayout['scaling']>,
): void {
  const smallest = levels.at(-1);
  if (!smallest) return;
  const offsets = new Uint32Array(memory.buffer, columns, fit.width);
  const shares = new Int16Array(memory.buffer, weights, fit.width * 8);
  for (let x = 0; x < fit.width; x += 1) {
    const position = sourcePosition(x, smallest.width, fit.width);
    offsets[x] = (position >> 8) * 4;
    shares.fill(256 - (position & 255), x * 8, x * 8 + 4);
    shares.fill(position & 255, x * 8 + 4, x * 8 + 8);
  }
}

/** Position in the source of target pixel `index`, centres aligned, in 1/256 pixels. */
export function sourcePosition(index: number, sourceSize: number, targetSize: number): number {
  const position = Math.round((((index + 0.5) * sourceSize) / targetSize - 0.5) * 256);
  return Math.min(Math.max(position, 0), (sourceSize - 1) * 256);
}
