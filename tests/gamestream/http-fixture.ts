/** A host behind the nvhttp port that records what it is asked, on free loopback ports. */
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LaunchContext, LaunchOutcome, NvHttpHost } from '../../src/gamestream/nvhttp-host.ts';
import type { LaunchRequest } from '../../src/gamestream/nvhttp-launch.ts';
import { NvRoutes } from '../../src/gamestream/nvhttp-routes.ts';
import {
  type NvHttpLimits,
  type NvHttpServer,
  startNvHttpServer,
} from '../../src/gamestream/nvhttp-server.ts';
import { PairingDesk } from '../../src/gamestream/pairing-desk.ts';
import { makeSelfSignedCertificate } from '../../src/trust/certificate.ts';
import { toPem } from '../../src/trust/der.ts';
import { DeviceRoster } from '../../src/trust/devices.ts';
import { type HostIdentity, loadOrCreateIdentity } from '../../src/trust/identity.ts';

export interface Launched {
  readonly kind: 'launch' | 'resume';
  readonly request: LaunchRequest;
  readonly context: LaunchContext;
}

export interface ScriptedHost extends NvHttpHost {
  readonly launched: Launched[];
  running: number;
  outcome: LaunchOutcome;
}

export interface HttpFixture {
  readonly folder: string;
  readonly identity: HostIdentity;
  readonly roster: DeviceRoster;
  readonly pairing: PairingDesk;
  readonly host: ScriptedHost;
  readonly server: NvHttpServer;
  readonly faults: unknown[];
  stop(): Promise<void>;
}

export const OWN_PICTURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 1, 2, 3);

export async function startHttpFixture(
  ports = { http: 0, https: 0 },
  limits: Partial<NvHttpLimits> = {},
): Promise<HttpFixture> {
  const folder = mkdtempSync(join(tmpdir(), 'punktfunk-http-'));
  const identity = loadOrCreateIdentity({
    path: join(folder, 'identity.pem'),
    commonName: 'test host',
    nowMs: Date.now(),
    hasPairedDevices: false,
  });
  const roster = new DeviceRoster(join(folder, 'devices.json'), () => undefined, Date.now());
  const pairing = new PairingDesk({ identity, roster });
  const faults: unknown[] = [];
  const host = scriptedHost(identity.uniqueId);
  const routes = new NvRoutes({
    host,
    pairing,
    macOfAddress: () => '02:00:00:00:00:01',
    onFault: (_path, error) => faults.push(error),
  });
  const server = await startNvHttpServer({
    identity,
    roster,
    routes,
    bindAddress: '127.0.0.1',
    httpPort: ports.http,
    httpsPort: ports.https,
    limits,
  });
  host.ports.http = server.httpPort;
  host.ports.https = server.httpsPort;
  const stop = async () => {
    pairing.close();
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { folder, identity, roster, pairing, host, server, faults, stop };
}

export interface DeviceCredentials {
  readonly privateKey: KeyObject;
  readonly keyPem: string;
  readonly certificatePem: string;
  readonly certificateDer: Uint8Array;
}

/** A device's certificate; `nowMs` in the past makes an expired one. */
export function makeDeviceCredentials(nowMs = Date.now()): DeviceCredentials {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const certificateDer = makeSelfSignedCertificate({
    commonName: 'NVIDIA GameStream Client',
    publicKey,
    privateKey,
    nowMs,
    serial: randomBytes(16),
  });
  return {
    privateKey,
    keyPem: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    certificatePem: toPem('CERTIFICATE', certificateDer),
    certificateDer,
  };
}

function scriptedHost(uniqueId: string): ScriptedHost & { ports: { http: number; https: number } } {
  const launched: Launched[] = [];
  const start =
    (kind: Launched['kind']) => async (request: LaunchRequest, context: LaunchContext) => {
      launched.push({ kind, request, context });
      if (host.outcome.ok) host.running = request.appId || 1;
      return host.outcome;
    };
  const host = {
    launched,
    running: 0,
    outcome: { ok: true, rtspPort: 48010, rtspSealed: true } as LaunchOutcome,
    ports: { http: 0, https: 0 },
    describe: () => ({
      hostname: 'Test & <host>',
      uniqueId,
      httpPort: host.ports.http,
      httpsPort: host.ports.https,
      codecModeSupport: 65_793,
      maxLumaPixelsHevc: 1_869_449_984,
    }),
    runningAppId: () => host.running,
    apps: () => [
      { id: 1, title: 'Desktop', isHdrSupported: false },
      { id: 2, title: 'Tom & Jerry <"1">', isHdrSupported: true },
    ],
    boxArt: (id: number) => (id === 2 ? OWN_PICTURE : null),
    launch: start('launch'),
    resume: start('resume'),
    cancel: async () => {
      host.running = 0;
      return true;
    },
  };
  return host;
}
