/**
 * Text → key strokes named by X keysyms. Pure.
 *
 * Mutter presses the key that carries a keysym, and does nothing when the layout has none. ASCII is
 * on every layout; all other characters are entered by their code point (ISO/IEC 14755: Ctrl+Shift+U,
 * hexadecimal digits, space), which GTK, Qt and browsers with GNOME's input method, and terminals,
 * understand. Keysyms of ASCII equal the code (X Window System Protocol, Appendix A).
 */

/** X keysyms of the keys that stand for control characters. */
const CONTROL_KEYSYMS: Readonly<Record<number, number>> = {
  8: 0xff08,
  9: 0xff09,
  10: 0xff0d,
  13: 0xff0d,
  27: 0xff1b,
  127: 0xffff,
};
const KEYSYM_CONTROL_L = 0xffe3;
const KEYSYM_SHIFT_L = 0xffe1;
const KEYSYM_SPACE = 0x20;
const LETTER_U = 0x75;
const SURROGATES = { first: 0xd800, last: 0xdfff } as const;
const CODE_POINT_MAX = 0x10_ffff;

export interface KeysymEvent {
  readonly keysym: number;
  readonly isDown: boolean;
}

/** Strokes that type one character; empty for what nobody can type (other control characters). */
export function strokesOf(codePoint: number): readonly KeysymEvent[] {
  const control = CONTROL_KEYSYMS[codePoint];
  if (control !== undefined) return press(control);
  if (codePoint < 0x20 || (codePoint > 0x7e && codePoint < 0xa0)) return [];
  if (codePoint <= 0x7e) return press(codePoint);
  const isSurrogate = codePoint >= SURROGATES.first && codePoint <= SURROGATES.last;
  if (isSurrogate || codePoint > CODE_POINT_MAX) return [];
  return [
    { keysym: KEYSYM_CONTROL_L, isDown: true },
    { keysym: KEYSYM_SHIFT_L, isDown: true },
    ...press(LETTER_U),
    { keysym: KEYSYM_SHIFT_L, isDown: false },
    { keysym: KEYSYM_CONTROL_L, isDown: false },
    ...[...codePoint.toString(16)].flatMap((digit) => press(digit.charCodeAt(0))),
    ...press(KEYSYM_SPACE),
  ];
}

function press(keysym: number): readonly KeysymEvent[] {
  return [
    { keysym, isDown: true },
    { keysym, isDown: false },
  ];
}
