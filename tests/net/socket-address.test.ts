import { describe, expect, test } from 'bun:test';
import { isIPv6 } from 'node:net';
import {
  packSocketAddress,
  parseIpv4,
  parseIpv6,
  unpackSocketAddress,
} from '../../src/net/socket-address.ts';
import { seededRandom } from '../support/random.ts';

const hex = (bytes: Uint8Array | null) => bytes && Buffer.from(bytes).toString('hex');

describe('packing', () => {
  test('IPv4 becomes the sixteen bytes of sockaddr_in', () => {
    expect(hex(packSocketAddress('192.168.1.2', 47998, 'ipv4'))).toBe(
      '0200bb7ec0a801020000000000000000',
    );
  });

  test('IPv6 becomes the 28 bytes of sockaddr_in6', () => {
    expect(hex(packSocketAddress('2001:db8::1', 47998, 'ipv6'))).toBe(
      '0a00bb7e0000000020010db800000000000000000000000100000000',
    );
  });

  test('IPv4 on an IPv6 socket is mapped, and shown as IPv4 again', () => {
    const packed = packSocketAddress('10.0.0.7', 5, 'ipv6');

    expect(hex(packed)).toBe('0a00000500000000' + '00000000000000000000ffff0a000007' + '00000000');
    expect(packed && unpackSocketAddress(packed)).toEqual({
      family: 'ipv6',
      address: '10.0.0.7',
      port: 5,
      scopeId: 0,
    });
  });

  test('a link-local address keeps its interface index', () => {
    const packed = packSocketAddress('fe80::1%3', 5, 'ipv6');

    expect(packed && unpackSocketAddress(packed)).toMatchObject({ address: 'fe80::1', scopeId: 3 });
  });

  test.each([
    ['not an address', 'host.example', 1, 'ipv6'],
    ['an IPv6 address for an IPv4 socket', '::1', 1, 'ipv4'],
    ['port 65536', '10.0.0.1', 65536, 'ipv4'],
    ['a fraction of a port', '10.0.0.1', 1.5, 'ipv4'],
    ['an interface name', 'fe80::1%eth0', 1, 'ipv6'],
  ] as const)('%s is refused', (_, address, port, family) => {
    expect(packSocketAddress(address, port, family)).toBeNull();
  });
});

describe('parsing', () => {
  test.each(['', '1.2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', '1.2.3.-4', ' 1.2.3.4'])(
    'IPv4 text %p is refused',
    (text) => {
      expect(parseIpv4(text)).toBeNull();
    },
  );

  test.each(['', ':', ':::', '1::2::3', '12345::', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', 'g::'])(
    'IPv6 text %p is refused',
    (text) => {
      expect(parseIpv6(text)).toBeNull();
    },
  );

  test.each([
    '::',
    '::1',
    '1::',
    'fe80::a:b',
    '1:2:3:4:5:6:7:8',
    '::ffff:1.2.3.4',
    '64:ff9b::1.2.3.4',
  ])('IPv6 text %p is read', (text) => {
    expect(parseIpv6(text)?.length).toBe(16);
  });

  test('agrees with the runtime about what an IPv6 address is, for 100 000 texts', () => {
    const random = seededRandom('ipv6');
    const alphabet = '0123456789abcdefF:::.. ';
    for (let round = 0; round < 100_000; round += 1) {
      let text = '';
      for (let length = random.int(0, 24); length > 0; length -= 1) {
        text += alphabet[random.int(0, alphabet.length - 1)];
      }
      if ((parseIpv6(text) === null) === isIPv6(text)) throw new Error(`disagrees about "${text}"`);
    }
  });

  test('every IPv6 address survives packing and its canonical text', () => {
    const random = seededRandom('ipv6 round trip');
    for (let round = 0; round < 2000; round += 1) {
      const bytes = random.bytes(16).map((byte) => (random.int(0, 2) === 0 ? byte : 0));
      const packed = new Uint8Array(28);
      packed[0] = 10;
      packed.set(bytes, 8);
      const address = unpackSocketAddress(packed)?.address ?? '';
      expect(hex(packSocketAddress(address, 0, 'ipv6'))).toBe(hex(packed));
    }
  });

  test('truncated and foreign packed addresses are refused', () => {
    const packed = packSocketAddress('2001:db8::1', 1, 'ipv6') ?? new Uint8Array();
    for (let length = 0; length < 28; length += 1) {
      expect(unpackSocketAddress(packed.subarray(0, length))).toBeNull();
    }
    expect(unpackSocketAddress(new Uint8Array(28).fill(0xff))).toBeNull();
  });
});
