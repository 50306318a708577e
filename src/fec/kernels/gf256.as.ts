/**
 * GF(2^8) parity kernel (AssemblyScript, 128-bit SIMD).
 *
 * Multiplication by a constant is linear, so a product is the XOR of two sixteen-entry look-ups, one
 * per nibble. `tables` holds 256 entries of 32 bytes: entry x is [low-nibble products, high-nibble
 * products] of the inverse of x, the form in which Cauchy coefficients inv((M + i) XOR j) come.
 *
 * Parity rows are accumulated in registers over all data shards, four rows of 32 bytes at a time:
 * every source byte is split into nibbles once per four rows and parity is written once, never read.
 * The last column step overlaps the one before it, so any length from 32 bytes works.
 */

// Nibble indices are below 16, where relaxed and plain swizzle agree on every machine.
// @ts-ignore: decorator
@inline
function product(low: v128, high: v128, lowNibbles: v128, highNibbles: v128): v128 {
  return v128.xor(i8x16.relaxed_swizzle(low, lowNibbles), i8x16.relaxed_swizzle(high, highNibbles));
}

/**
 * Computes `parityShards` rows over `dataShards` shards of `bytes` bytes.
 * Shard i lies at `data + i * stride`, row j at `parity + j * stride`.
 */
export function encodeParity(
  tables: usize,
  data: usize,
  dataShards: i32,
  parity: usize,
  parityShards: i32,
  stride: usize,
  bytes: usize,
): void {
  if (bytes < 32) {
    for (let row = 0; row < parityShards; row++) {
      encodeNarrow(tables, data, dataShards, parity, parityShards, row, stride, bytes);
    }
    return;
  }
  let row = 0;
  for (; row + 4 <= parityShards; row += 4) {
    encodeFour(tables, data, dataShards, parity, parityShards, row, stride, bytes);
  }
  const rest = parityShards - row;
  if (rest == 3 && row > 0) {
    // Recomputing one finished row costs less than a pass of two and a pass of one.
    encodeFour(tables, data, dataShards, parity, parityShards, row - 1, stride, bytes);
    return;
  }
  if (rest >= 2) {
    encodeTwo(tables, data, dataShards, parity, parityShards, row, stride, bytes);
    row += 2;
  }
  if (row < parityShards) {
    encodeOne(tables, data, dataShards, parity, parityShards, row, stride, bytes);
  }
}

/** dst ^= inverse(x) · src over `bytes` bytes. */
export function multiplyAccumulate(tables: usize, x: i32, src: usize, dst: usize, bytes: usize): void {
  const table = tables + ((<usize>x) << 5);
  const low = v128.load(table);
  const high = v128.load(table, 16);
  const mask = i8x16.splat(15);
  let k: usize = 0;
  for (; k + 16 <= bytes; k += 16) {
    const s = v128.load(src + k);
    const added = product(low, high, v128.and(s, mask), i8x16.shr_u(s, 4));
    v128.store(dst + k, v128.xor(v128.load(dst + k), added));
  }
  for (; k < bytes; k++) {
    store<u8>(dst + k, load<u8>(dst + k) ^ scalarProduct(table, load<u8>(src + k)));
  }
}

// @ts-ignore: decorator
@inline
function scalarProduct(table: usize, value: u8): u8 {
  return load<u8>(table + <usize>(value & 15)) ^ load<u8>(table + 16 + <usize>(value >> 4));
}

function encodeNarrow(
  tables: usize,
  data: usize,
  dataShards: i32,
  parity: usize,
  parityShards: i32,
  row: i32,
  stride: usize,
  bytes: usize,
): void {
  for (let k: usize = 0; k < bytes; k++) {
    let sum: u8 = 0;
    for (let i = 0; i < dataShards; i++) {
      const table = tables + ((<usize>((parityShards + i) ^ row)) << 5);
      sum ^= scalarProduct(table, load<u8>(data + <usize>i * stride + k));
    }
    store<u8>(parity + <usize>row * stride + k, sum);
  }
}

