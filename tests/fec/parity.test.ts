import { describe, expect, test } from 'bun:test';
import { crc32 } from 'node:zlib';
import {
  BLOCK_SHARDS_MAX,
  cauchyCoefficient,
  encodeParityScalar,
  recoverDataShards,
} from '../../src/fec/cauchy.ts';
import { inverse, multiply } from '../../src/fec/gf256.ts';
import { bindParityKernel, PARITY_TABLE_BYTES } from '../../src/fec/parity-kernel.ts';
import { loadParityModule } from '../../src/pipeline/parity-module.ts';
import vectors from '../fixtures/gamestream-fec.json';
import { seededRandom } from '../support/random.ts';

const PAGES = 16;
const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
const kernel = bindParityKernel(loadParityModule(), memory, 0);
const bytes = new Uint8Array(memory.buffer);

function encodeByKernel(data: readonly Uint8Array[], parityShards: number, strideBytes: number) {
  const size = data[0]?.length ?? 0;
  const from = PARITY_TABLE_BYTES;
  const to = from + data.length * strideBytes;
  bytes.fill(0xee, from, to + (parityShards + 1) * strideBytes);
  data.forEach((shard, index) => {
    bytes.set(shard, from + index * strideBytes);
  });
  kernel.encode(from, data.length, to, parityShards, strideBytes, size);
  const rest = bytes.subarray(to + parityShards * strideBytes - (strideBytes - size));
  const untouched = rest.subarray(0, strideBytes - size + strideBytes).every((b) => b === 0xee);
  const parity = Array.from({ length: parityShards }, (_, row) =>
    bytes.slice(to + row * strideBytes, to + row * strideBytes + size),
  );
  return { parity, untouched };
}

function dataOf(item: (typeof vectors.cases)[number]): Uint8Array[] {
  if ('data' in item && item.data) return item.data.map((hex) => Buffer.from(hex, 'hex'));
  return Array.from({ length: item.dataShards }, (_, i) =>
    Uint8Array.from(
      { length: item.shardBytes },
      (_, k) => (i * 31 + k * 7 + ((i * k) >> 3) + 5) & 255,
    ),
  );
}

describe('the field', () => {
  test('every non-zero element times its inverse is one', () => {
    for (let a = 1; a < 256; a += 1) expect(multiply(a, inverse(a))).toBe(1);
  });

  test('multiplication distributes over addition', () => {
    for (let a = 0; a < 256; a += 1) {
      const b = (a * 89 + 7) & 255;
      const c = (a * 151 + 3) & 255;
      expect(multiply(a, b ^ c)).toBe(multiply(a, b) ^ multiply(a, c));
    }
  });
});

describe.each(vectors.cases)(
  'recorded block $dataShards+$parityShards of $shardBytes bytes',
  (item) => {
    const data = dataOf(item);
    const crcs = (parity: Uint8Array[]) =>
      parity.map((shard) => crc32(shard).toString(16).padStart(8, '0'));

    test('the matrix is the recorded one', () => {
      const { matrix } = item as { matrix?: string[] };

      matrix?.forEach((row, j) => {
        const ours = Uint8Array.from({ length: item.dataShards }, (_, i) =>
          cauchyCoefficient(item.parityShards, i, j),
        );
        expect(Buffer.from(ours).toString('hex')).toBe(row);
      });
    });

    test('the scalar code makes the recorded parity', () => {
      expect(crcs(encodeParityScalar(data, item.parityShards))).toEqual(item.parityCrc32);
    });

    test('the kernel makes the recorded parity and writes nothing else', () => {
      const { parity, untouched } = encodeByKernel(data, item.parityShards, item.shardBytes + 16);

      expect(crcs(parity)).toEqual(item.parityCrc32);
      expect(untouched).toBe(true);
    });

    test('the recorded erasures recover', () => {
      const shards = [...data, ...encodeParityScalar(data, item.parityShards)];
      const damaged: (Uint8Array | null)[] = [...shards];
      for (const index of item.erased) damaged[index] = null;

      const recovered = recoverDataShards(damaged, item.dataShards, item.parityShards);

      expect(recovered).toBe(item.recovered);
      expect(damaged.slice(0, item.dataShards)).toEqual(data);
    });
  },
);

describe('random blocks', () => {
  test('kernel and scalar code agree for any shape, and any D of D + M shards give the data', () => {
    const random = seededRandom('fec');
    for (let round = 0; round < 400; round += 1) {
      const parityShards = random.int(0, 40);
      const dataShards = random.int(1, Math.min(60, BLOCK_SHARDS_MAX - parityShards));
      const size = random.int(1, 200);
      const data = Array.from({ length: dataShards }, () => random.bytes(size));

      const parity = encodeParityScalar(data, parityShards);
      const byKernel = encodeByKernel(data, parityShards, size + random.int(0, 40));
      expect(byKernel.parity).toEqual(parity);
      expect(byKernel.untouched).toBe(true);

      const shards: (Uint8Array | null)[] = [...data, ...parity];
      for (let lost = random.int(0, parityShards); lost > 0; lost -= 1) {
        shards[random.int(0, shards.length - 1)] = null;
      }
      expect(recoverDataShards(shards, dataShards, parityShards)).toBe(true);
      expect(shards.slice(0, dataShards)).toEqual(data);
    }
  });

  test('the largest block, 212 + 43, recovers from 43 lost data shards', () => {
    const random = seededRandom('fec-large');
    const data = Array.from({ length: 212 }, () => random.bytes(64));
    const shards: (Uint8Array | null)[] = [...data, ...encodeParityScalar(data, 43)];
    for (let index = 0; index < 43; index += 1) shards[index * 4] = null;

    expect(recoverDataShards(shards, 212, 43)).toBe(true);
    expect(shards.slice(0, 212)).toEqual(data);
  });

  test('one shard too few leaves the block as it was', () => {
    const data = [Uint8Array.of(1, 2), Uint8Array.of(3, 4), Uint8Array.of(5, 6)];
    const parity = encodeParityScalar(data, 1);
    const shards = [null, null, data[2] ?? null, parity[0] ?? null];

    expect(recoverDataShards(shards, 3, 1)).toBe(false);
    expect(shards[0]).toBeNull();
  });

  test('multiply-accumulate of the kernel equals the scalar one at every length', () => {
    const random = seededRandom('mac');
    const at = PARITY_TABLE_BYTES;
    for (let size = 0; size < 100; size += 1) {
      const source = random.bytes(size);
      const target = random.bytes(size);
      const factor = random.int(0, 255);
      bytes.set(source, at);
      bytes.set(target, at + 1024);

      kernel.multiplyAccumulate(factor, at, at + 1024, size);

      const expected = target.map((value, k) => value ^ multiply(factor, source[k] ?? 0));
      expect(bytes.slice(at + 1024, at + 1024 + size)).toEqual(expected);
    }
  });
});
