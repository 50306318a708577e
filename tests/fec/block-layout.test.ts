import { describe, expect, test } from 'bun:test';
import {
  emptyLayout,
  layOutBlocks,
  maxDataShards,
  parityShardsOfField,
  percentFieldFor,
} from '../../src/fec/block-layout.ts';

const rule = (parityPct: number, minParityShards = 0) => ({ parityPct, minParityShards });

function layOut(shardCount: number, parityPct: number) {
  const layout = emptyLayout();
  const fits = layOutBlocks(shardCount, maxDataShards(rule(parityPct)), parityPct, layout);
  return { ...layout, fits };
}

describe('parity of one block', () => {
  test.each([
    { dataShards: 1, parityPct: 20, min: 2, field: 200, parity: 2 },
    { dataShards: 4, parityPct: 20, min: 2, field: 50, parity: 2 },
    { dataShards: 5, parityPct: 20, min: 2, field: 40, parity: 2 },
    { dataShards: 10, parityPct: 20, min: 2, field: 20, parity: 2 },
    { dataShards: 11, parityPct: 20, min: 2, field: 20, parity: 3 },
    { dataShards: 212, parityPct: 20, min: 2, field: 20, parity: 43 },
    { dataShards: 71, parityPct: 255, min: 0, field: 255, parity: 182 },
    { dataShards: 100, parityPct: 0, min: 2, field: 0, parity: 0 },
  ])(
    '$dataShards data shards at $parityPct % with at least $min have $parity, told as $field %',
    ({ dataShards, parityPct, min, field, parity }) => {
      expect(percentFieldFor(dataShards, rule(parityPct, min))).toBe(field);
      expect(parityShardsOfField(dataShards, field)).toBe(parity);
    },
  );

  test('every block up to the largest has at least the minimum, and fits the code', () => {
    for (const parityPct of [1, 2, 5, 10, 20, 33, 50, 100, 200, 255]) {
      for (const min of [0, 1, 2, 3, 4, 10, 30]) {
        const most = maxDataShards(rule(parityPct, min));
        for (let dataShards = 1; dataShards <= most; dataShards += 1) {
          const field = percentFieldFor(dataShards, rule(parityPct, min));
          const parity = parityShardsOfField(dataShards, field);
          expect(field).toBeWithin(1, 256);
          expect(dataShards + parity).toBeLessThanOrEqual(255);
          // One byte of percent bounds what a tiny block can ask for.
          if (field < 255) expect(parity).toBeGreaterThanOrEqual(min);
          expect(parity).toBeGreaterThanOrEqual(Math.ceil((dataShards * parityPct) / 100));
        }
      }
    }
  });

  test.each([
    [20, 212],
    [0, 255],
    [255, 71],
    [100, 127],
  ])('at %i %% the largest block has %i data shards', (parityPct, most) => {
    expect(maxDataShards(rule(parityPct))).toBe(most);
  });
});

describe('blocks of a frame', () => {
  test.each([
    { shards: 1, blocks: 1, each: 1, last: 1 },
    { shards: 212, blocks: 1, each: 212, last: 212 },
    { shards: 213, blocks: 2, each: 107, last: 106 },
    { shards: 425, blocks: 3, each: 142, last: 141 },
    { shards: 848, blocks: 4, each: 212, last: 212 },
  ])('$shards shards at 20 % are $blocks blocks of $each, the last of $last', (item) => {
    expect(layOut(item.shards, 20)).toEqual({
      fits: true,
      blockCount: item.blocks,
      dataShards: item.each,
      lastDataShards: item.last,
      parityPct: 20,
      isOversize: false,
    });
  });

  test('one shard above four full blocks has no parity', () => {
    expect(layOut(849, 20)).toMatchObject({
      fits: true,
      blockCount: 4,
      parityPct: 0,
      isOversize: true,
    });
  });

  test('4092 shards are the most, one more does not fit', () => {
    expect(layOut(4092, 20)).toMatchObject({ fits: true, dataShards: 1023, lastDataShards: 1023 });
    expect(layOut(4093, 20).fits).toBe(false);
  });

  test('every count splits into at most four blocks that add up', () => {
    for (const parityPct of [0, 5, 20, 255]) {
      for (let shards = 1; shards <= 4092; shards += 1) {
        const layout = layOut(shards, parityPct);
        expect(layout.blockCount).toBeWithin(1, 5);
        expect(layout.lastDataShards).toBeWithin(1, layout.dataShards + 1);
        const total = (layout.blockCount - 1) * layout.dataShards + layout.lastDataShards;
        expect(total).toBe(shards);
      }
    }
  });
});
