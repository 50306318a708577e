/**
 * How like two pictures are: the structural similarity index, plane by plane; and what the moving
 * pattern looks like. Pure.
 */
import { drawPatternFrame, drawStillFields } from './pattern.ts';
import type { Picture } from './stream-analysis.ts';

const BLOCK = 8;
const BLOCK_STEP = 4;
/** Constants of the structural similarity index for 8 bits: (0.01·255)² and (0.03·255)². */
const C1 = 6.5025;
const C2 = 58.5225;

export interface Likeness {
  readonly y: number;
  readonly u: number;
  readonly v: number;
}

/** Structural similarity of two pictures of one size, plane by plane; 1 is equal. */
export function likeness(a: Picture, b: Picture): Likeness {
  if (a.width !== b.width || a.height !== b.height) {
    throw new Error(`${a.width}x${a.height} cannot be compared with ${b.width}x${b.height}`);
  }
  const half = Math.ceil(a.width / 2);
  return {
    y: planeSsim(a.y, b.y, a.width),
    u: planeSsim(a.u, b.u, half),
    v: planeSsim(a.v, b.v, half),
  };
}

/** Mean SSIM over overlapping 8x8 blocks (Wang et al. 2004, with a flat window). */
export function planeSsim(a: Uint8Array, b: Uint8Array, width: number): number {
  const height = Math.floor(a.length / width);
  let sum = 0;
  let blocks = 0;
  for (let top = 0; top + BLOCK <= height; top += BLOCK_STEP) {
    for (let left = 0; left + BLOCK <= width; left += BLOCK_STEP) {
      sum += blockSsim(a, b, width, top * width + left);
      blocks += 1;
    }
  }
  return blocks === 0 ? 0 : sum / blocks;
}

function blockSsim(a: Uint8Array, b: Uint8Array, width: number, start: number): number {
  const size = BLOCK * BLOCK;
  let [sumA, sumB, squaresA, squaresB, products] = [0, 0, 0, 0, 0];
  for (let row = 0; row < BLOCK; row += 1) {
    const at = start + row * width;
    for (let column = 0; column < BLOCK; column += 1) {
      const valueA = a[at + column] ?? 0;
      const valueB = b[at + column] ?? 0;
      sumA += valueA;
      sumB += valueB;
      squaresA += valueA * valueA;
      squaresB += valueB * valueB;
      products += valueA * valueB;
    }
  }
  const [meanA, meanB] = [sumA / size, sumB / size];
  const varianceA = squaresA / size - meanA * meanA;
  const varianceB = squaresB / size - meanB * meanB;
  const covariance = products / size - meanA * meanB;
  return (
    ((2 * meanA * meanB + C1) * (2 * covariance + C2)) /
    ((meanA * meanA + meanB * meanB + C1) * (varianceA + varianceB + C2))
  );
}

/** PPM of picture `counter` of the moving pattern. */
export function patternImage(width: number, height: number, counter: number): Uint8Array {
  const pixels = new Uint32Array(width * height);
  const target = { pixels, width, height, strideWords: width };
  drawStillFields(target);
  drawPatternFrame(target, counter);
  const header = new TextEncoder().encode(`P6\n${width} ${height}\n255\n`);
  const image = new Uint8Array(header.length + pixels.length * 3);
  image.set(header);
  let at = header.length;
  for (const pixel of pixels) {
    image[at] = (pixel >> 16) & 255;
    image[at + 1] = (pixel >> 8) & 255;
    image[at + 2] = pixel & 255;
    at += 3;
  }
  return image;
}
