import { describe, expect, test } from 'bun:test';
import { FrameCadence } from '../../src/pipeline/cadence.ts';

const MS = 1e6;
const INTERVAL_NS = 1e9 / 60;

interface Played {
  /** Times at which new pictures were encoded, and how old each was then. */
  readonly fresh: number[];
  readonly ages: number[];
  readonly repeats: number[];
  /** Arrival of the picture encoded last. */
  lastShown: number;
}

/** Plays a source with pictures at `arrivalsNs` through the cadence, as the video loop does. */
function play(arrivalsNs: number[], untilNs: number): Played {
  const cadence = new FrameCadence(INTERVAL_NS, 0);
  const played: Played = { fresh: [], ages: [], repeats: [], lastShown: -1 };
  let next = 0;
  let pending: { arrivedNs: number; dueNs: number } | null = null;
  for (let now = 0; now < untilNs; now += 0.25 * MS) {
    if (next < arrivalsNs.length && (arrivalsNs[next] ?? 0) <= now) {
      pending = { arrivedNs: arrivalsNs[next] ?? 0, dueNs: cadence.arrived(now) };
      next += 1;
    }
    if (pending && now >= pending.dueNs) {
      cadence.encoded(now, true);
      played.fresh.push(now);
      played.ages.push(now - pending.arrivedNs);
      played.lastShown = pending.arrivedNs;
      pending = null;
    } else if (!pending && played.fresh.length > 0 && now >= cadence.repeatAtNs(now)) {
      cadence.encoded(now, false);
      played.repeats.push(now);
    }
  }
  return played;
}

describe('frame cadence', () => {
  test('a static screen is re-encoded at the frame rate', () => {
    const { repeats } = play([0], 2e9);
    expect(repeats.length).toBeGreaterThanOrEqual(116);
    expect(repeats.length).toBeLessThanOrEqual(121);
  });

  test('a jittering source at the frame rate is never repeated and never dropped', () => {
    const arrivals = Array.from({ length: 120 }, (_, n) => n * INTERVAL_NS + ((n * 7) % 3) * MS);
    const { fresh, repeats } = play(arrivals, 2e9);
    expect(fresh.length).toBe(120);
    expect(repeats.length).toBe(0);
  });

  test('a source at three times the rate is encoded at the frame rate', () => {
    const arrivals = Array.from({ length: 360 }, (_, n) => (n * INTERVAL_NS) / 3);
    const { fresh, repeats } = play(arrivals, 2e9);
    expect(fresh.length).toBeGreaterThan(115);
    expect(fresh.length).toBeLessThanOrEqual(122);
    expect(repeats.length).toBe(0);
  });

  test('a source a little faster than the rate: some pictures are left out, none waits', () => {
    const arrivals = Array.from({ length: 1000 }, (_, n) => n * 16 * MS);
    const { fresh, ages, repeats } = play(arrivals, 16e9);
    expect(fresh.length).toBeWithin(950, 962);
    expect(repeats.length).toBe(0);
    expect(Math.max(...ages)).toBeLessThan(0.3 * MS);
  });

  test('the last picture of a movement is shown within two intervals, whatever the rate', () => {
    for (const periodMs of [2, 5, 9, 12, 15, 16, 17, 25, 40]) {
      for (const count of [2, 3, 4, 24, 25, 26, 49]) {
        const arrivals = Array.from({ length: count }, (_, n) => n * periodMs * MS);
        const { fresh, ages, lastShown } = play(arrivals, 3e9);
        expect(lastShown).toBe((count - 1) * periodMs * MS);
        expect(ages.at(-1) ?? Infinity).toBeLessThan(2 * INTERVAL_NS);
        expect(fresh.length).toBeGreaterThan(0);
      }
    }
  });

  test('a slow source and its repeats together stay within the frame rate', () => {
    const arrivals = Array.from({ length: 80 }, (_, n) => n * 25 * MS);
    const { fresh, repeats } = play(arrivals, 2e9);
    expect(fresh.length).toBe(80);
    expect(fresh.length + repeats.length).toBeLessThanOrEqual(122);
  });
});
