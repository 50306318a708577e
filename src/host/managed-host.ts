/** The running host as the management API sees it. Answers from memory. */
import type { PairingDesk } from '../gamestream/pairing-desk.ts';
import type { ManagedHost, PinOutcome, PinRefusal } from '../mgmt/host-port.ts';
import type { DeviceRow, HostFacts, RungReport, StatusDocument } from '../mgmt/schemas.ts';
import { isPrivateAddress } from '../net/private-address.ts';
import { refreshHz } from '../session/mode.ts';
import type { PairedDevice } from '../trust/device-record.ts';
import type { ChangeResult, DeviceRoster } from '../trust/devices.ts';
import type { SessionDesk } from './session-desk.ts';
import { sessionRow } from './session-row.ts';

export interface ManagedHostParts {
  readonly desk: SessionDesk;
  readonly roster: DeviceRoster;
  /** null when GameStream is off. */
  readonly pairing: PairingDesk | null;
  readonly version: string;
  facts(): HostFacts;
  /** Rungs of capture, encoder and sound as last probed. */
  rungs(): { capture: RungReport; encoder: RungReport; audio: RungReport };
}

export function managedHost(parts: ManagedHostParts): ManagedHost {
  const { desk, roster, pairing } = parts;
  const startedAtMs = performance.now();
  const toRow = (device: PairedDevice): DeviceRow => deviceRow(device, desk);
  return {
    host: parts.facts,
    status: () => statusOf(parts, startedAtMs),
    devices: () => roster.list().map(toRow),
    deviceByCertificate: (der) => roster.authorise(der)?.fingerprint ?? null,
    renameDevice: (fingerprint, name) => changed(roster.rename(fingerprint, name), toRow),
    async setDeviceEnabled(fingerprint, enabled) {
      const row = changed(roster.setEnabled(fingerprint, enabled), toRow);
      if (!enabled) await desk.revoke(fingerprint.toLowerCase());
      return row;
    },
    async unpair(fingerprint) {
      const result = changed(roster.unpair(fingerprint), toRow);
      await desk.revoke(fingerprint.toLowerCase());
      return result !== null;
    },
    pairingRequests: () =>
      (pairing?.pending() ?? []).map((request) => ({
        id: request.id,
        plane: 'gamestream',
        kind: 'pin',
        name: request.name,
        peer: request.peerAddress,
        fingerprint: request.clientCertFingerprint,
        age_s: Math.floor(request.ageMs / 1000),
        expires_in_s: Math.ceil(request.expiresInMs / 1000),
        remote: !isPrivateAddress(request.peerAddress),
      })),
    async submitPin(requestId, pin, name): Promise<PinOutcome> {
      if (!pairing) return { outcome: 'no_request' };
      const result = await pairing.submitPin(requestId, pin, name);
      if (result.paired) return { outcome: 'paired', device: toRow(result.device) };
      if (result.code === 'not_found') return { outcome: 'no_request' };
      return { outcome: 'refused', code: PIN_REFUSALS[result.code] };
    },
    denyPairing: (requestId) => pairing?.deny(requestId) ?? false,
    sessions: () => (desk.session ? [sessionRow(desk.session)] : []),
    async stopSession(sessionId, how) {
      if (desk.session?.id !== sessionId) return false;
      if (how === 'quit') await desk.quit('stopped by the operator');
      else await desk.endSession('drop', 'stopped by the operator');
      return true;
    },
    requestIdr() {
      desk.session?.stream?.control.add('idrRequests');
      return desk.session ? 1 : 0;
    },
  };
}

type SubmitCode = Exclude<
  Extract<Awaited<ReturnType<PairingDesk['submitPin']>>, { paired: false }>['code'],
  'not_found'
>;

const PIN_REFUSALS: Record<SubmitCode, PinRefusal> = {
  wrong_pin: 'wrong_pin',
  expired: 'expired',
  client_gone: 'client_gone',
  denied: 'denied',
  bad_exchange: 'bad_exchange',
  bad_pin: 'bad_pin',
  not_waiting: 'already_answered',
  not_stored: 'not_stored',
};

/** The row, or null when there is no such device; throws the sentence when nothing was saved. */
function changed(
  result: ChangeResult,
  toRow: (device: PairedDevice) => DeviceRow,
): DeviceRow | null {
  if (result.ok) return toRow(result.device);
  if (result.code === 'not_found') return null;
  throw new Error(result.message);
}

function deviceRow(device: PairedDevice, desk: SessionDesk): DeviceRow {
  const isLive = desk.session?.plan.device.fingerprint === device.fingerprint;
  return {
    fingerprint: device.fingerprint,
    name: device.name,
    plane: device.plane,
    enabled: device.enabled,
    paired_at: new Date(device.pairedAtMs).toISOString(),
    last_seen: device.lastSeenAtMs === null ? null : new Date(device.lastSeenAtMs).toISOString(),
    live_sessions: isLive && desk.session ? [desk.session.id] : [],
  };
}

function statusOf(parts: ManagedHostParts, startedAtMs: number): StatusDocument {
  const { desk, roster, pairing } = parts;
  const session = desk.session;
  const video = session?.plan.video;
  const size = video && {
    width: video.mode.width,
    height: video.mode.height,
    fps: refreshHz(video.mode),
  };
  return {
    version: parts.version,
    uptime_s: Math.floor((performance.now() - startedAtMs) / 1000),
    video_streaming: session?.state === 'streaming',
    audio_streaming: session?.state === 'streaming',
    pin_pending: (pairing?.pending().length ?? 0) > 0,
    paired_clients: roster.list().length,
    active_sessions: session ? 1 : 0,
    session: size ?? null,
    stream:
      session && size
        ? {
            ...size,
            bitrate_kbps: session.plan.video.bitrateKbps,
            packet_size: session.format.packetSize,
            min_fec: session.format.minParityShards,
            codec: session.plan.video.codec,
          }
        : null,
    sessions: session ? [sessionRow(session)] : [],
    ...parts.rungs(),
  };
}
