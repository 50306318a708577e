/**
 * High-resolution wheel steps for a protocol that knows distance and whole notches: the distance is
 * exact in every event, a notch is counted in the event that completes it. Pure.
 */

/** Units of one notch of a wheel, as on Windows and in libinput. */
const UNITS_PER_NOTCH = 120;
/** Distance of one notch in wl_pointer.axis, as libinput reports wheels. */
const DISTANCE_PER_NOTCH = 15;
/** More notches in one event than any wheel turns. */
const UNITS_MAX = 100 * UNITS_PER_NOTCH;

export interface ScrollStep {
  readonly distance: number;
  readonly notches: number;
}

export class WheelCounter {
  #pendingUnits = 0;

  step(units: number): ScrollStep {
    const bounded = Math.max(-UNITS_MAX, Math.min(UNITS_MAX, units));
    // Turning back begins a notch of its own.
    if (this.#pendingUnits * bounded < 0) this.#pendingUnits = 0;
    this.#pendingUnits += bounded;
    const notches = Math.trunc(this.#pendingUnits / UNITS_PER_NOTCH) || 0;
    this.#pendingUnits -= notches * UNITS_PER_NOTCH;
    return { distance: (bounded / UNITS_PER_NOTCH) * DISTANCE_PER_NOTCH, notches };
  }
}
