import { describe, expect, test } from 'bun:test';
import {
  ADDRESSES_MAX,
  addressGroup,
  PairingLimiter,
} from '../../src/gamestream/pairing-limits.ts';

describe('the pairing limiter', () => {
  test('lets 30 attempts through at once over all addresses, then one every 2 s', () => {
    const limiter = new PairingLimiter();
    const takes = (count: number, nowMs: number) =>
      Array.from({ length: count }, (_, n) => limiter.take(`10.0.${n}.1`, nowMs)).filter(Boolean);

    expect(takes(40, 0)).toHaveLength(30);
    expect(takes(40, 1_999)).toHaveLength(0);
    expect(takes(40, 4_000)).toHaveLength(2);
  });

  test(`remembers ${ADDRESSES_MAX} addresses and forgets the quietest`, () => {
    const limiter = new PairingLimiter();
    for (let number = 0; number < 10_000; number += 1) {
      limiter.punish(`10.${number >> 8}.${number & 255}.1`, 0);
    }
    expect(limiter.addressCount).toBe(ADDRESSES_MAX);
  });

  test('a clock that goes back earns nothing', () => {
    const limiter = new PairingLimiter();
    for (let round = 0; round < 10; round += 1) limiter.take('a', 100_000);
    expect(limiter.take('a', 0)).toBe(false);
  });

  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2:ffff::1', '2001:db8:1:2'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['::1', '0:0:0:0'],
    ['::', '0:0:0:0'],
  ])('%s counts as %s', (address, group) => expect(addressGroup(address)).toBe(group));
});
