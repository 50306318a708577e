/**
 * Modifier masks of the base keymap, followed key by key: the virtual keyboard protocol leaves them
 * to the client. Pure.
 */
import { MODIFIER } from './base-keymap.ts';

/** Evdev code → mask of what holds while the key is down. */
const HELD: ReadonlyMap<number, number> = new Map([
  [42, MODIFIER.shift],
  [54, MODIFIER.shift],
  [29, MODIFIER.control],
  [97, MODIFIER.control],
  [56, MODIFIER.alt],
  [100, MODIFIER.alt],
  [125, MODIFIER.meta],
  [126, MODIFIER.meta],
]);

/** Evdev code → mask that each press turns on or off. */
const LOCKING: ReadonlyMap<number, number> = new Map([
  [58, MODIFIER.lock],
  [69, MODIFIER.numLock],
]);

export class ModifierState {
  readonly #held = new Set<number>();
  depressed = 0;
  locked = 0;

  /** Follows one key; true when a mask changed. Call once per change of the key. */
  update(evdevCode: number, isDown: boolean): boolean {
    const locking = LOCKING.get(evdevCode);
    if (locking !== undefined && isDown) this.locked ^= locking;
    if (!HELD.has(evdevCode)) return locking !== undefined && isDown;
    if (isDown) this.#held.add(evdevCode);
    else this.#held.delete(evdevCode);
    // Both Shift keys may be down: the modifier ends with the last of them.
    let depressed = 0;
    for (const code of this.#held) depressed |= HELD.get(code) ?? 0;
    const changed = depressed !== this.depressed;
    this.depressed = depressed;
    return changed;
  }
}
