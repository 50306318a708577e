/** Peer addresses as the control planes compare them. Pure. */

/**
 * One form per host: IPv4 mapped into IPv6 becomes IPv4, the interface of a link-local address is
 * dropped, hexadecimal digits are lower case.
 */
export function normaliseAddress(address: string): string {
  const text = address.toLowerCase();
  const zone = text.indexOf('%');
  const bare = zone < 0 ? text : text.slice(0, zone);
  const mapped = /^(?:::|0:0:0:0:0:)ffff:(\d{1,3}(?:\.\d{1,3}){3})$/.exec(bare);
  return mapped?.[1] ?? bare;
}

/** Key of one UDP endpoint, e.g. `192.168.1.5|47999`; the address is kept as the socket gave it. */
export function endpointKey(address: string, port: number): string {
  return `${address}|${port}`;
}

/** Address and port of an {@link endpointKey}. */
export function endpointOf(key: string): { address: string; port: number } {
  const bar = key.lastIndexOf('|');
  return { address: key.slice(0, bar), port: Number(key.slice(bar + 1)) };
}
