/**
 * Repeatable randomness for property tests: the seed is printed, and `SEED=<number>` re-runs it.
 */

export interface SeededRandom {
  readonly seed: number;
  /** Unsigned 32-bit value. */
  next(): number;
  /** Whole number in `low`…`high`, both included. */
  int(low: number, high: number): number;
  bytes(count: number): Uint8Array<ArrayBuffer>;
}

/** A generator for the test called `name`, seeded from `SEED` or the clock. */
export function seededRandom(name: string): SeededRandom {
  const given = Number(process.env['SEED']);
  const seed = (Number.isInteger(given) && given !== 0 ? given : Date.now()) >>> 0 || 1;
  console.log(`${name}: SEED=${seed}`);
  let state = seed;
  const next = (): number => {
    // Marsaglia's xorshift32, then a multiply so that low bits are as good as high ones.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.imul(state, 0x9e3779b1) >>> 0;
  };
  return {
    seed,
    next,
    int: (low, high) => low + Math.floor((next() / 2 ** 32) * (high - low + 1)),
    bytes: (count) => {
      const bytes = new Uint8Array(new ArrayBuffer(count));
      for (let index = 0; index < count; index += 1) bytes[index] = next() >>> 24;
      return bytes;
    },
  };
}
