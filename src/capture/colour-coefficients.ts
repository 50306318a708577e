/**
 * RGB to YCbCr weights as Q15 integers, per matrix and range. Pure.
 *
 * Rows are balanced after rounding: chroma weights sum to zero, so every grey has chroma exactly
 * 128, and luma weights sum to the exact range, so white hits its nominal level.
 * Source: ITU-T H.273 table 4 (Kr, Kb), BT.709 §3, BT.601 §2.5, BT.2020 §4.
 */
import type { ColourDescription, ColourMatrix } from '../session/mode.ts';

const ONE = 1 << 15;

/** Luma shares of red and blue. */
export const LUMA_SHARES: Readonly<Record<ColourMatrix, { red: number; blue: number }>> = {
  bt601: { red: 0.299, blue: 0.114 },
  bt709: { red: 0.2126, blue: 0.0722 },
  bt2020: { red: 0.2627, blue: 0.0593 },
};

/** One output component: weights of red, green and blue. */
export type Weights = readonly [red: number, green: number, blue: number];

export interface ColourCoefficients {
  readonly luma: Weights;
  readonly cb: Weights;
  readonly cr: Weights;
  /** Offset and rounding, added before the shift by 15. */
  readonly lumaBias: number;
  readonly chromaBias: number;
  /** Level of black, 16 or 0. */
  readonly blackLuma: number;
}

export function colourCoefficients({ matrix, fullRange }: ColourDescription): ColourCoefficients {
  const { red, blue } = LUMA_SHARES[matrix];
  const green = 1 - red - blue;
  const lumaScale = fullRange ? 1 : 219 / 255;
  const chromaScale = fullRange ? 1 : 224 / 255;
  const blackLuma = fullRange ? 0 : 16;
  const cbScale = (chromaScale * 0.5) / (1 - blue);
  const crScale = (chromaScale * 0.5) / (1 - red);
  return {
    luma: balanced([red * lumaScale, green * lumaScale, blue * lumaScale], lumaScale),
    cb: balanced([-red * cbScale, -green * cbScale, (1 - blue) * cbScale], 0),
    cr: balanced([(1 - red) * crScale, -green * crScale, -blue * crScale], 0),
    lumaBias: (blackLuma << 15) + ONE / 2,
    chromaBias: (128 << 15) + ONE / 2,
    blackLuma,
  };
}

/** Rounds to Q15; green takes the rounding error, where it is relatively smallest. */
function balanced(weights: Weights, total: number): Weights {
  const red = Math.round(weights[0] * ONE);
  const blue = Math.round(weights[2] * ONE);
  return [red, Math.round(total * ONE) - red - blue, blue];
}
