/**
 * Which links the announcement goes out on, and from which of them a datagram came. The library's
 * sockets hear every interface's multicast, so the source address decides; what is not on one of our
 * links is ignored (RFC 6762 §11). Pure.
 */
import type { InterfaceAddress } from './interfaces.ts';
import type { MdnsLink } from './mdns-zone.ts';

/** Interfaces beyond these are left out: bridges of a hundred containers are not a home network. */
const LINKS_MAX = 16;
const LINK_LOCAL_V6 = /^fe[89ab]/i;

export interface MdnsSocketLink extends MdnsLink {
  readonly interfaceName: string;
  readonly family: 'IPv4' | 'IPv6';
  /** Address of ours that the sockets are bound to. */
  readonly socketAddress: string;
  readonly subnets: readonly { readonly address: string; readonly prefixLength: number }[];
}

/** One link per interface and family, without internal interfaces; IPv4 first. */
export function planLinks(addresses: readonly InterfaceAddress[]): readonly MdnsSocketLink[] {
  const usable = addresses.filter((entry) => !entry.isInternal);
  const names = [...new Set(usable.map((entry) => entry.interfaceName))].sort();
  const links = names.flatMap((interfaceName) => {
    const ofInterface = usable.filter((entry) => entry.interfaceName === interfaceName);
    const published = ofInterface.map((entry) => entry.address).sort();
    return (['IPv4', 'IPv6'] as const).flatMap((family): MdnsSocketLink[] => {
      const own = ofInterface.filter((entry) => entry.family === family);
      const socketAddress =
        own.find((entry) => LINK_LOCAL_V6.test(entry.address))?.address ?? own[0]?.address;
      if (socketAddress === undefined) return [];
      const key = `${interfaceName}/${family}`;
      const subnets = own.map(({ address, prefixLength }) => ({ address, prefixLength }));
      return [{ key, interfaceName, family, socketAddress, addresses: published, subnets }];
    });
  });
  const byFamily = (family: string) => links.filter((link) => link.family === family);
  return [...byFamily('IPv4'), ...byFamily('IPv6')].slice(0, LINKS_MAX);
}

/** The link whose subnet `address` is on; a zone (`fe80::1%eth0`) names it outright. */
export function linkOfPeer(
  address: string,
  links: readonly MdnsSocketLink[],
): MdnsSocketLink | null {
  const [bare = '', zone] = address.split('%');
  const family = bare.includes(':') ? 'IPv6' : 'IPv4';
  const bits = addressBits(bare);
  const found = links.find((link) => {
    if (link.family !== family) return false;
    if (zone !== undefined) return link.interfaceName === zone;
    return link.subnets.some(
      (subnet) =>
        bits !== null && isSamePrefix(bits, addressBits(subnet.address), subnet.prefixLength),
    );
  });
  return found ?? null;
}

/** `0`/`1` text of an address; null when it is not one. */
function addressBits(address: string): string | null {
  if (!address.includes(':')) {
    const octets = address.split('.').map(Number);
    const isWhole = octets.length === 4 && octets.every((octet) => octet >= 0 && octet <= 255);
    return isWhole ? octets.map((octet) => octet.toString(2).padStart(8, '0')).join('') : null;
  }
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  if (zeros < 0) return null;
  const groups = [...left, ...Array<string>(zeros).fill('0'), ...right];
  if (groups.length !== 8 || !groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return null;
  return groups.map((group) => Number.parseInt(group, 16).toString(2).padStart(16, '0')).join('');
}

function isSamePrefix(bits: string, subnet: string | null, prefixLength: number): boolean {
  if (subnet === null || subnet.length !== bits.length) return false;
  return bits.slice(0, prefixLength) === subnet.slice(0, prefixLength);
}
