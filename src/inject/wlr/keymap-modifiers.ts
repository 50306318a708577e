/**
 * Which keys of a keymap are modifiers, read from its text: the virtual keyboard protocol leaves
 * the modifier masks to the client. Pure; works on libxkbcommon's output and on our own keymaps.
 */

/** Bits of the real modifiers in a wl_keyboard.modifiers mask (XKB core order). */
export const MODIFIER = {
  shift: 1,
  lock: 2,
  control: 4,
  mod1: 8,
  mod2: 16,
  mod3: 32,
  mod4: 64,
  mod5: 128,
} as const;

/**
 * Keysyms on the first level that are modifiers while the key is down: name and value
 * (X11 keysymdef.h). Older libxkbcommon writes names into a keymap, newer one values.
 */
const HELD_SYMBOLS: readonly (readonly [name: string, keysym: number, mask: number])[] = [
  ['Shift_L', 0xffe1, MODIFIER.shift],
  ['Shift_R', 0xffe2, MODIFIER.shift],
  ['Control_L', 0xffe3, MODIFIER.control],
  ['Control_R', 0xffe4, MODIFIER.control],
  ['Meta_L', 0xffe7, MODIFIER.mod1],
  ['Meta_R', 0xffe8, MODIFIER.mod1],
  ['Alt_L', 0xffe9, MODIFIER.mod1],
  ['Alt_R', 0xffea, MODIFIER.mod1],
  ['Super_L', 0xffeb, MODIFIER.mod4],
  ['Super_R', 0xffec, MODIFIER.mod4],
  ['ISO_Level3_Shift', 0xfe03, MODIFIER.mod5],
  ['ISO_Level5_Shift', 0xfe11, MODIFIER.mod3],
];
const HELD_MASKS: ReadonlyMap<string, number> = new Map(
  HELD_SYMBOLS.flatMap(([name, keysym, mask]) => [
    [name, mask],
    [`0x${keysym.toString(16)}`, mask],
  ]),
);
const CAPS_LOCK: ReadonlySet<string> = new Set(['Caps_Lock', '0xffe5']);

const XKB_OFFSET = 8;
const KEYS_MAX = 1024;

export interface KeymapModifiers {
  /** Evdev code → mask that holds while the key is down. */
  readonly held: ReadonlyMap<number, number>;
  /** Evdev code → mask that each press turns on or off. */
  readonly locking: ReadonlyMap<number, number>;
}

export function modifiersOfKeymap(text: string): KeymapModifiers {
  const held = new Map<number, number>();
  const locking = new Map<number, number>();
  const codes = new Map<string, number>();
  for (const match of text.matchAll(/<([^<>\s]{1,16})>\s*=\s*(\d{1,5})\s*;/g)) {
    if (codes.size < KEYS_MAX) codes.set(match[1] ?? '', Number(match[2]) - XKB_OFFSET);
  }
  for (const match of text.matchAll(/\bkey\s*<([^<>\s]{1,16})>\s*\{([^{}]{0,4096})\}/g)) {
    const code = codes.get(match[1] ?? '');
    const symbol = firstSymbol(match[2] ?? '');
    if (code === undefined || code < 1) continue;
    const mask = HELD_MASKS.get(symbol);
    if (mask !== undefined) held.set(code, mask);
    else if (CAPS_LOCK.has(symbol)) locking.set(code, MODIFIER.lock);
  }
  return { held, locking };
}

/** First symbol of the first group: `symbols[Group1]= [ a, A ]` or plain `[ a, A ]`. */
function firstSymbol(body: string): string {
  const list = /(?:^|[\s{,=])\[\s*([^\s,\]]+)/.exec(
    body.replace(/(?:symbols|actions|type)\[/g, ''),
  );
  return list?.[1] ?? '';
}
