/**
 * Characters → X keysyms, for typing text past the layout. Pure.
 * Source: X Window System Protocol, Appendix A "KEYSYM Encoding": Latin-1 keysyms equal the code
 * point, other characters are 0x01000000 + code point.
 */

const UNICODE_OFFSET = 0x0100_0000;
const CONTROL_KEYSYMS: Readonly<Record<number, number>> = {
  8: 0xff08,
  9: 0xff09,
  10: 0xff0d,
  13: 0xff0d,
  27: 0xff1b,
  127: 0xffff,
};

/** Keysym of a code point, or null for what no key stands for (control characters, surrogates). */
export function keysymOf(codePoint: number): number | null {
  const control = CONTROL_KEYSYMS[codePoint];
  if (control !== undefined) return control;
  if (codePoint < 0x20 || (codePoint >= 0x7f && codePoint < 0xa0)) return null;
  if (codePoint <= 0xff) return codePoint;
  if (codePoint >= 0xd800 && codePoint <= 0xdfff) return null;
  return codePoint <= 0x10_ffff ? UNICODE_OFFSET + codePoint : null;
}
