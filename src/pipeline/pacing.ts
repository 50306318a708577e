/**
 * When a frame's datagrams leave: in steps spread over three quarters of the frame interval, counted
 * from the frame's arrival. Small frames leave at once; a late loop keeps the distance between steps
 * and never bursts to catch up. Pure: the clock is passed in.
 */

/** Most bursts of one frame. */
export const PACE_STEPS_MAX = 12;
/** Fewest datagrams worth a burst of their own. */
export const PACE_STEP_DATAGRAMS_MIN = 16;
const PACE_BUDGET_RATIO = 0.75;
/** Below 30 frames per second a longer spread would only add delay. */
const PACE_INTERVAL_MAX_NS = 1e9 / 30;

export class FramePacer {
  /** Datagrams per step of the frame begun last; the last step may have fewer. */
  stepDatagrams = 1;
  stepCount = 1;
  spacingNs = 0;
  /** Times a step was so late that the rest of its frame was moved. */
  resyncCount = 0;
  readonly #budgetNs: number;
  #startNs = 0;

  /** @param intervalNs frame interval */
  constructor(intervalNs: number) {
    this.#budgetNs = Math.min(intervalNs, PACE_INTERVAL_MAX_NS) * PACE_BUDGET_RATIO;
  }

  /** Plans a frame of `datagramCount` (≥ 1) that arrived at `arrivalNs`. */
  begin(datagramCount: number, arrivalNs: number): void {
    const steps = Math.max(1, Math.floor(datagramCount / PACE_STEP_DATAGRAMS_MIN));
    const limited = Math.min(steps, PACE_STEPS_MAX);
    this.stepDatagrams = Math.ceil(datagramCount / limited);
    this.stepCount = Math.ceil(datagramCount / this.stepDatagrams);
    this.spacingNs = this.#budgetNs / this.stepCount;
    this.#startNs = arrivalNs;
  }

  /**
   * When step `step` (from 0) is due. More than one spacing late, the schedule of this frame moves so
   * that the step is due at `nowNs` and the following ones keep their distance.
   */
  deadlineNs(step: number, nowNs: number): number {
    const dueNs = this.#startNs + step * this.spacingNs;
    if (nowNs - dueNs <= this.spacingNs) return dueNs;
    if (step > 0) this.resyncCount += 1;
    this.#startNs = nowNs - step * this.spacingNs;
    return nowNs;
  }
}
