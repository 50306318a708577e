/** The GameStream doors of the host: nvhttp, RTSP, control, the media sockets and the announcement. */
import { randomBytes } from 'node:crypto';
import { type PortFamily, portFamily } from '../config/ports.ts';
import type { Settings } from '../config/rows.ts';
import type { EncoderLadder } from '../encode/ladder.ts';
import { openControlPlane } from '../gamestream/control/plane.ts';
import { NvRoutes } from '../gamestream/nvhttp-routes.ts';
import { startNvHttpServer } from '../gamestream/nvhttp-server.ts';
import { PairingDesk } from '../gamestream/pairing-desk.ts';
import { CODEC_MODE } from '../gamestream/rtsp-describe.ts';
import { PendingLaunches } from '../gamestream/rtsp-launches.ts';
import { listenRtsp } from '../gamestream/rtsp-server.ts';
import { APP_VERSION, GFE_VERSION } from '../gamestream/serverinfo.ts';
import { listInterfaceAddresses, macOfAddress } from '../net/interfaces.ts';
import { MdnsAnnouncement } from '../net/mdns.ts';
import { hostLabel, instanceLabel } from '../net/mdns-names.ts';
import type { HostPaths } from '../platform/linux/paths.ts';
import { type PortProtocol, portInUseError } from '../platform/linux/port-owner.ts';
import { logger } from '../platform/log.ts';
import type { DeviceRoster } from '../trust/devices.ts';
import type { HostIdentity } from '../trust/identity.ts';
import type { AppsFile } from './apps-file.ts';
import { runAll } from './closing.ts';
import { connectControl } from './control-link.ts';
import {
  freeUnlessAwaited,
  type GameStreamHostParts,
  nvHttpHost,
  rtspHost,
} from './gamestream-host.ts';
import type { MediaSockets } from './media-sockets.ts';
import type { SessionDesk } from './session-desk.ts';

const log = logger('gamestream');
/** How late a launch that nothing came of gives the host free. */
const SWEEP_INTERVAL_MS = 1_000;

export interface GameStreamPlaneOptions {
  readonly settings: Settings;
  readonly paths: HostPaths;
  readonly identity: HostIdentity;
  readonly roster: DeviceRoster;
  readonly desk: SessionDesk;
  readonly media: MediaSockets;
  readonly ladder: EncoderLadder;
  readonly hostName: string;
  readonly apps: AppsFile['list'];
  readonly takesTouch: () => boolean;
  readonly warn: (sentence: string) => void;
}

export interface GameStreamPlane {
  readonly pairing: PairingDesk;
  readonly ports: PortFamily;
  readonly appVersion: string;
  readonly gfeVersion: string;
  /** Name announced by mDNS; null when it is not. */
  readonly mdnsName: string | null;
  close(): Promise<void>;
}

