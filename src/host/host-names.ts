/** How this host is called and where it can be reached. */
import { hostname } from 'node:os';
import { listInterfaceAddresses } from '../net/interfaces.ts';

/** The owner's name for the host, else the machine's without its domain. */
export function hostDisplayName(setting: string | null): string {
  return setting ?? (hostname().split('.')[0] || 'punktfunk');
}

/** Addresses that devices can reach, IPv4 first; the bind address alone when one is set. */
export function hostAddresses(bind: string): readonly string[] {
  if (bind !== '0.0.0.0' && bind !== '::') return [bind];
  const own = listInterfaceAddresses().filter(
    ({ isInternal, address }) => !isInternal && !address.startsWith('fe80'),
  );
  const usable = bind === '::' ? own : own.filter(({ family }) => family === 'IPv4');
  return usable.toSorted((a, b) => a.family.localeCompare(b.family)).map(({ address }) => address);
}
