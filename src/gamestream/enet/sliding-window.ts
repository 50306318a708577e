/**
 * Accepts every number of a rising sequence once, in any order, within a window behind the highest
 * seen. Pure; used for ENet's unsequenced groups and for replay rejection of sealed messages.
 */

const WINDOW_SIZE = 1024;

export class SlidingWindow {
  readonly #seen = new Uint8Array(WINDOW_SIZE);
  #highest = -1;

  /** Whether `sequence` is new: inside the window or ahead of it, and not seen yet. Changes nothing. */
  isFresh(sequence: number): boolean {
    if (sequence > this.#highest) return true;
    if (sequence <= this.#highest - WINDOW_SIZE) return false;
    return this.#seen[sequence % WINDOW_SIZE] === 0;
  }

  /** Marks `sequence` as seen; false when it was not fresh. */
  accept(sequence: number): boolean {
    if (!this.isFresh(sequence)) return false;
    if (sequence > this.#highest) {
      const skipped = Math.min(sequence - this.#highest, WINDOW_SIZE);
      for (let step = 0; step < skipped; step += 1) {
        this.#seen[(sequence - step) % WINDOW_SIZE] = 0;
      }
      this.#highest = sequence;
    }
    this.#seen[sequence % WINDOW_SIZE] = 1;
    return true;
  }

  /**
   * The full number behind 16 wire bits: the one nearest to the highest seen. Negative when it
   * would lie before the start.
   */
  extend16(wireSequence: number): number {
    if (this.#highest < 0) return wireSequence;
    const ahead = (wireSequence - this.#highest) & 0xffff;
    return this.#highest + (ahead < 0x8000 ? ahead : ahead - 0x10000);
  }
}
