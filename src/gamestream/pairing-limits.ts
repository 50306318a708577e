/**
 * How often a peer may ask to be paired: token buckets per address and for all together. Only 10^4
 * PINs exist, so what bounds a guesser is how many attempts it gets. Pure; the clock is passed in.
 */

const PER_ADDRESS = { capacity: 10, refillMs: 6_000 } as const;
const TOGETHER = { capacity: 30, refillMs: 2_000 } as const;
/** A wrong PIN costs as much as this many attempts. */
const WRONG_PIN_COST = 4;
/** Addresses remembered; the one that was quiet longest is forgotten first. */
export const ADDRESSES_MAX = 256;

interface Bucket {
  tokens: number;
  filledAtMs: number;
}

export class PairingLimiter {
  readonly #byAddress = new Map<string, Bucket>();
  readonly #together: Bucket = { tokens: TOGETHER.capacity, filledAtMs: 0 };

  /** Takes one attempt for `address`; false when it has to wait. */
  take(address: string, nowMs: number): boolean {
    const own = this.#bucketOf(address, nowMs);
    refill(this.#together, TOGETHER, nowMs);
    if (own.tokens < 1 || this.#together.tokens < 1) return false;
    own.tokens -= 1;
    this.#together.tokens -= 1;
    return true;
  }

  /** Makes the next attempt of `address` come later. */
  punish(address: string, nowMs: number): void {
    const own = this.#bucketOf(address, nowMs);
    own.tokens = Math.max(0, own.tokens - WRONG_PIN_COST);
  }

  get addressCount(): number {
    return this.#byAddress.size;
  }

  #bucketOf(address: string, nowMs: number): Bucket {
    const group = addressGroup(address);
    const bucket = this.#byAddress.get(group) ?? {
      tokens: PER_ADDRESS.capacity,
      filledAtMs: nowMs,
    };
    this.#byAddress.delete(group);
    this.#byAddress.set(group, bucket);
    if (this.#byAddress.size > ADDRESSES_MAX) {
      const quietest = this.#byAddress.keys().next().value;
      if (quietest !== undefined) this.#byAddress.delete(quietest);
    }
    refill(bucket, PER_ADDRESS, nowMs);
    return bucket;
  }
}

/** IPv4 as it is; IPv6 by its /64, which one device fills with addresses of its choice. */
export function addressGroup(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.toLowerCase().split('%')[0]?.split('::') ?? [];
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array<string>(zeros).fill('0'), ...right];
  return groups.slice(0, 4).join(':');
}

function refill(
  bucket: Bucket,
  rule: { readonly capacity: number; readonly refillMs: number },
  nowMs: number,
): void {
  const earned = Math.max(0, nowMs - bucket.filledAtMs) / rule.refillMs;
  bucket.tokens = Math.min(rule.capacity, bucket.tokens + earned);
  bucket.filledAtMs = nowMs;
}
