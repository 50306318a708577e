/** The running host as the GameStream rooms see it: behind nvhttp and behind RTSP. */
import { isAbsolute, join } from 'node:path';
import type { AnnounceDetails } from '../gamestream/announce-offer.ts';
import type { NvHttpHost } from '../gamestream/nvhttp-host.ts';
import { ENCRYPTION } from '../gamestream/rtsp-describe.ts';
import type { MediaPorts, RtspHost } from '../gamestream/rtsp-host.ts';
import type { PendingLaunch, PendingLaunches } from '../gamestream/rtsp-launches.ts';
import type { AppEntry } from '../library/app-catalogue.ts';
import { readBytesIfPresent } from '../platform/files.ts';
import { logger } from '../platform/log.ts';
import type { Session } from './session.ts';
import type { SessionDesk } from './session-desk.ts';
import { elapsedFirst } from './within.ts';

const log = logger('gamestream');
/** Devices wait 30 s for the answer to a quit; an app may take longer to end, the host is free then. */
const CANCEL_WAIT_MS = 20_000;
const BOX_ART_BYTES_MAX = 4 * 1024 * 1024;
const PNG_SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

export interface GameStreamHostParts {
  readonly desk: SessionDesk;
  readonly launches: PendingLaunches;
  readonly hostname: string;
  readonly uniqueId: string;
  /** `ServerCodecModeSupport` bits of the encoder rung. */
  readonly codecModeSupport: number;
  readonly canInvalidateReferences: boolean;
  readonly parityPct: number;
  readonly tagDscp: boolean;
  readonly configDir: string;
  /** The desktop that would be streamed takes touch contacts as they are. */
  takesTouch(): boolean;
  ports(): MediaPorts & { readonly http: number; readonly https: number; readonly rtsp: number };
  apps(): readonly AppEntry[];
  nowMs(): number;
  /** Ready to receive the device's control connection and pings. */
  expect(session: Session, launch: PendingLaunch, details: AnnounceDetails): void;
}

export function nvHttpHost(parts: GameStreamHostParts): NvHttpHost {
  const { desk, launches } = parts;
  const enter = async (
    kind: 'launch' | 'resume',
    request: Parameters<NvHttpHost['launch']>[0],
    context: Parameters<NvHttpHost['launch']>[1],
  ): ReturnType<NvHttpHost['launch']> => {
    const { device, peerAddress } = context;
    const obstacle = await desk.obstacle(kind, request.appId);
    const admitted = desk.admit(device.fingerprint, kind, request.appId);
    const refused = admitted.ok ? obstacle : admitted;
    if (refused) {
      log.info(`${kind} refused`, { device: device.name, reason: refused.message });
      return refused;
    }
    if (kind === 'launch') desk.reserve(request.appId, device.fingerprint);
    const rtspSealed = request.speaksSealedRtsp;
    const identity = { fingerprint: device.fingerprint, name: device.name };
    launches.add({ request, device: identity, peerAddress, sealedRtsp: rtspSealed }, parts.nowMs());
    log.info(`${kind} accepted`, { device: device.name, app: request.appId });
    return { ok: true, rtspPort: parts.ports().rtsp, rtspSealed };
  };
  return {
    describe: () => ({
      hostname: parts.hostname,
      uniqueId: parts.uniqueId,
      httpPort: parts.ports().http,
      httpsPort: parts.ports().https,
      codecModeSupport: parts.codecModeSupport,
      maxLumaPixelsHevc: 0,
    }),
    runningAppId: () => desk.runningAppId(),
    apps: () => parts.apps().map(({ id, title }) => ({ id, title, isHdrSupported: false })),
    boxArt: (appId) => readBoxArt(parts.apps(), appId, parts.configDir),
    launch: (request, context) => enter('launch', request, context),
    resume: (request, context) => enter('resume', request, context),
    async cancel(device) {
      // What was launched and has not begun was meant for the app that ends here.
      launches.clear();
      await elapsedFirst(CANCEL_WAIT_MS, desk.quit(`${device.name} quit the app`));
      return desk.runningAppId() === 0;
    },
  };
}

export function rtspHost(parts: GameStreamHostParts): RtspHost {
  const { desk, launches } = parts;
  return {
    launches,
    policy: () => ({
      // Without it devices turn touch into pointer moves themselves, better than the host could.
      touchAndPen: parts.takesTouch(),
      controllerTouchAndMotion: false,
      encryptionSupported: ENCRYPTION.controlV2 | ENCRYPTION.video | ENCRYPTION.audio,
      encryptionRequested: ENCRYPTION.controlV2,
      canInvalidateReferences: parts.canInvalidateReferences,
      codecModeSupport: parts.codecModeSupport,
      encryptionRequired: 0,
      parityPct: parts.parityPct,
      tagDscp: parts.tagDscp,
    }),
    ports: () => parts.ports(),
    async announce(launch, offer, format, details) {
      const started = await desk.start(offer, format, launch.launchId);
      if (started.ok && !started.session.isOver) {
        parts.expect(started.session, launch, details);
        return { ok: true };
      }
      launches.remove(launch.launchId);
      freeUnlessAwaited(parts);
      return started.ok
        ? { ok: false, status: 503, reason: 'the stream was ended while it started' }
        : { ok: false, status: started.status, reason: started.message };
    },
    play(launch) {
      if (desk.session?.launchId === launch.launchId) desk.session.expectDevice();
    },
  };
}

/**
 * A launch that no stream came of leaves the host free, unless the app runs or another launch may
 * still start it. Call once a second, launches expire by themselves.
 */
export function freeUnlessAwaited(
  parts: Pick<GameStreamHostParts, 'desk' | 'launches' | 'nowMs'>,
): void {
  if (!parts.launches.isAwaited(parts.nowMs())) parts.desk.unreserve();
}

/** The owner's picture of an app when it is a PNG of sane size; null has one drawn. */
function readBoxArt(
  apps: readonly AppEntry[],
  appId: number,
  configDir: string,
): Uint8Array | null {
  const image = apps.find((entry) => entry.id === appId)?.image;
  if (image === undefined) return null;
  const path = isAbsolute(image) ? image : join(configDir, image);
  try {
    const bytes = readBytesIfPresent(path, BOX_ART_BYTES_MAX);
    return bytes?.subarray(0, PNG_SIGNATURE.length).equals(PNG_SIGNATURE) ? bytes : null;
  } catch {
    return null;
  }
}
