import { expect, test } from 'bun:test';
import { makeHousekeeper } from '../../src/pipeline/housekeeper.ts';

test('a worker is collected every five seconds and not between', () => {
  let nowNs = 0;
  let collections = 0;
  const housekeep = makeHousekeeper(
    () => nowNs,
    () => {
      collections += 1;
    },
  );

  for (; nowNs < 60e9; nowNs += 5e6) housekeep();

  expect(collections).toBe(11);
});
