/** Digits of the test card: 5x7 cells per glyph, drawn for this project. Pure. */

export const GLYPH_COLUMNS = 5;
export const GLYPH_ROWS = 7;

/** Seven rows per glyph; bit 4 is the leftmost cell. */
const GLYPHS: Readonly<Record<string, readonly number[]>> = {
  '0': [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110],
  '1': [0b00100, 0b01100, 0b10100, 0b00100, 0b00100, 0b00100, 0b11111],
  '2': [0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111],
  '3': [0b11110, 0b00001, 0b00001, 0b01110, 0b00001, 0b00001, 0b11110],
  '4': [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010],
  '5': [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110],
  '6': [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110],
  '7': [0b11111, 0b00001, 0b00010, 0b00100, 0b00100, 0b01000, 0b01000],
  '8': [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110],
  '9': [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100],
  ':': [0b00000, 0b00100, 0b00100, 0b00000, 0b00100, 0b00100, 0b00000],
  '.': [0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b01100, 0b01100],
  ' ': [0, 0, 0, 0, 0, 0, 0],
};

/** One enlarged glyph as pixel rows; `rows[n]` is drawn `scale` times. One blank column at the right. */
export interface GlyphImage {
  readonly rows: readonly Uint32Array[];
}

/** Images of all glyphs at `scale` pixels per cell. */
export function glyphImages(
  scale: number,
  ink: number,
  paper: number,
): ReadonlyMap<string, GlyphImage> {
  const images = new Map<string, GlyphImage>();
  for (const [glyph, cells] of Object.entries(GLYPHS)) {
    const rows = cells.map((bits) => {
      const row = new Uint32Array((GLYPH_COLUMNS + 1) * scale).fill(paper);
      for (let column = 0; column < GLYPH_COLUMNS; column += 1) {
        const isSet = ((bits >> (GLYPH_COLUMNS - 1 - column)) & 1) === 1;
        if (isSet) row.fill(ink, column * scale, (column + 1) * scale);
      }
      return row;
    });
    images.set(glyph, { rows });
  }
  return images;
}
