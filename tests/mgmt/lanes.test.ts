import { describe, expect, test } from 'bun:test';
import { callerOf, isLoopbackAddress } from '../../src/mgmt/lanes.ts';
import { tokenMatcher } from '../../src/mgmt/token.ts';

const TOKEN = 'ab'.repeat(32);
const PAIRED = Uint8Array.of(1, 2, 3);
const keys = {
  isAdminToken: tokenMatcher(TOKEN),
  deviceByCertificate: (der: Uint8Array) =>
    Buffer.compare(der, PAIRED) === 0 ? 'f'.repeat(64) : null,
};

const peer = (address: string, certificateDer: Uint8Array | null = null) => ({
  address,
  certificateDer,
});

describe('the lane of a caller', () => {
  test.each(['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '::FFFF:127.0.0.1'])(
    'the token from %s is the admin lane',
    (address) => {
      expect(callerOf(`Bearer ${TOKEN}`, peer(address), keys)?.lane).toBe('admin');
      expect(isLoopbackAddress(address)).toBe(true);
    },
  );

  test.each(['192.168.1.5', '::ffff:192.168.1.5', 'fe80::1', '', '127.0.0.1.evil', '::ffff:1'])(
    'the token from %p is refused',
    (address) => {
      expect(callerOf(`Bearer ${TOKEN}`, peer(address), keys)).toBeNull();
    },
  );

  test.each([
    `Bearer ${TOKEN.slice(1)}`,
    `Bearer ${TOKEN}0`,
    `Basic ${TOKEN}`,
    'Bearer ',
    '',
    TOKEN,
    `Bearer ${'a'.repeat(300)}`,
  ])('%p is refused, also with a paired certificate', (authorization) => {
    expect(callerOf(authorization, peer('127.0.0.1', PAIRED), keys)).toBeNull();
  });

  test('a paired certificate is the device lane from anywhere', () => {
    expect(callerOf(undefined, peer('10.0.0.9', PAIRED), keys)).toEqual({
      lane: 'device',
      fingerprint: 'f'.repeat(64),
    });
  });

  test('an unknown certificate, and being on this machine, are no credential', () => {
    expect(callerOf(undefined, peer('127.0.0.1', Uint8Array.of(9)), keys)?.lane).toBe('open');
    expect(callerOf(undefined, peer('127.0.0.1'), keys)?.lane).toBe('open');
  });
});
