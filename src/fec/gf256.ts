/**
 * The field GF(2^8) with polynomial 0x11D and generator 2, in plain TypeScript.
 *
 * Twin of the WASM kernel: it defines the arithmetic, serves tests and recovery, and never runs on
 * the host's media path.
 */

const POLYNOMIAL = 0x11d;
const ORDER = 255;

const EXP = new Uint8Array(2 * ORDER);
const LOG = new Uint8Array(256);
for (let power = 0, value = 1; power < ORDER; power += 1) {
  EXP[power] = value;
  EXP[power + ORDER] = value;
  LOG[value] = power;
  value <<= 1;
  if (value > 255) value ^= POLYNOMIAL;
}

/** All products a·b at index `a << 8 | b`. */
const PRODUCTS = new Uint8Array(65536);
for (let a = 1; a < 256; a += 1) {
  for (let b = 1; b < 256; b += 1) {
    PRODUCTS[(a << 8) | b] = EXP[(LOG[a] ?? 0) + (LOG[b] ?? 0)] ?? 0;
  }
}

/** a·b for bytes a and b. */
export function multiply(a: number, b: number): number {
  return PRODUCTS[(a << 8) | b] ?? 0;
}

/** 1/a for a in 1…255; 0 has no inverse and gives 0. */
export function inverse(a: number): number {
  return a === 0 ? 0 : (EXP[ORDER - (LOG[a] ?? 0)] ?? 0);
}

/** target ^= factor · source, over the bytes both have. */
export function multiplyAccumulate(target: Uint8Array, source: Uint8Array, factor: number): void {
  const bytes = Math.min(target.length, source.length);
  const row = factor << 8;
  for (let index = 0; index < bytes; index += 1) {
    target[index] = (target[index] ?? 0) ^ (PRODUCTS[row | (source[index] ?? 0)] ?? 0);
  }
}

/** target = factor · target. */
export function scale(target: Uint8Array, factor: number): void {
  const row = factor << 8;
  for (let index = 0; index < target.length; index += 1) {
    target[index] = PRODUCTS[row | (target[index] ?? 0)] ?? 0;
  }
}