/** Opens every door; throws an operator's sentence when a port is taken, leaving none open. */
export async function startGameStreamPlane(
  options: GameStreamPlaneOptions,
): Promise<GameStreamPlane> {
  const { settings, paths, identity, roster, desk, ladder, hostName } = options;
  const ports = portFamily(settings.portBase);
  const closers: (() => Promise<void> | void)[] = [];
  const closeAll = (): Promise<void> => runAll(closers.splice(0).reverse());
  const nowMs = (): number => performance.now();
  const tellOperator = pairingAnnouncer();
  const pairing = new PairingDesk({
    identity,
    roster,
    onChange: () => tellOperator(pairing),
  });
  closers.push(() => pairing.close());
  const launches = new PendingLaunches((size) => randomBytes(size));
  closers.push(roster.onRevoked(({ fingerprint }) => launches.removeDevice(fingerprint)));
  try {
    const control = await claim('UDP', ports.control, () =>
      openControlPlane({ bindAddress: settings.bind, port: ports.control, nowMs }),
    );
    closers.push(() => control.close());
    const parts: GameStreamHostParts = {
      desk,
      launches,
      hostname: hostName,
      uniqueId: identity.uniqueId,
      codecModeSupport: ladder.codecs.reduce(
        (bits, codec) => bits | CODEC_MODE[codec]['420'][8],
        0,
      ),
      canInvalidateReferences: ladder.rung?.name === 'x264',
      parityPct: settings.fecPct,
      tagDscp: settings.dscp,
      configDir: paths.configDir,
      ports: () => ports,
      apps: options.apps,
      takesTouch: options.takesTouch,
      nowMs,
      expect: (session, launch, details) => {
        options.media.expect(session, launch, details.usesSessionIds);
        connectControl(control.server, session, launch, details, () =>
          options.media.forget(session),
        );
      },
    };
    const rtsp = await claim('TCP', ports.rtsp, () =>
      listenRtsp({
        bindAddress: settings.bind,
        port: ports.rtsp,
        host: rtspHost(parts),
        nowMs,
        notice: ({ method, status, launchId, reason }) =>
          (status === 200 ? log.debug : log.warn)(`RTSP ${method}`, {
            status,
            launch: launchId,
            reason,
          }),
      }),
    );
    closers.push(() => rtsp.close());
    const routes = new NvRoutes({
      host: nvHttpHost(parts),
      pairing,
      macOfAddress: (address) => macOfAddress(address),
      onFault: (path, error) => log.error('a request failed', { path, error: String(error) }),
    });
    const nvhttp = await claim('TCP', ports.http, () =>
      startNvHttpServer({
        identity,
        roster,
        routes,
        bindAddress: settings.bind,
        httpPort: ports.http,
        httpsPort: ports.https,
      }),
    );
    closers.push(() => nvhttp.close());
  } catch (error) {
    await closeAll();
    throw error;
  }
  const announcement = settings.mdns ? await announce(options, ports) : null;
  if (announcement) closers.push(() => announcement.close());
  const sweep = setInterval(() => freeUnlessAwaited({ desk, launches, nowMs }), SWEEP_INTERVAL_MS);
  closers.push(() => clearInterval(sweep));
  return {
    pairing,
    ports,
    appVersion: APP_VERSION,
    gfeVersion: GFE_VERSION,
    mdnsName: announcement?.isOpen ? (announcement.instanceLabels[0] ?? null) : null,
    close: closeAll,
  };
}

/** Devices find the host by this; the name they show comes from serverinfo. */
function announce(
  { hostName, identity, settings, warn }: GameStreamPlaneOptions,
  ports: PortFamily,
): Promise<MdnsAnnouncement> {
  const { bind } = settings;
  return MdnsAnnouncement.open({
    services: [
      { type: '_nvstream._tcp', instance: instanceLabel(hostName), port: ports.http, txt: [] },
    ],
    hostLabel: hostLabel(identity.uniqueId),
    interfaces: () => listInterfaceAddresses().filter(({ address }) => isServed(address, bind)),
    onWarning: warn,
    onNames: (names) => log.debug('announced on the local network', { names: names.join(', ') }),
  });
}

/** Devices can reach the streaming ports on this address. */
function isServed(address: string, bind: string): boolean {
  if (bind === '::') return true;
  return bind === '0.0.0.0' ? !address.includes(':') : address === bind;
}

/** Tells the operator once of every device that waits for its PIN. */
function pairingAnnouncer(): (pairing: PairingDesk) => void {
  let told = new Set<string>();
  return (pairing) => {
    const waiting = pairing.pending();
    for (const { id, name, peerAddress } of waiting) {
      if (told.has(id)) continue;
      log.info(`${name} wants to pair; run "punktfunk ctl pin PIN" with the PIN it shows`, {
        address: peerAddress,
        request: id,
      });
    }
    told = new Set(waiting.map(({ id }) => id));
  };
}

/** Runs `open`; a taken port becomes the operator's sentence. */
async function claim<T>(protocol: PortProtocol, port: number, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException & { port?: number };
    if (code === 'EADDRINUSE') {
      const taken = (error as { port?: number }).port ?? port;
      throw portInUseError(protocol, taken, '--port-base');
    }
    throw error;
  }
}
