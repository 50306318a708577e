/**
 * The WASM parity kernel bound to one memory: shards and parity lie in that memory and are named by
 * byte offsets, so nothing is copied.
 */
import { inverse, multiply } from './gf256.ts';

/** Bytes of the look-up tables; their offset is a multiple of 16. */
export const PARITY_TABLE_BYTES = 256 * 32;

export interface ParityKernel {
  /**
   * Writes `parityShards` shards over `dataShards` shards of `bytes` bytes, all `strideBytes` apart.
   * D + M ≤ 255; the caller keeps every offset inside the memory.
   */
  encode(
    dataOffsetBytes: number,
    dataShards: number,
    parityOffsetBytes: number,
    parityShards: number,
    strideBytes: number,
    bytes: number,
  ): void;
  /** target ^= factor · source over `bytes` bytes. */
  multiplyAccumulate(
    factor: number,
    sourceOffsetBytes: number,
    targetOffsetBytes: number,
    bytes: number,
  ): void;
}

/** Look-up tables of the kernel: entry x holds the nibble products of the inverse of x. */
export function parityTables(): Uint8Array<ArrayBuffer> {
  const tables = new Uint8Array(PARITY_TABLE_BYTES);
  for (let x = 0; x < 256; x += 1) {
    const factor = inverse(x);
    for (let nibble = 0; nibble < 16; nibble += 1) {
      tables[x * 32 + nibble] = multiply(factor, nibble);
      tables[x * 32 + 16 + nibble] = multiply(factor, nibble << 4);
    }
  }
  return tables;
}

/**
 * Binds the compiled kernel to `memory` and writes its tables at `tablesOffsetBytes`
 * ({@link PARITY_TABLE_BYTES} bytes there belong to the kernel from then on).
 */
export function bindParityKernel(
  kernel: WebAssembly.Module,
  memory: WebAssembly.Memory,
  tablesOffsetBytes: number,
): ParityKernel {
  new Uint8Array(memory.buffer, tablesOffsetBytes, PARITY_TABLE_BYTES).set(parityTables());
  const { exports } = new WebAssembly.Instance(kernel, { env: { memory } });
  const encodeParity = exports['encodeParity'] as (...values: number[]) => void;
  const macc = exports['multiplyAccumulate'] as (...values: number[]) => void;
  return {
    encode(data, dataShards, parity, parityShards, stride, bytes) {
      encodeParity(tablesOffsetBytes, data, dataShards, parity, parityShards, stride, bytes);
    },
    multiplyAccumulate(factor, source, target, bytes) {
      macc(tablesOffsetBytes, inverse(factor), source, target, bytes);
    },
  };
}
