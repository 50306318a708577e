/**
 * The moving test card, drawn straight into BGRx pixels.
 *
 * Colour bars and a ramp stand still; a sweeping bar, a scrolling pattern, a clock, the frame number
 * and the readable counter move. Only what changes is drawn, and the picture depends on nothing but
 * the frame number and the wall time handed in.
 */
import {
  COUNTER_COLUMNS,
  COUNTER_ROWS,
  COUNTER_SQUARE_PIXELS,
  isWhiteSquare,
} from './card-counter.ts';
import { GLYPH_COLUMNS, GLYPH_ROWS, type GlyphImage, glyphImages } from './card-font.ts';

/** Smallest card that has room for all its parts. */
export const CARD_WIDTH_MIN = 256;
export const CARD_HEIGHT_MIN = 144;

const WHITE = 0xffffffff;
const BLACK = 0xff000000;
const PAPER = 0xff181818;
const SWEEP_INK = 0xfff0f0f0;
/** 75 % bars, as words of BGRx memory (0xffRRGGBB). */
const BARS = [
  0xffbfbfbf, 0xffbfbf00, 0xff00bfbf, 0xff00bf00, 0xffbf00bf, 0xffbf0000, 0xff0000bf,
] as const;
/** `HH:MM:SS.mmm` */
const CLOCK_GLYPHS = 12;
const NUMBER_GLYPHS = 10;
const SCROLL_PIXELS_PER_FRAME = 4;
const SWEEP_FRAMES = 120;
const MS_PER_DAY = 86_400_000;

interface TextLine {
  readonly left: number;
  readonly top: number;
  /** Glyphs on the card now, to draw only what differs. */
  readonly shown: string[];
}

export class TestCard {
  readonly width: number;
  readonly height: number;
  readonly strideBytes: number;
  /** BGRx; changes with every `draw`. */
  readonly data: Uint8Array;
  readonly #pixels: Uint32Array;
  readonly #scale: number;
  readonly #glyphs: ReadonlyMap<string, GlyphImage>;
  readonly #clock: TextLine;
  readonly #number: TextLine;
  readonly #sweep: { top: number; rows: number; width: number };
  readonly #scroll: { top: number; rows: number; line: Uint32Array };
  #sweepLeft = 0;
  #drawnCounter = -1;

  constructor(width: number, height: number) {
    if (!(width >= CARD_WIDTH_MIN && height >= CARD_HEIGHT_MIN)) {
      throw new Error(
        `the test card needs ${CARD_WIDTH_MIN}x${CARD_HEIGHT_MIN}, not ${width}x${height}`,
      );
    }
    this.width = width;
    this.height = height;
    this.strideBytes = width * 4;
    const memory = new ArrayBuffer(width * height * 4);
    this.data = new Uint8Array(memory);
    this.#pixels = new Uint32Array(memory);
    const cells = (GLYPH_COLUMNS + 1) * CLOCK_GLYPHS;
    const rowBudget = Math.floor(height / 6 / GLYPH_ROWS);
    this.#scale = Math.max(1, Math.min(Math.floor((width * 0.75) / cells), rowBudget));
    this.#glyphs = glyphImages(this.#scale, WHITE, PAPER);
    const lineHeight = (GLYPH_ROWS + 2) * this.#scale;
    const textTop = Math.floor(height * 0.52);
    this.#clock = this.#textLine(CLOCK_GLYPHS, textTop);
    this.#number = this.#textLine(NUMBER_GLYPHS, textTop + lineHeight);
    const strip = Math.max(4, Math.floor(height / 16));
    this.#sweep = { top: height - 2 * strip, rows: strip, width: Math.max(8, width >> 4) };
    this.#scroll = { top: height - strip, rows: strip, line: scrollLine(width) };
    this.#drawBackground(textTop);
  }

  /**
   * Draws picture `frameNumber` (taken modulo 2³² by the counter) with `wallMs`, milliseconds since
   * the epoch, shown as UTC.
   */
  draw(frameNumber: number, wallMs: number): void {
    this.#drawCounter(frameNumber >>> 0);
    this.#drawText(this.#clock, clockText(wallMs));
    this.#drawText(this.#number, String(frameNumber).padStart(NUMBER_GLYPHS, ' '));
    this.#drawSweep(frameNumber);
    this.#drawScroll(frameNumber);
  }

