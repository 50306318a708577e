/**
 * Where the running host's API is and which certificate it shows: written at start into the state
 * folder, removed at the end, read by `ctl`.
 */
import { unlinkSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { readFileIfPresent, writeFileAtomic } from '../platform/files.ts';

const ENDPOINT_FILE = 'mgmt-endpoint';

export interface Endpoint {
  /** Address to connect to from this machine. */
  readonly address: string;
  readonly port: number;
  /** Lower-case hex SHA-256 of the host certificate's DER. */
  readonly certificateSha256: string;
}

export function writeEndpoint(stateDir: string, endpoint: Endpoint): void {
  const { address, port, certificateSha256 } = endpoint;
  const host = isIPv6(address) ? `[${address}]` : address;
  const lines = [
    `PUNKTFUNK_MGMT_URL=https://${host}:${port}`,
    `PUNKTFUNK_MGMT_CERT_SHA256=${certificateSha256}`,
  ];
  writeFileAtomic(join(stateDir, ENDPOINT_FILE), `${lines.join('\n')}\n`);
}

export function removeEndpoint(stateDir: string): void {
  try {
    unlinkSync(join(stateDir, ENDPOINT_FILE));
  } catch {
    // Already gone.
  }
}

/** null: no host has announced itself here, or the file is damaged. */
export function readEndpoint(stateDir: string): Endpoint | null {
  const text = readFileIfPresent(join(stateDir, ENDPOINT_FILE));
  if (text === null) return null;
  const url =
    /^PUNKTFUNK_MGMT_URL=https:\/\/(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d{1,5})\s*$/m.exec(text);
  const certificate = /^PUNKTFUNK_MGMT_CERT_SHA256=([0-9a-f]{64})\s*$/m.exec(text);
  const address = url?.[1] ?? url?.[2];
  const port = Number(url?.[3]);
  const certificateSha256 = certificate?.[1];
  if (address === undefined || certificateSha256 === undefined) return null;
  return port >= 1 && port <= 65_535 ? { address, port, certificateSha256 } : null;
}

/** The address of this machine that reaches a server bound to `bind`. */
export function loopbackFor(bind: string): string {
  if (bind === '0.0.0.0') return '127.0.0.1';
  if (bind === '::') return '::1';
  return bind;
}
