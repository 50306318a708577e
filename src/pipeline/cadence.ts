/**
 * When the next picture is encoded: a new one at once, the last one again when the screen is
 * static, on average never more than the session's frame rate.
 *
 * Credit grows with time, one picture costs one. A new picture may borrow half a credit, so jitter
 * of the source does not push it into the next slot; a repeat waits a quarter interval longer than
 * the source's own period, so that it does not steal the slot of a picture that is about to come.
 *
 * A source slightly faster than the session (62.5 against 60) would make every picture wait a little
 * longer than the one before, up to a whole interval. So a picture without credit is left out in
 * favour of the next one, which has plenty: one in 25 is skipped and none waits. Only when no next
 * one comes is it encoded after all.
 * Pure: time is passed in.
 */

const CREDIT_MAX = 1.5;
const NEW_PICTURE_CREDIT = 0.5;
const REPEAT_GRACE_INTERVALS = 1.25;
/** A picture that was left out is encoded after all when none came for this many periods. */
const LEFT_OUT_PERIODS = 1.25;

export class FrameCadence {
  #intervalNs: number;
  #credit = CREDIT_MAX;
  #creditAtNs: number;
  #lastNewNs = Number.NEGATIVE_INFINITY;
  #arrivedNs = Number.NEGATIVE_INFINITY;

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

  /**
   * The source showed a new picture.
   * @returns when it is encoded, unless another one arrives before.
   */
  arrived(nowNs: number): number {
    const periodNs = Math.min(this.#intervalNs, nowNs - this.#arrivedNs);
    this.#arrivedNs = nowNs;
    const dueNs = this.#dueNs(NEW_PICTURE_CREDIT, nowNs);
    return dueNs <= nowNs ? nowNs : Math.max(dueNs, nowNs + periodNs * LEFT_OUT_PERIODS);
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
