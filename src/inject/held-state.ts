/**
 * What one device holds down: keys, pointer buttons, touch contacts, the pen. Knows what must be
 * let go when the session ends, and which modifiers have to be pressed around a key because the
 * device flags them without ever sending the modifier key. Pure.
 * Source: GameStream §8 (keyboard).
 */
import { MODIFIER } from './dispatch-events.ts';
import type { PenSample, PointerButton, TouchContact } from './port.ts';

/** More fingers than any screen reports; further contacts are not begun. */
export const CONTACTS_MAX = 32;

/** One key change to inject. */
export interface KeyStroke {
  readonly evdevCode: number;
  readonly isDown: boolean;
}

export type Release =
  | { readonly kind: 'key'; readonly evdevCode: number }
  | { readonly kind: 'button'; readonly button: PointerButton }
  | { readonly kind: 'touch'; readonly contact: TouchContact }
  | { readonly kind: 'pen'; readonly sample: PenSample };

/** evdev codes of each modifier, left before right. */
const MODIFIER_KEYS: readonly { readonly bit: number; readonly codes: readonly number[] }[] = [
  { bit: MODIFIER.shift, codes: [42, 54] },
  { bit: MODIFIER.ctrl, codes: [29, 97] },
  { bit: MODIFIER.alt, codes: [56, 100] },
  { bit: MODIFIER.meta, codes: [125, 126] },
];
const RIGHT_ALT = 100;

export class HeldState {
  readonly #keys = new Set<number>();
  /** Modifier keys pressed for the sake of a key, and that key. */
  readonly #borrowed = new Map<number, number>();
  readonly #buttons = new Set<PointerButton>();
  readonly #contacts = new Map<number, TouchContact>();
  #pen: PenSample | null = null;

  get isEmpty(): boolean {
    return (
      this.#keys.size + this.#borrowed.size + this.#buttons.size + this.#contacts.size === 0 &&
      this.#pen === null
    );
  }

  /**
   * Strokes to inject for a key event, in order. A repeated press and the release of a key that is
   * not held inject nothing.
   * @param modifiers flags as they are with this event
   */
  key(evdevCode: number, isDown: boolean, modifiers: number): readonly KeyStroke[] {
    if (!isDown) return this.#keyUp(evdevCode);
    if (this.#keys.has(evdevCode)) return [];
    this.#keys.add(evdevCode);
    if (isModifier(evdevCode)) {
      // The device presses the key itself after all: a borrowed one simply becomes its own.
      return this.#borrowed.delete(evdevCode) ? [] : [{ evdevCode, isDown: true }];
    }
    return [...this.#fitModifiers(evdevCode, modifiers), { evdevCode, isDown: true }];
  }

  /** Whether the change is one; the same change twice is not. */
  button(button: PointerButton, isDown: boolean): boolean {
    if (!isDown) return this.#buttons.delete(button);
    if (this.#buttons.has(button)) return false;
    this.#buttons.add(button);
    return true;
  }

  /** Whether the contact may be injected: moves and lifts only of fingers that are down. */
  touch(contact: TouchContact): boolean {
    const { pointerId } = contact;
    switch (contact.phase) {
      case 'down':
        if (!this.#contacts.has(pointerId) && this.#contacts.size >= CONTACTS_MAX) return false;
        this.#contacts.set(pointerId, contact);
        return true;
      case 'move':
        if (!this.#contacts.has(pointerId)) return false;
        this.#contacts.set(pointerId, contact);
        return true;
      case 'up':
      case 'cancel':
        return this.#contacts.delete(pointerId);
      case 'cancel-all':
        this.#contacts.clear();
        return true;
      case 'hover':
      case 'hover-leave':
        return true;
    }
  }

  pen(sample: PenSample): void {
    const isAway =
      sample.phase === 'hover-leave' || sample.phase === 'cancel' || sample.phase === 'cancel-all';
    if (isAway) this.#pen = null;
    else if (sample.phase !== 'button-only') this.#pen = sample;
  }

  /** What lets everything go, newest first; nothing is held afterwards. */
  releaseAll(): readonly Release[] {
    const releases: Release[] = [];
    for (const contact of this.#contacts.values()) {
      releases.push({ kind: 'touch', contact: { ...contact, phase: 'cancel', pressure: 0 } });
    }
    if (this.#pen) {
      const phase =
        this.#pen.phase === 'down' || this.#pen.phase === 'move' ? 'cancel' : 'hover-leave';
      releases.push({ kind: 'pen', sample: { ...this.#pen, phase, buttons: 0, pressure: 0 } });
    }
    for (const button of this.#buttons) releases.push({ kind: 'button', button });
    for (const evdevCode of [...this.#keys].toReversed()) releases.push({ kind: 'key', evdevCode });
    for (const evdevCode of this.#borrowed.keys()) releases.push({ kind: 'key', evdevCode });
    this.#keys.clear();
    this.#borrowed.clear();
    this.#buttons.clear();
    this.#contacts.clear();
    this.#pen = null;
    return releases;
  }

  #keyUp(evdevCode: number): readonly KeyStroke[] {
    if (!this.#keys.delete(evdevCode)) return [];
    const strokes: KeyStroke[] = [{ evdevCode, isDown: false }];
    for (const [modifier, owner] of [...this.#borrowed]) {
      if (owner === evdevCode) this.#giveBack(modifier, strokes);
    }
    return strokes;
  }

  /** Gives back borrowed modifiers that are not flagged, borrows flagged ones that are not held. */
  #fitModifiers(forKey: number, modifiers: number): KeyStroke[] {
    const strokes: KeyStroke[] = [];
    for (const { bit, codes } of MODIFIER_KEYS) {
      const isFlagged = (modifiers & bit) !== 0;
      for (const code of codes) {
        if (!this.#borrowed.has(code)) continue;
        if (isFlagged) this.#borrowed.set(code, forKey);
        else this.#giveBack(code, strokes);
      }
      const isHeld = codes.some((code) => this.#keys.has(code) || this.#borrowed.has(code));
      // AltGr is flagged as ctrl and alt by some systems; a real ctrl beside it changes the letter.
      const isAltGr = bit === MODIFIER.ctrl && this.#keys.has(RIGHT_ALT);
      const [left] = codes;
      if (!isFlagged || isHeld || isAltGr || left === undefined) continue;
      this.#borrowed.set(left, forKey);
      strokes.push({ evdevCode: left, isDown: true });
    }
    return strokes;
  }

  #giveBack(modifier: number, strokes: KeyStroke[]): void {
    this.#borrowed.delete(modifier);
    strokes.push({ evdevCode: modifier, isDown: false });
  }
}

function isModifier(evdevCode: number): boolean {
  return MODIFIER_KEYS.some(({ codes }) => codes.includes(evdevCode));
}
