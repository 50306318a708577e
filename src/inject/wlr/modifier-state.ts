/** Modifier masks followed key by key. Pure. */
import { type KeymapModifiers, MODIFIER } from './keymap-modifiers.ts';

export class ModifierState {
  readonly #keymap: KeymapModifiers;
  readonly #held = new Set<number>();
  depressed = 0;
  /**
   * Num Lock is always on: devices send the keypad's navigation keys as keys of their own, so a
   * keypad key always means its digit.
   */
  locked: number = MODIFIER.mod2;

  constructor(keymap: KeymapModifiers) {
    this.#keymap = keymap;
  }

  /** Follows one key; true when a mask changed. Call once per change of the key. */
  update(evdevCode: number, isDown: boolean): boolean {
    const locking = this.#keymap.locking.get(evdevCode);
    if (locking !== undefined) {
      if (isDown) this.locked ^= locking;
      return isDown;
    }
    if (!this.#keymap.held.has(evdevCode)) return false;
    if (isDown) this.#held.add(evdevCode);
    else this.#held.delete(evdevCode);
    // Both Shift keys may be down: the modifier ends with the last of them.
    let depressed = 0;
    for (const code of this.#held) depressed |= this.#keymap.held.get(code) ?? 0;
    const changed = depressed !== this.depressed;
    this.depressed = depressed;
    return changed;
  }
}
