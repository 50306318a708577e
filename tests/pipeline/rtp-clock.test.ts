import { describe, expect, test } from 'bun:test';
import { RtpClock } from '../../src/pipeline/rtp-clock.ts';

describe('the video clock', () => {
  test('starts at 1 and counts 1500 ticks per frame at 60 fps', () => {
    const clock = new RtpClock();

    expect([0, 1, 2, 5].map((n) => clock.timestamp(7e12 + (n * 1e9) / 60))).toEqual([
      1, 1501, 3001, 7501,
    ]);
  });

  test('rises even when capture times stand still or go back', () => {
    const clock = new RtpClock();

    expect([5e9, 5e9, 4e9, 5e9].map((ns) => clock.timestamp(ns))).toEqual([1, 2, 3, 4]);
  });

  test('wraps after 2^32 ticks without ever being 0', () => {
    const clock = new RtpClock();
    clock.timestamp(0);
    const wrapNs = ((2 ** 32 - 1) / 90_000) * 1e9;

    const values = [0, 1, 2].map((tick) => clock.timestamp(wrapNs + (tick * 1e9) / 90_000));

    expect(values[0]).toBe(1);
    expect(values.every((value) => value > 0 && value < 10)).toBe(true);
  });
});
