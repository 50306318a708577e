/** Starts and ends the management API: token, application, listening side, endpoint file. */
import { createHash, X509Certificate } from 'node:crypto';
import { hostname } from 'node:os';
import { portInUseError } from '../platform/linux/port-owner.ts';
import { logger } from '../platform/log.ts';
import { buildApp } from './app.ts';
import { loopbackFor, removeEndpoint, writeEndpoint } from './endpoint-file.ts';
import { namesOf } from './host-header.ts';
import type { ManagedHost } from './host-port.ts';
import { openTlsDoor } from './tls-door.ts';
import { ensureToken, tokenMatcher } from './token.ts';

const log = logger('mgmt');

export interface ManagementOptions {
  readonly host: ManagedHost;
  /** The identity that devices pin. */
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly stateDir: string;
  readonly bind: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Name that devices show; with the machine's own name it is accepted in Host headers. */
  readonly hostName: string;
}

export interface Management {
  readonly port: number;
  close(): Promise<void>;
}

/** Throws an operator's sentence when the port is taken. */
export async function startManagement(options: ManagementOptions): Promise<Management> {
  const token = ensureToken(options.stateDir, (reason) => log.warn(reason));
  const app = buildApp({
    host: options.host,
    isAdminToken: tokenMatcher(token),
    hostNames: [...namesOf(options.hostName), ...namesOf(hostname())],
  });
  const door = await openTlsDoor({
    ...options,
    respond: async (request, peer) => await app.fetch(request, { peer }),
  }).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EADDRINUSE' ? portInUseError('TCP', options.port, '--mgmt-port') : error;
  });
  const der = new X509Certificate(options.certificatePem).raw;
  writeEndpoint(options.stateDir, {
    address: loopbackFor(options.bind),
    port: door.port,
    certificateSha256: createHash('sha256').update(der).digest('hex'),
  });
  return {
    port: door.port,
    async close() {
      removeEndpoint(options.stateDir);
      await door.close();
    },
  };
}
