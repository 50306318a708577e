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

/** Symbol on the first level → mask while the key is down. */
const HELD_SYMBOLS: ReadonlyMap<string, number> = new Map([
  ['Shift_L', MODIFIER.shift],
  ['Shift_R', MODIFIER.shift],
  ['Control_L', MODIFIER.control],
  ['Control_R', MODIFIER.control],
  ['Alt_L', MODIFIER.mod1],
  ['Alt_R', MODIFIER.mod1],
  ['Meta_L', MODIFIER.mod1],
  ['Meta_R', MODIFIER.mod1],
  ['Super_L', MODIFIER.mod4],
  ['Super_R', MODIFIER.mod4],
  ['ISO_Level3_Shift', MODIFIER.mod5],
  ['ISO_Level5_Shift', MODIFIER.mod3],
]);

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
    const mask = HELD_SYMBOLS.get(symbol);
    if (mask !== undefined) held.set(code, mask);
    else if (symbol === 'Caps_Lock') locking.set(code, MODIFIER.lock);
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
