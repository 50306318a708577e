/**
 * Guard against DNS rebinding: a page on another name that resolves to this machine sends its own
 * name as Host. Addresses and the names of this machine are accepted. Pure.
 */
import { isIP } from 'node:net';

const HOST_LENGTH_MAX = 255;

/** @param names lower-case names of this machine besides `localhost` */
export function acceptsHost(header: string | undefined, names: readonly string[]): boolean {
  if (header === undefined || header.length > HOST_LENGTH_MAX) return false;
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]/@\s]+))(?::\d{1,5})?$/.exec(header);
  const host = (match?.[1] ?? match?.[2] ?? '').toLowerCase().replace(/\.$/, '');
  if (host === '') return false;
  return host === 'localhost' || isIP(host) !== 0 || names.includes(host);
}

/** The names that devices use for a machine called `hostName`. */
export function namesOf(hostName: string): string[] {
  const name = hostName.toLowerCase().replace(/\.$/, '');
  const short = name.split('.')[0] ?? name;
  return [...new Set([name, short, `${short}.local`])].filter((entry) => entry !== '');
}
