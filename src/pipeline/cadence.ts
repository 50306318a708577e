/**
 * When the next picture is encoded: a new one at once, the last one again when the screen is
 * static, on average never more than the session's frame rate.
 *
 * Credit grows with time, one picture costs one. A new picture may borrow half a credit, so jitter
 * of the source does not push it into the next slot; a repeat waits a quarter interval longer than
 * the source's own period, so that it does not steal the slot of a picture that is about to come.
 * Pure: time is passed in.
 */

const CREDIT_MAX = 1.5;
const NEW_PICTURE_CREDIT = 0.5;
const REPEAT_GRACE_INTERVALS = 1.25;

export class FrameCadence {
  #intervalNs: number;
  #credit = CREDIT_MAX;
  #creditAtNs: number;
  #lastNewNs = Number.NEGATIVE_INFINITY;

  constructor(intervalNs: number, nowNs: number) {
    this.#intervalNs = intervalNs;
    this.#creditAtNs = nowNs;
  }

  get intervalNs(): number {
    return this.#intervalNs;
  }

  setInterval(intervalNs: number, nowNs: number): void {
    this.#settle(nowNs);
    this.#intervalNs = intervalNs;
  }

  /** Earliest time a new picture may be encoded. */
  newPictureAtNs(nowNs: number): number {
    return this.#dueNs(NEW_PICTURE_CREDIT, nowNs);
  }

  /** Time at which the last picture is encoded again if nothing new comes. */
  repeatAtNs(nowNs: number): number {
    const grace = this.#lastNewNs + this.#intervalNs * REPEAT_GRACE_INTERVALS;
    return Math.max(grace, this.#dueNs(1, nowNs));
  }

  encoded(nowNs: number, isNew: boolean): void {
    this.#settle(nowNs);
    this.#credit -= 1;
    if (isNew) this.#lastNewNs = nowNs;
  }

  #settle(nowNs: number): void {
    const earned = Math.max(0, nowNs - this.#creditAtNs) / this.#intervalNs;
    this.#credit = Math.min(CREDIT_MAX, this.#credit + earned);
    this.#creditAtNs = nowNs;
  }

  #dueNs(needed: number, nowNs: number): number {
    this.#settle(nowNs);
    if (this.#credit >= needed) return nowNs;
    return nowNs + (needed - this.#credit) * this.#intervalNs;
  }
}
