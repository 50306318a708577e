import { describe, expect, test } from 'bun:test';
import { editDistance, nearestWord } from '../../src/config/nearest.ts';

describe('the nearest word', () => {
  test.each([
    ['', '', 0],
    ['abc', 'abc', 0],
    ['abc', 'acb', 1],
    ['abc', 'ab', 1],
    ['abc', 'xbc', 1],
    ['', 'abc', 3],
    ['kitten', 'sitting', 3],
  ])('%p and %p are %d apart', (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
    expect(editDistance(b, a)).toBe(distance);
  });

  test('something far away is not suggested', () => {
    expect(nearestWord('sevre', ['serve', 'ctl'])).toBe('serve');
    expect(nearestWord('x', ['serve', 'ctl'])).toBeNull();
    expect(nearestWord('zzzzz', ['serve', 'ctl'])).toBeNull();
  });
});
