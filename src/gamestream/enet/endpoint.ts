/** UDP endpoints as one opaque key for the sans-I/O cores. Pure. */

/** Key of an endpoint, e.g. `192.168.1.5|47999`; the address is kept as the socket gave it. */
export function endpointKey(address: string, port: number): string {
  return `${address}|${port}`;
}

/** Address and port of an {@link endpointKey}. */
export function endpointOf(key: string): { address: string; port: number } {
  const bar = key.lastIndexOf('|');
  return { address: key.slice(0, bar), port: Number(key.slice(bar + 1)) };
}
