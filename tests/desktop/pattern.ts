/**
 * The moving picture that desktop tests show and read back: a counter in black and white cells with
 * its complement below it, a bar that moves with it, and still colour fields. Pure; the cells are
 * large enough to survive any encoder.
 */

const CELL = 32;
const BITS = 20;
const LEFT = 32;
const TOP = 32;
const BAR_WIDTH = 64;
const BAR_STEP = 8;
const BAND_HEIGHT = 128;

const BLACK = 0xff000000;
const WHITE = 0xffffffff;
const GREY = 0xff404040;
const YELLOW = 0xffd0c020;
const FIELDS = [0xff204080, 0xff806020, 0xff206030, 0xff702050, 0xff808080, 0xff305060];

/** Smallest picture that holds the counter. */
export const PATTERN_SIZE_MIN = { width: LEFT * 2 + CELL * BITS, height: TOP * 2 + CELL * 2 };
/** The counter starts again here. */
export const PATTERN_COUNTER_LIMIT = 2 ** BITS;

/** XRGB8888 pixels, `strideWords` words a row. */
export interface PatternTarget {
  readonly pixels: Uint32Array;
  readonly width: number;
  readonly height: number;
  readonly strideWords: number;
}

export interface PatternRectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Draws what never changes: six fields of colour. */
export function drawStillFields(target: PatternTarget): void {
  const fieldWidth = Math.ceil(target.width / FIELDS.length);
  for (let y = 0; y < target.height; y += 1) {
    for (let index = 0; index < FIELDS.length; index += 1) {
      const start = y * target.strideWords + Math.min(target.width, index * fieldWidth);
      const end = y * target.strideWords + Math.min(target.width, (index + 1) * fieldWidth);
      target.pixels.fill(FIELDS[index] ?? BLACK, start, end);
    }
  }
}

/** Draws the counter and the bar of picture `counter`; returns the two places that changed. */
export function drawPatternFrame(target: PatternTarget, counter: number): PatternRectangle[] {
  const value = counter % PATTERN_COUNTER_LIMIT;
  for (let bit = 0; bit < BITS; bit += 1) {
    const isSet = ((value >> (BITS - 1 - bit)) & 1) === 1;
    const x = LEFT + bit * CELL;
    fill(target, { x, y: TOP, width: CELL, height: CELL }, isSet ? WHITE : BLACK);
    fill(target, { x, y: TOP + CELL, width: CELL, height: CELL }, isSet ? BLACK : WHITE);
  }
  const band = {
    x: 0,
    y: Math.max(0, target.height - BAND_HEIGHT - TOP),
    width: target.width,
    height: BAND_HEIGHT,
  };
  fill(target, band, GREY);
  const x = (counter * BAR_STEP) % target.width;
  fill(target, { ...band, x, width: Math.min(BAR_WIDTH, target.width - x) }, YELLOW);
  return [{ x: LEFT, y: TOP, width: CELL * BITS, height: CELL * 2 }, band];
}

/**
 * Reads the counter from a picture by the luma (0–255) at a pixel; null when the cells and their
 * complement do not agree, as in a picture of something else or one torn between two counters.
 */
export function readPatternCounter(lumaAt: (x: number, y: number) => number): number | null {
  let value = 0;
  for (let bit = 0; bit < BITS; bit += 1) {
    const x = LEFT + bit * CELL + CELL / 2;
    const upper = lumaAt(x, TOP + CELL / 2);
    const lower = lumaAt(x, TOP + CELL + CELL / 2);
    if (Math.abs(upper - lower) < 96) return null;
    value = value * 2 + (upper > lower ? 1 : 0);
  }
  return value;
}

/** Luma reader for four bytes a pixel in the order B, G, R, x. */
export function bgrxLuma(data: Uint8Array, strideBytes: number): (x: number, y: number) => number {
  return (x, y) => {
    const at = y * strideBytes + x * 4;
    const [blue = 0, green = 0, red = 0] = data.subarray(at, at + 3);
    return (red * 54 + green * 183 + blue * 19) >> 8;
  };
}

function fill(target: PatternTarget, area: PatternRectangle, colour: number): void {
  const right = Math.min(target.width, area.x + area.width);
  const bottom = Math.min(target.height, area.y + area.height);
  for (let y = area.y; y < bottom; y += 1) {
    const row = y * target.strideWords;
    target.pixels.fill(colour, row + area.x, row + right);
  }
}
