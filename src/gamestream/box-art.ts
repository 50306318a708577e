/**
 * A picture for apps that have none: 600 × 800, coloured by the title, with its initials. Written as
 * an indexed PNG (PNG specification, third edition) so that it stays a few kilobytes.
 */
import { crc32, deflateSync } from 'node:zlib';
import { GLYPH_COLUMNS, GLYPH_ROWS, glyphRows } from './box-art-font.ts';

export const BOX_ART_WIDTH = 600;
export const BOX_ART_HEIGHT = 800;

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const COLOUR_TYPE_INDEXED = 3;
/** Palette entries: background shades from top to bottom, then the ink. */
const SHADES = 32;
const INK = SHADES;
const INITIALS_MAX = 2;

/** PNG bytes for an app called `title`; the same title always gives the same picture. */
export function drawBoxArt(title: string): Uint8Array {
  const initials = initialsOf(title);
  const pixelSize = initials.length === 1 ? 60 : 40;
  const rows = drawRows(initials, pixelSize);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(BOX_ART_WIDTH, 0);
  header.writeUInt32BE(BOX_ART_HEIGHT, 4);
  header[8] = 8;
  header[9] = COLOUR_TYPE_INDEXED;
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', palette(title)),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

/** First letters of the first two words that have one; empty for titles without any. */
function initialsOf(title: string): string {
  const plain = title.normalize('NFKD').replace(/\p{M}/gu, '').toUpperCase();
  const words = plain.match(/[A-Z0-9]+/g) ?? [];
  return words
    .slice(0, INITIALS_MAX)
    .map((word) => word[0] ?? '')
    .join('');
}

/** Scan lines with filter type 0: a vertical gradient with the initials in the middle. */
function drawRows(initials: string, pixelSize: number): Uint8Array {
  const stride = BOX_ART_WIDTH + 1;
  const rows = new Uint8Array(stride * BOX_ART_HEIGHT);
  for (let y = 0; y < BOX_ART_HEIGHT; y += 1) {
    const shade = Math.floor((y * SHADES) / BOX_ART_HEIGHT);
    rows.fill(shade, y * stride + 1, (y + 1) * stride);
  }
  const columns = initials.length * (GLYPH_COLUMNS + 1) - 1;
  const left = Math.floor((BOX_ART_WIDTH - columns * pixelSize) / 2);
  const top = Math.floor((BOX_ART_HEIGHT - GLYPH_ROWS * pixelSize) / 2);
  [...initials].forEach((letter, index) => {
    const glyphLeft = left + index * (GLYPH_COLUMNS + 1) * pixelSize;
    glyphRows(letter).forEach((bits, row) => {
      for (let column = 0; column < GLYPH_COLUMNS; column += 1) {
        if ((bits & (1 << (GLYPH_COLUMNS - 1 - column))) === 0) continue;
        const x = glyphLeft + column * pixelSize;
        for (let y = top + row * pixelSize; y < top + (row + 1) * pixelSize; y += 1) {
          rows.fill(INK, y * stride + 1 + x, y * stride + 1 + x + pixelSize);
        }
      }
    });
  });
  return rows;
}

/** Dark shades of one hue, chosen by the title, and a light ink. */
function palette(title: string): Uint8Array {
  const hue = crc32(title) % 360;
  const colours: number[] = [];
  for (let shade = 0; shade < SHADES; shade += 1) {
    colours.push(...hslToRgb(hue, 0.5, 0.38 - (0.26 * shade) / SHADES));
  }
  return Uint8Array.from([...colours, ...hslToRgb(hue, 0.3, 0.92)]);
}

/** CSS Color 4 §7: hue in degrees, saturation and lightness 0–1, to 8-bit channels. */
function hslToRgb(hue: number, saturation: number, lightness: number): number[] {
  const reach = saturation * Math.min(lightness, 1 - lightness);
  return [0, 8, 4].map((offset) => {
    const k = (offset + hue / 30) % 12;
    return Math.round(255 * (lightness - reach * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  });
}

function chunk(type: string, content: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(content.length + 12);
  bytes.writeUInt32BE(content.length, 0);
  bytes.write(type, 4, 'latin1');
  bytes.set(content, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + content.length)), 8 + content.length);
  return bytes;
}
