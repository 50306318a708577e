import { expect, test } from 'bun:test';
import { listInterfaceAddresses, macOfAddress } from '../../src/net/interfaces.ts';

test('the machine has at least its loopback address', () => {
  const addresses = listInterfaceAddresses();

  expect(addresses.some(({ isInternal, address }) => isInternal && address === '127.0.0.1')).toBe(
    true,
  );
});

test('when the system cannot say, its last answer stands', () => {
  const before = listInterfaceAddresses();

  const after = listInterfaceAddresses(() => {
    throw new Error('getifaddrs returned an error');
  });

  expect(after).toEqual(before);
  expect(macOfAddress('127.0.0.1', after)).toBeNull();
});
