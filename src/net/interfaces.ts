/** Network interfaces of this machine: addresses, subnets and MACs, as plain records. */
import { networkInterfaces } from 'node:os';

export interface InterfaceAddress {
  readonly interfaceName: string;
  readonly address: string;
  readonly family: 'IPv4' | 'IPv6';
  /** Prefix length of the subnet. */
  readonly prefixLength: number;
  readonly mac: string;
  readonly isInternal: boolean;
}

const ZERO_MAC = '00:00:00:00:00:00';

let lastAnswer: readonly InterfaceAddress[] = [];

/**
 * Every address of this machine, internal ones too. Where the system cannot say (no file descriptor
 * is left), its last answer stands.
 */
export function listInterfaceAddresses(ask = networkInterfaces): readonly InterfaceAddress[] {
  try {
    lastAnswer = flatten(ask());
  } catch {
    // Asked again soon enough by whoever follows the addresses.
  }
  return lastAnswer;
}

function flatten(byName: ReturnType<typeof networkInterfaces>): readonly InterfaceAddress[] {
  return Object.entries(byName).flatMap(([interfaceName, addresses]) =>
    (addresses ?? []).map((entry) => ({
      interfaceName,
      address: entry.address,
      family: entry.family === 'IPv4' ? ('IPv4' as const) : ('IPv6' as const),
      prefixLength: Number(entry.cidr?.split('/')[1] ?? (entry.family === 'IPv4' ? 32 : 128)),
      mac: entry.mac,
      isInternal: entry.internal,
    })),
  );
}

/** `::ffff:192.0.2.1` → `192.0.2.1`, the zone of `fe80::1%eth0` is cut off, lower case. */
export function normaliseAddress(address: string): string {
  const bare = (address.split('%')[0] ?? '').toLowerCase();
  return /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/.exec(bare)?.[1] ?? bare;
}

/** MAC of the interface that has `address`; null for internal and unknown ones. */
export function macOfAddress(
  address: string,
  addresses: readonly InterfaceAddress[] = listInterfaceAddresses(),
): string | null {
  const wanted = normaliseAddress(address);
  const found = addresses.find((entry) => normaliseAddress(entry.address) === wanted);
  return found && !found.isInternal && found.mac !== ZERO_MAC ? found.mac : null;
}

/** `[::1]:80` and `192.0.2.1:80`: an address as it stands in a URL. */
export function hostInUrl(address: string): string {
  const bare = normaliseAddress(address);
  return bare.includes(':') ? `[${bare}]` : bare;
}
