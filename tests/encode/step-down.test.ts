import { describe, expect, test } from 'bun:test';
import {
  EncodeLoadGovernor,
  type SoftwareSetting,
  softwareRate,
} from '../../src/encode/step-down.ts';

const SECOND = 1e9;

/**
 * Feeds pictures at the rate in force for `seconds`; `costNs` says what one costs in a setting.
 * Returns the decisions with the second they came in.
 */
function run(
  governor: EncodeLoadGovernor,
  start: { nowNs: number; setting: Pick<SoftwareSetting, 'preset' | 'fpsNum' | 'fpsDen'> },
  seconds: number,
  costNs: (setting: Pick<SoftwareSetting, 'preset'>) => number,
): { decisions: (SoftwareSetting & { second: number })[]; end: typeof start } {
  let { nowNs, setting } = start;
  const decisions: (SoftwareSetting & { second: number })[] = [];
  const endNs = nowNs + seconds * SECOND;
  while (nowNs < endNs) {
    const decision = governor.sample(costNs(setting), nowNs);
    if (decision) {
      setting = decision;
      decisions.push({ ...decision, second: Math.round(nowNs / SECOND) });
    }
    nowNs += (SECOND * setting.fpsDen) / setting.fpsNum;
  }
  return { decisions, end: { nowNs, setting } };
}

const begin = (fpsNum: number) =>
  ({ nowNs: 0, setting: { preset: 'superfast', fpsNum, fpsDen: 1 } }) as const;
const msFor = (superfast: number, ultrafast: number) => (setting: { preset: string }) =>
  (setting.preset === 'superfast' ? superfast : ultrafast) * 1e6;

describe('stepping down when encoding is late', () => {
  test('59 % of the interval is fine for an hour', () => {
    const { decisions } = run(new EncodeLoadGovernor(60, 1), begin(60), 600, msFor(9.8, 5));
    expect(decisions).toEqual([]);
  });

  test('a p95 above 60 % takes the faster preset within two seconds', () => {
    const { decisions } = run(new EncodeLoadGovernor(60, 1), begin(60), 5, msFor(11, 7));
    expect(decisions).toHaveLength(1);
    expect(decisions[0]).toMatchObject({ preset: 'ultrafast', fpsNum: 60, fpsDen: 1 });
    expect(decisions[0]?.second).toBeLessThanOrEqual(2);
    expect(decisions[0]?.reason).toContain('11.0 of 16.7 ms');
    expect(decisions[0]?.reason).toContain('x264 ultrafast at 60 fps');
  });

  test('rare slow pictures do not count, five in a hundred do', () => {
    const spiky = (every: number) => {
      let picture = 0;
      return () => {
        picture += 1;
        return picture % every === 0 ? 16e6 : 5e6;
      };
    };
    const calm = run(new EncodeLoadGovernor(60, 1), begin(60), 30, spiky(40));
    const busy = run(new EncodeLoadGovernor(60, 1), begin(60), 3, spiky(12));
    expect(calm.decisions).toEqual([]);
    expect(busy.decisions.length).toBeGreaterThan(0);
  });

  test('a machine that is far too slow goes down step by step and stays at the last', () => {
    const { decisions } = run(new EncodeLoadGovernor(60, 1), begin(60), 60, msFor(200, 100));
    const rates = decisions.map(({ preset, fpsNum, fpsDen }) => [preset, fpsNum / fpsDen]);
    expect(rates).toEqual([
      ['ultrafast', 60],
      ['ultrafast', 40],
      ['ultrafast', 30],
      ['ultrafast', 20],
      ['ultrafast', 15],
    ]);
  });

  test('no rate below 10 fps is chosen and exact rates stay exact', () => {
    const slow = run(new EncodeLoadGovernor(24, 1), begin(24), 120, msFor(900, 900));
    const last = slow.decisions.at(-1);
    expect((last?.fpsNum ?? 0) / (last?.fpsDen ?? 1)).toBe(12);
    const start = {
      nowNs: 0,
      setting: { preset: 'superfast', fpsNum: 5994, fpsDen: 100 },
    } as const;
    const exact = run(new EncodeLoadGovernor(5994, 100), start, 10, msFor(30, 16));
    expect(exact.decisions.slice(1, 3).map(({ fpsNum, fpsDen }) => [fpsNum, fpsDen])).toEqual([
      [3996, 100],
      [2997, 100],
    ]);
  });

  test('it steps up again after ten calm seconds, one step at a time', () => {
    const governor = new EncodeLoadGovernor(60, 1);
    const down = run(governor, begin(60), 10, msFor(30, 15));
    expect(down.end.setting).toMatchObject({ preset: 'ultrafast', fpsNum: 40 });
    const calm = run(governor, down.end, 60, msFor(4, 2));
    expect(calm.decisions.map(({ preset, fpsNum }) => [preset, fpsNum])).toEqual([
      ['ultrafast', 60],
      ['superfast', 60],
    ]);
    expect((calm.decisions[0]?.second ?? 0) - 10).toBeGreaterThanOrEqual(10);
    expect(calm.decisions[0]?.reason).toContain('fast enough again');
  });

  test('a step up that fails makes the next one wait twice as long', () => {
    const governor = new EncodeLoadGovernor(60, 1);
    // ultrafast looks cheap, superfast is far too slow: a machine on the edge.
    const { decisions } = run(governor, begin(60), 400, msFor(12, 3));
    const ups = decisions
      .filter(({ preset }) => preset === 'superfast')
      .map(({ second }) => second);
    const gaps = ups.slice(1).map((second, index) => second - (ups[index] ?? 0));
    expect(ups.length).toBeGreaterThan(2);
    for (let index = 1; index < gaps.length; index += 1) {
      expect(gaps[index] ?? 0).toBeGreaterThan((gaps[index - 1] ?? 0) * 1.5);
    }
  });
});

describe('the rate software encoding starts with', () => {
  const wish = { width: 1920, height: 1080, fpsNum: 60, fpsDen: 1 };

  test('1080p60 is taken on two cores', () => {
    expect(softwareRate(wish, 2)).toEqual({ fpsNum: 60, fpsDen: 1, note: null });
  });

  test('more pixels per second lower the rate below six cores, and the note says so', () => {
    const capped = softwareRate({ ...wish, fpsNum: 120 }, 5);
    expect(capped).toMatchObject({ fpsNum: 60, fpsDen: 1 });
    expect(capped.note).toContain('1920x1080 is encoded at 60 fps');
    expect(softwareRate({ ...wish, width: 2560, height: 1440 }, 2)).toMatchObject({ fpsNum: 30 });
    expect(softwareRate({ ...wish, width: 3840, height: 2160 }, 2)).toMatchObject({ fpsNum: 15 });
    expect(softwareRate({ ...wish, fpsNum: 120 }, 6)).toMatchObject({ fpsNum: 120, note: null });
  });

  test('the lowest step is taken when even that is too much', () => {
    const rate = softwareRate({ width: 4096, height: 4096, fpsNum: 120, fpsDen: 1 }, 1);
    expect(rate).toMatchObject({ fpsNum: 30, fpsDen: 1 });
  });
});
