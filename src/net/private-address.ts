/** Which addresses belong to local networks (RFC 1918, 4193, 4291, 3927, loopback, RFC 6598). Pure. */
import { parseIpv4, parseIpv6 } from './socket-address.ts';

export function isPrivateAddress(address: string): boolean {
  const v4 = parseIpv4(address);
  if (v4) {
    const [a = 0, b = 0] = v4;
    if (a === 10 || a === 127) return true;
    if (a === 172) return b >= 16 && b <= 31;
    if (a === 100) return b >= 64 && b <= 127;
    return (a === 192 && b === 168) || (a === 169 && b === 254);
  }
  const v6 = parseIpv6(address.split('%')[0] ?? '');
  if (!v6) return false;
  const isLoopback = v6.every((byte, index) => byte === (index === 15 ? 1 : 0));
  const [first = 0, second = 0] = v6;
  return isLoopback || (first & 0xfe) === 0xfc || (first === 0xfe && (second & 0xc0) === 0x80);
}
