import { describe, expect, test } from 'bun:test';
import type { InterfaceAddress } from '../../src/net/interfaces.ts';
import { linkOfPeer, planLinks } from '../../src/net/mdns-links.ts';
import { hostLabel, instanceLabel, renamedLabel } from '../../src/net/mdns-names.ts';

describe('labels', () => {
  test.each([
    ['den', 'den'],
    ['Living Room PC', 'Living-Room-PC'],
    ['tom.example.org', 'tom'],
    ["Tom's PC", 'Tom'],
    ['-x-', 'x'],
    ['', 'punktfunk'],
    ['漢字', 'punktfunk'],
    ['a'.repeat(80), 'a'.repeat(63)],
  ])('host %j is announced as %j', (hostname, label) =>
    expect(instanceLabel(hostname)).toBe(label),
  );

  test('a host label comes from the unique id', () => {
    expect(hostLabel('5F0B2A52-0000-4000-8000-000000000001')).toBe('punktfunk-5f0b2a520000');
    expect(hostLabel('')).toBe('punktfunk-host');
  });

  test('renaming keeps within 63 bytes', () => {
    expect(renamedLabel('den', 1)).toBe('den');
    expect(renamedLabel('den', 2)).toBe('den-2');
    expect(renamedLabel('a'.repeat(63), 100)).toBe(`${'a'.repeat(59)}-100`);
  });
});

describe('links', () => {
  const entry = (
    interfaceName: string,
    address: string,
    prefixLength: number,
    isInternal = false,
  ): InterfaceAddress => ({
    interfaceName,
    address,
    family: address.includes(':') ? 'IPv6' : 'IPv4',
    prefixLength,
    mac: '02:00:00:00:00:01',
    isInternal,
  });
  const addresses = [
    entry('lo', '127.0.0.1', 8, true),
    entry('eth0', '192.0.2.1', 24),
    entry('eth0', '10.1.2.3', 8),
    entry('eth0', '2001:db8::1', 64),
    entry('eth0', 'fe80::1', 64),
    entry('wlan0', '198.51.100.7', 28),
    entry('wlan0', 'fe80::2', 64),
  ];
  const links = planLinks(addresses);

  test('are one per interface and family, with all addresses of the interface, without loopback', () => {
    expect(links.map(({ key, socketAddress }) => `${key} ${socketAddress}`)).toEqual([
      'eth0/IPv4 192.0.2.1',
      'wlan0/IPv4 198.51.100.7',
      'eth0/IPv6 fe80::1',
      'wlan0/IPv6 fe80::2',
    ]);
    expect(links[0]?.addresses).toEqual(['10.1.2.3', '192.0.2.1', '2001:db8::1', 'fe80::1']);
  });

  test('are 16 at most', () => {
    const many = Array.from({ length: 300 }, (_, n) => entry(`br${n}`, `10.0.${n % 250}.1`, 24));
    expect(planLinks(many)).toHaveLength(16);
  });

  test.each([
    ['192.0.2.200', 'eth0/IPv4'],
    ['10.255.0.1', 'eth0/IPv4'],
    ['198.51.100.1', 'wlan0/IPv4'],
    ['198.51.100.17', null],
    ['203.0.113.1', null],
    ['fe80::99%wlan0', 'wlan0/IPv6'],
    ['fe80::99%eth1', null],
    ['2001:db8::ffff', 'eth0/IPv6'],
    ['2001:db8:1::1', null],
    ['', null],
    ['1.2.3', null],
    ['999.0.2.1', null],
    [':::', null],
  ])('a datagram of %s came in on %p', (address, key) => {
    expect(linkOfPeer(address, links)?.key ?? null).toBe(key);
  });
});