  #textLine(glyphs: number, top: number): TextLine {
    const pixels = glyphs * (GLYPH_COLUMNS + 1) * this.#scale;
    return { left: Math.max(0, (this.width - pixels) >> 1), top, shown: [] };
  }

  #drawBackground(textTop: number): void {
    const barsBottom = Math.floor(this.height * 0.4);
    this.#pixels.fill(PAPER);
    for (let row = 0; row < barsBottom; row += 1) {
      BARS.forEach((colour, bar) => {
        const left = Math.floor((bar * this.width) / BARS.length);
        const right = Math.floor(((bar + 1) * this.width) / BARS.length);
        this.#pixels.fill(colour, row * this.width + left, row * this.width + right);
      });
    }
    for (let row = barsBottom; row < textTop - this.#scale; row += 1) {
      for (let x = 0; x < this.width; x += 1) {
        const grey = Math.floor((x * 256) / this.width);
        this.#pixels[row * this.width + x] = (0xff000000 | (grey * 0x010101)) >>> 0;
      }
    }
  }

  #drawCounter(counter: number): void {
    const size = COUNTER_SQUARE_PIXELS;
    for (let index = 0; index < COUNTER_COLUMNS * COUNTER_ROWS; index += 1) {
      const isWhite = isWhiteSquare(counter, index);
      const isShown =
        this.#drawnCounter >= 0 && isWhiteSquare(this.#drawnCounter, index) === isWhite;
      if (isShown) continue;
      const left = (index % COUNTER_COLUMNS) * size;
      const top = Math.floor(index / COUNTER_COLUMNS) * size;
      this.#fill(left, top, size, size, isWhite ? WHITE : BLACK);
    }
    this.#drawnCounter = counter;
  }

  #drawText(line: TextLine, text: string): void {
    const advance = (GLYPH_COLUMNS + 1) * this.#scale;
    for (let index = 0; index < text.length; index += 1) {
      const glyph = text.charAt(index);
      if (line.shown[index] === glyph) continue;
      const image = this.#glyphs.get(glyph);
      if (!image) continue;
      line.shown[index] = glyph;
      let at = line.top * this.width + line.left + index * advance;
      for (const row of image.rows) {
        for (let repeat = 0; repeat < this.#scale; repeat += 1) {
          this.#pixels.set(row, at);
          at += this.width;
        }
      }
    }
  }

  #drawSweep(frameNumber: number): void {
    const { top, rows, width } = this.#sweep;
    const span = this.width - width;
    const phase = frameNumber % (2 * SWEEP_FRAMES);
    const step = phase < SWEEP_FRAMES ? phase : 2 * SWEEP_FRAMES - phase;
    const left = Math.floor((span * step) / SWEEP_FRAMES);
    this.#fill(this.#sweepLeft, top, width, rows, PAPER);
    this.#fill(left, top, width, rows, SWEEP_INK);
    this.#sweepLeft = left;
  }

  #drawScroll(frameNumber: number): void {
    const { top, rows, line } = this.#scroll;
    const offset = (frameNumber * SCROLL_PIXELS_PER_FRAME) % this.width;
    const visible = line.subarray(offset, offset + this.width);
    for (let row = top; row < top + rows; row += 1) this.#pixels.set(visible, row * this.width);
  }

  #fill(left: number, top: number, width: number, rows: number, colour: number): void {
    for (let row = top; row < top + rows; row += 1) {
      const start = row * this.width + left;
      this.#pixels.fill(colour, start, start + width);
    }
  }
}

/** `HH:MM:SS.mmm` of the day in UTC. */
function clockText(wallMs: number): string {
  const ms = ((Math.floor(wallMs) % MS_PER_DAY) + MS_PER_DAY) % MS_PER_DAY;
  const two = (value: number): string => String(Math.floor(value) % 60).padStart(2, '0');
  const hours = String(Math.floor(ms / 3_600_000)).padStart(2, '0');
  const millis = String(ms % 1000).padStart(3, '0');
  return `${hours}:${two(ms / 60_000)}:${two(ms / 1000)}.${millis}`;
}

/** Two picture widths of a repeating hue pattern, so that any offset shows one whole width. */
function scrollLine(width: number): Uint32Array {
  const line = new Uint32Array(width * 2);
  for (let x = 0; x < line.length; x += 1) {
    const turn = ((x % width) / width) * 2 * Math.PI;
    const level = (shift: number): number => Math.round(127.5 + 127 * Math.sin(3 * turn + shift));
    line[x] = (0xff000000 | (level(0) << 16) | (level(2.1) << 8) | level(4.2)) >>> 0;
  }
  return line;
}
