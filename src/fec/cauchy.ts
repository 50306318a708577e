/**
 * The Cauchy erasure code of GameStream video: any D of the D + M shards of a block give the rest.
 *
 * parity[j] = Σ inverse((M + i) XOR j) · data[i] in GF(2^8), i < D, j < M, D + M ≤ 255; the matrix
 * depends on M. Scalar: the encoder is the twin of the WASM kernel, recovery serves receivers.
 * Source: GameStream §9.5.
 */
import { inverse, multiply, multiplyAccumulate, scale } from './gf256.ts';

/** Shards of one block, data and parity together. */
export const BLOCK_SHARDS_MAX = 255;

/** Matrix entry for data shard `dataIndex` in parity shard `parityIndex` of a code with M parity shards. */
export function cauchyCoefficient(
  parityShards: number,
  dataIndex: number,
  parityIndex: number,
): number {
  return inverse((parityShards + dataIndex) ^ parityIndex);
}

/** Parity shards over equally long data shards. Allocates; the media path uses the kernel. */
export function encodeParityScalar(
  data: readonly Uint8Array[],
  parityShards: number,
): Uint8Array<ArrayBuffer>[] {
  const bytes = data[0]?.length ?? 0;
  return Array.from({ length: parityShards }, (_, parityIndex) => {
    const parity = new Uint8Array(bytes);
    data.forEach((shard, dataIndex) => {
      multiplyAccumulate(parity, shard, cauchyCoefficient(parityShards, dataIndex, parityIndex));
    });
    return parity;
  });
}

/**
 * Fills the missing data shards of a block in place.
 *
 * @param shards data shards first, then parity; `null` where a shard was lost; equally long
 * @returns false, with nothing changed, when fewer than `dataShards` shards are present
 */
export function recoverDataShards(
  shards: (Uint8Array | null)[],
  dataShards: number,
  parityShards: number,
): boolean {
  const lost: number[] = [];
  for (let index = 0; index < dataShards; index += 1) if (!shards[index]) lost.push(index);
  if (lost.length === 0) return true;
  const rows: number[] = [];
  for (let row = 0; row < parityShards && rows.length < lost.length; row += 1) {
    if (shards[dataShards + row]) rows.push(row);
  }
  if (rows.length < lost.length) return false;

  // Each used parity row minus the data that arrived is an equation in the lost shards only.
  const sums = rows.map((row) => {
    const sum = Uint8Array.from(shards[dataShards + row] ?? []);
    for (let index = 0; index < dataShards; index += 1) {
      const shard = shards[index];
      if (shard) multiplyAccumulate(sum, shard, cauchyCoefficient(parityShards, index, row));
    }
    return sum;
  });
  const matrix = rows.map((row) =>
    Uint8Array.from(lost, (index) => cauchyCoefficient(parityShards, index, row)),
  );
  solve(matrix, sums);
  lost.forEach((index, unknown) => {
    shards[index] = sums[unknown] ?? null;
  });
  return true;
}

/**
 * Gauss–Jordan elimination of `matrix` · x = `sums`, leaving x in `sums`. Every square part of a
 * Cauchy matrix is regular, and so is every Schur complement of one, so no pivot is ever zero.
 */
function solve(matrix: Uint8Array[], sums: Uint8Array[]): void {
  for (let pivot = 0; pivot < matrix.length; pivot += 1) {
    const pivotRow = matrix[pivot];
    const pivotSum = sums[pivot];
    if (!pivotRow || !pivotSum) continue;
    const factor = inverse(pivotRow[pivot] ?? 0);
    scale(pivotRow, factor);
    scale(pivotSum, factor);
    for (let row = 0; row < matrix.length; row += 1) {
      const target = matrix[row];
      const sum = sums[row];
      const weight = target?.[pivot] ?? 0;
      if (row === pivot || !target || !sum || weight === 0) continue;
      for (let column = 0; column < target.length; column += 1) {
        target[column] = (target[column] ?? 0) ^ multiply(weight, pivotRow[column] ?? 0);
      }
      multiplyAccumulate(sum, pivotSum, weight);
    }
  }
}
