import { describe, expect, test } from 'bun:test';
import { FrameCadence } from '../../src/pipeline/cadence.ts';

const MS = 1e6;
const INTERVAL_NS = 1e9 / 60;

/** Plays a source with pictures at `arrivalsNs` through the cadence; returns encodes by kind. */
function play(arrivalsNs: number[], untilNs: number): { fresh: number[]; repeats: number[] } {
  const cadence = new FrameCadence(INTERVAL_NS, 0);
  const fresh: number[] = [];
  const repeats: number[] = [];
  let next = 0;
  for (let now = 0; now < untilNs; now += 0.25 * MS) {
    const arrived = next < arrivalsNs.length && (arrivalsNs[next] ?? 0) <= now;
    if (arrived && now >= cadence.newPictureAtNs(now)) {
      while (next < arrivalsNs.length && (arrivalsNs[next] ?? 0) <= now) next += 1;
      cadence.encoded(now, true);
      fresh.push(now);
    } else if (!arrived && fresh.length > 0 && now >= cadence.repeatAtNs(now)) {
      cadence.encoded(now, false);
      repeats.push(now);
    }
  }
  return { fresh, repeats };
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

  test('a slow source and its repeats together stay within the frame rate', () => {
    const arrivals = Array.from({ length: 80 }, (_, n) => n * 25 * MS);
    const { fresh, repeats } = play(arrivals, 2e9);
    expect(fresh.length).toBe(80);
    expect(fresh.length + repeats.length).toBeLessThanOrEqual(122);
  });
});
