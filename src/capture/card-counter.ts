/**
 * The machine-readable frame counter of the test card. Pure.
 *
 * 36 squares of 16x16 pixels, black or white, in the upper left corner: 12 columns, 3 rows, read
 * like text. Each square is one macroblock of H.264, so it survives hard compression.
 *
 * | squares | meaning                                        |
 * |---------|------------------------------------------------|
 * | 0       | white: reference level                         |
 * | 1       | black: reference level                         |
 * | 2–33    | counter, 32 bits, highest first, white is 1    |
 * | 34      | 1 when the upper 16 bits have an odd number of ones |
 * | 35      | the same for the lower 16 bits                 |
 */

export const COUNTER_SQUARE_PIXELS = 16;
export const COUNTER_COLUMNS = 12;
export const COUNTER_ROWS = 3;
/** Size of the whole field. */
export const COUNTER_WIDTH = COUNTER_COLUMNS * COUNTER_SQUARE_PIXELS;
export const COUNTER_HEIGHT = COUNTER_ROWS * COUNTER_SQUARE_PIXELS;
const BITS = 32;
/** Reference levels closer than this are no test card. */
const CONTRAST_MIN = 64;
/** A square must lie this share of the contrast away from the middle to count as read. */
const MARGIN_RATIO = 0.15;

/** Whether square `index` is white for `counter` (0…2³² − 1). */
export function isWhiteSquare(counter: number, index: number): boolean {
  if (index === 0) return true;
  if (index === 1) return false;
  if (index < 2 + BITS) return ((counter >>> (33 - index)) & 1) === 1;
  return isOdd(index === 2 + BITS ? counter >>> 16 : counter & 0xffff);
}

/**
 * Reads the counter from a luma plane, full or limited range.
 * @returns null when there is no test card, a square is unclear, or a parity is wrong.
 */
export function readCounter(luma: Uint8Array, strideBytes: number): number | null {
  if (strideBytes < COUNTER_WIDTH || luma.length < strideBytes * (COUNTER_HEIGHT - 1)) return null;
  const white = squareLevel(luma, strideBytes, 0);
  const black = squareLevel(luma, strideBytes, 1);
  if (white - black < CONTRAST_MIN) return null;
  const middle = (white + black) / 2;
  const margin = (white - black) * MARGIN_RATIO;
  let counter = 0;
  const parities = [false, false];
  for (let index = 2; index < COUNTER_COLUMNS * COUNTER_ROWS; index += 1) {
    const level = squareLevel(luma, strideBytes, index) - middle;
    if (Math.abs(level) < margin) return null;
    if (index < 2 + BITS) counter = ((counter << 1) | (level > 0 ? 1 : 0)) >>> 0;
    else parities[index - 2 - BITS] = level > 0;
  }
  const isIntact = parities[0] === isOdd(counter >>> 16) && parities[1] === isOdd(counter & 0xffff);
  return isIntact ? counter : null;
}

/** Mean of the inner 8x8 pixels of a square. */
function squareLevel(luma: Uint8Array, strideBytes: number, index: number): number {
  const left = (index % COUNTER_COLUMNS) * COUNTER_SQUARE_PIXELS + 4;
  const top = Math.floor(index / COUNTER_COLUMNS) * COUNTER_SQUARE_PIXELS + 4;
  let sum = 0;
  for (let row = 0; row < 8; row += 1) {
    for (let x = 0; x < 8; x += 1) sum += luma[(top + row) * strideBytes + left + x] ?? 0;
  }
  return sum / 64;
}

function isOdd(bits: number): boolean {
  let folded = bits ^ (bits >>> 8);
  folded ^= folded >>> 4;
  folded ^= folded >>> 2;
  return ((folded ^ (folded >>> 1)) & 1) === 1;
}