function encodeFour(
  tables: usize,
  data: usize,
  dataShards: i32,
  parity: usize,
  parityShards: i32,
  row: i32,
  stride: usize,
  bytes: usize,
): void {
  const mask = i8x16.splat(15);
  const zero = i64x2.splat(0);
  let k: usize = 0;
  while (true) {
    let a0 = zero;
    let a1 = zero;
    let b0 = zero;
    let b1 = zero;
    let c0 = zero;
    let c1 = zero;
    let d0 = zero;
    let d1 = zero;
    let src = data + k;
    for (let i = 0; i < dataShards; i++, src += stride) {
      const x = parityShards + i;
      const s0 = v128.load(src);
      const s1 = v128.load(src, 16);
      const l0 = v128.and(s0, mask);
      const h0 = i8x16.shr_u(s0, 4);
      const l1 = v128.and(s1, mask);
      const h1 = i8x16.shr_u(s1, 4);
      let t = tables + ((<usize>(x ^ row)) << 5);
      let low = v128.load(t);
      let high = v128.load(t, 16);
      a0 = v128.xor(a0, product(low, high, l0, h0));
      a1 = v128.xor(a1, product(low, high, l1, h1));
      t = tables + ((<usize>(x ^ (row + 1))) << 5);
      low = v128.load(t);
      high = v128.load(t, 16);
      b0 = v128.xor(b0, product(low, high, l0, h0));
      b1 = v128.xor(b1, product(low, high, l1, h1));
      t = tables + ((<usize>(x ^ (row + 2))) << 5);
      low = v128.load(t);
      high = v128.load(t, 16);
      c0 = v128.xor(c0, product(low, high, l0, h0));
      c1 = v128.xor(c1, product(low, high, l1, h1));
      t = tables + ((<usize>(x ^ (row + 3))) << 5);
      low = v128.load(t);
      high = v128.load(t, 16);
      d0 = v128.xor(d0, product(low, high, l0, h0));
      d1 = v128.xor(d1, product(low, high, l1, h1));
    }
    let p = parity + <usize>row * stride + k;
    v128.store(p, a0);
    v128.store(p, a1, 16);
    p += stride;
    v128.store(p, b0);
    v128.store(p, b1, 16);
    p += stride;
    v128.store(p, c0);
    v128.store(p, c1, 16);
    p += stride;
    v128.store(p, d0);
    v128.store(p, d1, 16);
    if (k + 32 >= bytes) return;
    k += 32;
    if (k + 32 > bytes) k = bytes - 32;
  }
}

function encodeTwo(
  tables: usize,
  data: usize,
  dataShards: i32,
  parity: usize,
  parityShards: i32,
  row: i32,
  stride: usize,
  bytes: usize,
): void {
  const mask = i8x16.splat(15);
  const zero = i64x2.splat(0);
  let k: usize = 0;
  while (true) {
    let a0 = zero;
    let a1 = zero;
    let b0 = zero;
    let b1 = zero;
    let src = data + k;
    for (let i = 0; i < dataShards; i++, src += stride) {
      const x = parityShards + i;
      const s0 = v128.load(src);
      const s1 = v128.load(src, 16);
      const l0 = v128.and(s0, mask);
      const h0 = i8x16.shr_u(s0, 4);
      const l1 = v128.and(s1, mask);
      const h1 = i8x16.shr_u(s1, 4);
      let t = tables + ((<usize>(x ^ row)) << 5);
      let low = v128.load(t);
      let high = v128.load(t, 16);
      a0 = v128.xor(a0, product(low, high, l0, h0));
      a1 = v128.xor(a1, product(low, high, l1, h1));
      t = tables + ((<usize>(x ^ (row + 1))) << 5);
      low = v128.load(t);
      high = v128.load(t, 16);
      b0 = v128.xor(b0, product(low, high, l0, h0));
      b1 = v128.xor(b1, product(low, high, l1, h1));
    }
    let p = parity + <usize>row * stride + k;
    v128.store(p, a0);
    v128.store(p, a1, 16);
    p += stride;
    v128.store(p, b0);
    v128.store(p, b1, 16);
    if (k + 32 >= bytes) return;
    k += 32;
    if (k + 32 > bytes) k = bytes - 32;
  }
}

function encodeOne(
  tables: usize,
  data: usize,
  dataShards: i32,
  parity: usize,
  parityShards: i32,
  row: i32,
  stride: usize,
  bytes: usize,
): void {
  const mask = i8x16.splat(15);
  const zero = i64x2.splat(0);
  let k: usize = 0;
  while (true) {
    let a0 = zero;
    let a1 = zero;
    let src = data + k;
    for (let i = 0; i < dataShards; i++, src += stride) {
      const s0 = v128.load(src);
      const s1 = v128.load(src, 16);
      const t = tables + ((<usize>((parityShards + i) ^ row)) << 5);
      const low = v128.load(t);
      const high = v128.load(t, 16);
      a0 = v128.xor(a0, product(low, high, v128.and(s0, mask), i8x16.shr_u(s0, 4)));
      a1 = v128.xor(a1, product(low, high, v128.and(s1, mask), i8x16.shr_u(s1, 4)));
    }
    const p = parity + <usize>row * stride + k;
    v128.store(p, a0);
    v128.store(p, a1, 16);
    if (k + 32 >= bytes) return;
    k += 32;
    if (k + 32 > bytes) k = bytes - 32;
  }
}
