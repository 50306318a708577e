import { describe, expect, test } from 'bun:test';
import { FramePacer } from '../../src/pipeline/pacing.ts';

const INTERVAL_NS = 1e9 / 120;
const BUDGET_NS = INTERVAL_NS * 0.75;

describe('steps of a frame', () => {
  test.each([
    { datagrams: 1, steps: 1, each: 1 },
    { datagrams: 31, steps: 1, each: 31 },
    { datagrams: 32, steps: 2, each: 16 },
    { datagrams: 100, steps: 6, each: 17 },
    { datagrams: 192, steps: 12, each: 16 },
    { datagrams: 610, steps: 12, each: 51 },
    { datagrams: 4092, steps: 12, each: 341 },
  ])('$datagrams datagrams leave in $steps steps of $each', ({ datagrams, steps, each }) => {
    const pacer = new FramePacer(INTERVAL_NS);

    pacer.begin(datagrams, 0);

    expect(pacer.stepCount).toBe(steps);
    expect(pacer.stepDatagrams).toBe(each);
    expect(pacer.spacingNs).toBeCloseTo(BUDGET_NS / steps, 3);
  });

  test('any count is at most 12 steps, of at least 16 datagrams when there are several', () => {
    const pacer = new FramePacer(INTERVAL_NS);
    for (let datagrams = 1; datagrams <= 4092; datagrams += 1) {
      pacer.begin(datagrams, 0);
      expect(pacer.stepCount).toBeWithin(1, 13);
      expect(pacer.stepCount * pacer.stepDatagrams).toBeGreaterThanOrEqual(datagrams);
      expect((pacer.stepCount - 1) * pacer.stepDatagrams).toBeLessThan(datagrams);
      if (pacer.stepCount > 1) expect(pacer.stepDatagrams).toBeGreaterThanOrEqual(16);
    }
  });
});

describe('deadlines', () => {
  test('count from the arrival of the frame, not from the end of its processing', () => {
    const pacer = new FramePacer(INTERVAL_NS);
    pacer.begin(192, 5e9);

    const processedNs = 5e9 + 300_000;

    expect(pacer.deadlineNs(0, processedNs)).toBe(5e9);
    expect(pacer.deadlineNs(1, processedNs)).toBeCloseTo(5e9 + BUDGET_NS / 12, 0);
    expect(pacer.deadlineNs(11, processedNs)).toBeCloseTo(5e9 + (BUDGET_NS * 11) / 12, 0);
  });

  test('the last step leaves within three quarters of the interval', () => {
    const pacer = new FramePacer(INTERVAL_NS);
    pacer.begin(400, 0);

    expect(pacer.deadlineNs(pacer.stepCount - 1, 0)).toBeLessThan(BUDGET_NS);
  });

  test('a loop that is 3 spacings late moves the rest and never sends two steps at once', () => {
    const pacer = new FramePacer(INTERVAL_NS);
    pacer.begin(192, 0);
    const spacing = pacer.spacingNs;

    let nowNs = 3.5 * spacing;
    const left: number[] = [];
    for (let step = 1; step < pacer.stepCount; step += 1) {
      nowNs = Math.max(nowNs, pacer.deadlineNs(step, nowNs));
      left.push(nowNs);
    }

    for (let step = 1; step < left.length; step += 1) {
      expect((left[step] ?? 0) - (left[step - 1] ?? 0)).toBeCloseTo(spacing, 0);
    }
    expect(pacer.resyncCount).toBe(1);
  });

  test('a lateness below one spacing is made up for, by a shorter gap', () => {
    const pacer = new FramePacer(INTERVAL_NS);
    pacer.begin(192, 0);
    const late = 1.9 * pacer.spacingNs;

    expect(pacer.deadlineNs(1, late)).toBe(pacer.spacingNs);
    expect(pacer.deadlineNs(2, late)).toBe(2 * pacer.spacingNs);
    expect(pacer.resyncCount).toBe(0);
  });

  test('at one frame per second a frame is spread over 25 ms, not over 750', () => {
    const pacer = new FramePacer(1e9);
    pacer.begin(192, 0);

    expect(pacer.spacingNs * pacer.stepCount).toBeCloseTo(25e6, 0);
  });
});
