import { describe, expect, test } from 'bun:test';
import { SampleRing } from '../../src/audio/sample-ring.ts';

const count = (start: number, length: number) =>
  Float32Array.from({ length }, (_, index) => start + index);

describe('sample ring', () => {
  test('samples come out in order across the wrap', () => {
    const ring = new SampleRing(10);
    const out = new Float32Array(3);
    const heard: number[] = [];

    for (let start = 0; start < 300; start += 3) {
      ring.put(count(start, 3));
      if (ring.take(out)) heard.push(...out);
    }

    expect(heard).toEqual([...count(0, 300)]);
  });

  test('a block is taken whole or not at all', () => {
    const ring = new SampleRing(10);
    ring.put(count(0, 2));
    expect(ring.take(new Float32Array(3))).toBe(false);
    expect(ring.count).toBe(2);
  });

  test.each([4, 11, 25])(
    'an overflow of %i samples keeps the newest and counts the rest',
    (size) => {
      const ring = new SampleRing(10);
      const out = new Float32Array(10);
      ring.put(count(0, 8));
      ring.put(count(8, size));

      expect(ring.take(out)).toBe(true);
      expect([...out]).toEqual([...count(8 + size - 10, 10)]);
      expect(ring.droppedSamples).toBe(size - 2);
    },
  );
});
