/**
 * Scroll units → Mutter's axis events. Pure.
 *
 * Devices count 120 per wheel notch, positive up and right. Mutter takes whole notches with
 * NotifyPointerAxisDiscrete (positive down and right) and distances with NotifyPointerAxis, where a
 * notch is 10 units long (Clutter's discrete step).
 */

const UNITS_PER_NOTCH = 120;
const DISTANCE_PER_NOTCH = 10;

export type AxisEvent =
  | { readonly kind: 'notches'; readonly axis: 'vertical' | 'horizontal'; readonly steps: number }
  | { readonly kind: 'distance'; readonly dx: number; readonly dy: number };

/** Whole notches stay notches, which every program understands; anything finer is a distance. */
export function axisEvents(verticalUnits: number, horizontalUnits: number): readonly AxisEvent[] {
  const isWhole = verticalUnits % UNITS_PER_NOTCH === 0 && horizontalUnits % UNITS_PER_NOTCH === 0;
  if (!isWhole) {
    return [
      {
        kind: 'distance',
        dx: (horizontalUnits / UNITS_PER_NOTCH) * DISTANCE_PER_NOTCH,
        dy: (-verticalUnits / UNITS_PER_NOTCH) * DISTANCE_PER_NOTCH,
      },
    ];
  }
  const events: AxisEvent[] = [];
  const down = -verticalUnits / UNITS_PER_NOTCH;
  const right = horizontalUnits / UNITS_PER_NOTCH;
  if (down !== 0) events.push({ kind: 'notches', axis: 'vertical', steps: down });
  if (right !== 0) events.push({ kind: 'notches', axis: 'horizontal', steps: right });
  return events;
}
