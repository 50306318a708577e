/**
 * Packed socket addresses (struct sockaddr_in and sockaddr_in6) and their textual form.
 *
 * | family | bytes | layout                                                                       |
 * |--------|-------|------------------------------------------------------------------------------|
 * | IPv4   | 16    | family 2 LE, port 2 BE, address 4, zeros 8                                   |
 * | IPv6   | 28    | family 2 LE, port 2 BE, flow information 4, address 16, scope 4 LE           |
 *
 * A dual-stack IPv6 socket reaches IPv4 peers through the mapped form ::ffff:a.b.c.d (RFC 4291 §2.5.5.2).
 */

const AF_INET = 2;
const AF_INET6 = 10;
const IPV4_BYTES = 16;
const IPV6_BYTES = 28;

export type AddressFamily = 'ipv4' | 'ipv6';

export interface SocketAddress {
  readonly family: AddressFamily;
  /** Text without brackets; a mapped IPv4 address is shown in its IPv4 form. */
  readonly address: string;
  readonly port: number;
  /** Interface index of a link-local IPv6 address, else 0. */
  readonly scopeId: number;
}

/**
 * Packs `address` for a socket of `family`; IPv4 text is mapped for an IPv6 socket.
 * @returns null when the text is no address, the port is out of range, or an IPv6 address is meant
 * for an IPv4 socket
 */
export function packSocketAddress(
  address: string,
  port: number,
  family: AddressFamily,
): Uint8Array<ArrayBuffer> | null {
  if (!Number.isInteger(port) || port < 0 || port > 65535) return null;
  const ipv4 = parseIpv4(address);
  if (family === 'ipv4') {
    if (!ipv4) return null;
    const packed = new Uint8Array(new ArrayBuffer(IPV4_BYTES));
    writeHead(packed, AF_INET, port);
    packed.set(ipv4, 4);
    return packed;
  }
  const [text = '', zone] = address.split('%', 2);
  const scopeId = zone === undefined ? 0 : Number(zone);
  const ipv6 = ipv4 ? mapped(ipv4) : parseIpv6(text);
  if (!ipv6 || !Number.isInteger(scopeId) || scopeId < 0 || scopeId > 0xffffffff) return null;
  const packed = new Uint8Array(new ArrayBuffer(IPV6_BYTES));
  writeHead(packed, AF_INET6, port);
  packed.set(ipv6, 8);
  new DataView(packed.buffer).setUint32(24, scopeId, true);
  return packed;
}

/** The address in `packed`, or null when it is neither of the two layouts. */
export function unpackSocketAddress(packed: Uint8Array): SocketAddress | null {
  if (packed.length < 4) return null;
  const family = (packed[0] ?? 0) | ((packed[1] ?? 0) << 8);
  const port = ((packed[2] ?? 0) << 8) | (packed[3] ?? 0);
  if (family === AF_INET && packed.length >= 8) {
    return { family: 'ipv4', address: packed.subarray(4, 8).join('.'), port, scopeId: 0 };
  }
  if (family !== AF_INET6 || packed.length < IPV6_BYTES) return null;
  const bytes = packed.subarray(8, 24);
  const scopeId = new DataView(packed.buffer, packed.byteOffset).getUint32(24, true);
  const isMapped =
    bytes.subarray(0, 10).every((b) => b === 0) && bytes[10] === 255 && bytes[11] === 255;
  if (isMapped) return { family: 'ipv6', address: bytes.subarray(12).join('.'), port, scopeId };
  return { family: 'ipv6', address: formatIpv6(bytes), port, scopeId };
}

/** The four bytes of dotted IPv4 text, or null. */
export function parseIpv4(text: string): number[] | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  const bytes: number[] = [];
  for (const part of parts) {
    // A leading zero is refused: some readers take it for octal.
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null;
    bytes.push(Number(part));
  }
  return bytes;
}

/** The sixteen bytes of IPv6 text without zone (RFC 4291 §2.2), or null. */
export function parseIpv6(text: string): number[] | null {
  if (text.length > 45) return null;
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const head = groupsOf(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? groupsOf(halves[1] ?? '', true) : [];
  if (!head || !tail) return null;
  const missing = 16 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 2) return null;
  return [...head, ...new Array<number>(Math.max(missing, 0)).fill(0), ...tail];
}

/** Bytes of colon-separated groups; only the last group of the text may be dotted IPv4. */
function groupsOf(text: string, mayEndDotted: boolean): number[] | null {
  if (text === '') return [];
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [index, group] of groups.entries()) {
    if (mayEndDotted && index === groups.length - 1 && group.includes('.')) {
      const ipv4 = parseIpv4(group);
      if (!ipv4) return null;
      bytes.push(...ipv4);
      continue;
    }
    if (!/^[0-9a-f]{1,4}$/i.test(group)) return null;
    const value = Number.parseInt(group, 16);
    bytes.push(value >> 8, value & 255);
  }
  return bytes.length <= 16 ? bytes : null;
}

/** Canonical text: lower case, the longest run of at least two zero groups as `::` (RFC 5952). */
function formatIpv6(bytes: Uint8Array): string {
  const groups = Array.from(
    { length: 8 },
    (_, index) => ((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0),
  );
  let best = { start: 0, length: 0 };
  for (let start = 0; start < 8; start += 1) {
    let length = 0;
    while (groups[start + length] === 0) length += 1;
    if (length > best.length) best = { start, length };
  }
  const text = groups.map((group) => group.toString(16));
  if (best.length < 2) return text.join(':');
  const end = best.start + best.length;
  return `${text.slice(0, best.start).join(':')}::${text.slice(end).join(':')}`;
}

function mapped(ipv4: readonly number[]): number[] {
  return [...new Array<number>(10).fill(0), 255, 255, ...ipv4];
}

function writeHead(packed: Uint8Array, family: number, port: number): void {
  packed[0] = family;
  packed[2] = port >> 8;
  packed[3] = port & 255;
}
