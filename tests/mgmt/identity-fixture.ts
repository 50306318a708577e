/** Identities for TLS tests, made in a folder of the test. */
import { join } from 'node:path';
import { type HostIdentity, loadOrCreateIdentity } from '../../src/trust/identity.ts';

export function makeIdentity(dir: string, name: string): HostIdentity {
  return loadOrCreateIdentity({
    path: join(dir, `${name}.pem`),
    commonName: name,
    nowMs: Date.now(),
    hasPairedDevices: false,
  });
}
