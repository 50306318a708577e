/**
 * Keymaps for typing any text: each character gets a key of its own, on a second virtual keyboard,
 * so that what is held or locked on the first one does not change it. Pure.
 */
import { keymapText, keyName, XKB_OFFSET } from './base-keymap.ts';

/**
 * Evdev codes lent to characters: the printable keys first, then keys without a fixed meaning.
 * Escape, Tab, Enter, modifiers and navigation keep their places: programs know them by code.
 */
const SLOTS: readonly number[] = [
  ...codes(30, 40),
  ...codes(16, 27),
  ...codes(44, 53),
  ...codes(2, 13),
  ...[41, 43, 57, 86, 89],
  ...codes(183, 199),
  ...codes(200, 247),
];
export const TEXT_SLOTS_MAX = SLOTS.length;

/** Control characters that are keys: code and symbol. */
const CONTROL_KEYS: ReadonlyMap<number, { readonly code: number; readonly symbol: string }> =
  new Map([
    [0x08, { code: 14, symbol: 'BackSpace' }],
    [0x09, { code: 15, symbol: 'Tab' }],
    [0x0a, { code: 28, symbol: 'Return' }],
    [0x0d, { code: 28, symbol: 'Return' }],
    [0x1b, { code: 1, symbol: 'Escape' }],
    [0x7f, { code: 111, symbol: 'Delete' }],
  ]);

export class TextKeymap {
  readonly #slots = new Map<number, number>();

  /**
   * Evdev codes to press for these characters, in order; characters that no key can give (other
   * control characters, surrogates) are left out. `changed`: the keymap must be sent first.
   * Text with more different characters than {@link TEXT_SLOTS_MAX} is to be given in pieces.
   */
  assign(codePoints: readonly number[]): { readonly codes: number[]; readonly changed: boolean } {
    const typed = codePoints.filter(isTypeable);
    const fresh = new Set(
      typed.filter((point) => !CONTROL_KEYS.has(point) && !this.#slots.has(point)),
    );
    if (this.#slots.size + fresh.size > TEXT_SLOTS_MAX) {
      // Full: begin anew with what this text needs.
      this.#slots.clear();
      for (const point of typed) if (!CONTROL_KEYS.has(point)) fresh.add(point);
    }
    for (const point of fresh) {
      const code = SLOTS[this.#slots.size];
      if (code !== undefined) this.#slots.set(point, code);
    }
    const pressed = typed.map((point) => CONTROL_KEYS.get(point)?.code ?? this.#slots.get(point));
    return {
      codes: pressed.filter((code) => code !== undefined),
      changed: fresh.size > 0,
    };
  }

  /** The keymap as text. Without modifiers: every character lies on the first level. */
  text(): string {
    const entries = [
      ...[...this.#slots].map(([point, code]) => ({ code, symbol: unicodeSymbol(point) })),
      ...[...CONTROL_KEYS.entries()]
        .filter(([point]) => point !== 0x0d)
        .map(([, { code, symbol }]) => ({ code, symbol })),
    ];
    return keymapText(
      entries.map(({ code }) => `${keyName(code)}=${code + XKB_OFFSET};`),
      entries.map(({ code, symbol }) => `key ${keyName(code)}{type="ONE_LEVEL",[${symbol}]};`),
      '',
    );
  }
}

/** Code points of `text` without halves of surrogate pairs, at most `countMax`. */
export function codePointsOf(text: string, countMax: number): number[] {
  const points: number[] = [];
  for (const character of text) {
    if (points.length >= countMax) break;
    const point = character.codePointAt(0) ?? 0;
    if (point < 0xd800 || point > 0xdfff) points.push(point);
  }
  return points;
}

function isTypeable(point: number): boolean {
  if (CONTROL_KEYS.has(point)) return true;
  return point >= 0x20 && !(point >= 0x7f && point < 0xa0) && point <= 0x10ffff;
}

/** XKB name of a character, e.g. `U20AC`. */
function unicodeSymbol(point: number): string {
  return `U${point.toString(16).toUpperCase().padStart(4, '0')}`;
}

function codes(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
