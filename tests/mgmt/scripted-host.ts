/** A host that does what the test says, for everything above the management API's port. */
import { createHash } from 'node:crypto';
import type { ManagedHost, PinOutcome, StopKind } from '../../src/mgmt/host-port.ts';
import type {
  DeviceRow,
  PairingRequestRow,
  SessionRow,
  StatusDocument,
} from '../../src/mgmt/schemas.ts';
import { STAGES } from '../../src/pipeline/stream-control.ts';

export const FINGERPRINT_A = 'a'.repeat(64);
export const FINGERPRINT_B = 'b'.repeat(64);

export interface ScriptedHost extends ManagedHost {
  deviceRows: DeviceRow[];
  requestRows: PairingRequestRow[];
  sessionRows: SessionRow[];
  /** DER of certificates that count as paired and enabled. */
  readonly certificates: Map<string, string>;
  readonly calls: string[];
  pinOutcome: (id: string, pin: string, name?: string) => Promise<PinOutcome>;
}

export function scriptedHost(): ScriptedHost {
  const calls: string[] = [];
  const certificates = new Map<string, string>();
  const self: ScriptedHost = {
    calls,
    certificates,
    deviceRows: [deviceRow(FINGERPRINT_A, 'Living room'), deviceRow(FINGERPRINT_B, 'Phone')],
    requestRows: [requestRow('r1', 'Tablet', '192.168.1.7')],
    sessionRows: [sessionRow('s1', FINGERPRINT_A), sessionRow('s2', FINGERPRINT_B)],
    pinOutcome: async () => ({
      outcome: 'paired',
      device: deviceRow(FINGERPRINT_B, 'Tablet'),
    }),
    host: () => ({
      hostname: 'gaming-pc',
      uniqueid: '0f8fad5b-d9cb-469f-a165-70867728950e',
      fingerprint: 'c'.repeat(64),
      local_ip: '192.168.1.5',
      version: '0.1.0',
      abi_version: 1,
      app_version: '7.1.431.-1',
      gfe_version: '3.23.0.74',
      codecs: ['h264'],
      gamestream: true,
      ports: {
        mgmt: 47990,
        http: 47989,
        https: 47984,
        rtsp: 48010,
        video: 47998,
        control: 47999,
        audio: 48000,
      },
    }),
    status: (): StatusDocument => ({
      version: '0.1.0',
      uptime_s: 65,
      video_streaming: self.sessionRows.length > 0,
      audio_streaming: self.sessionRows.length > 0,
      pin_pending: self.requestRows.length > 0,
      paired_clients: self.deviceRows.length,
      active_sessions: self.sessionRows.length,
      session: self.sessionRows.length > 0 ? { width: 1280, height: 720, fps: 60 } : null,
      stream: null,
      sessions: self.sessionRows,
      capture: { taken: 'synthetic', detail: 'test card', refused: [] },
      encoder: {
        taken: 'addon-x264',
        detail: 'H.264 in software',
        refused: [{ rung: 'x264', missing: 'libx264 is not installed', remedy: 'install libx264' }],
      },
      audio: { taken: null, detail: 'silence', refused: [] },
    }),
    devices: () => self.deviceRows,
    deviceByCertificate: (der) => certificates.get(digest(der)) ?? null,
    renameDevice(fingerprint, name) {
      calls.push(`rename ${fingerprint} ${name}`);
      return change(fingerprint, { name });
    },
    async setDeviceEnabled(fingerprint, enabled) {
      calls.push(`enabled ${fingerprint} ${enabled}`);
      return change(fingerprint, { enabled });
    },
    async unpair(fingerprint) {
      calls.push(`unpair ${fingerprint}`);
      const before = self.deviceRows.length;
      self.deviceRows = self.deviceRows.filter((row) => row.fingerprint !== fingerprint);
      return self.deviceRows.length < before;
    },
    pairingRequests: () => self.requestRows,
    submitPin(id, pin, name) {
      calls.push(`pin ${id} ${pin} ${name ?? ''}`.trim());
      const isKnown = self.requestRows.some((row) => row.id === id);
      return isKnown ? self.pinOutcome(id, pin, name) : Promise.resolve({ outcome: 'no_request' });
    },
    denyPairing(id) {
      calls.push(`deny ${id}`);
      return self.requestRows.some((row) => row.id === id);
    },
    sessions: () => self.sessionRows,
    async stopSession(id: string, how: StopKind) {
      calls.push(`stop ${id} ${how}`);
      const before = self.sessionRows.length;
      self.sessionRows = self.sessionRows.filter((row) => row.id !== id);
      return self.sessionRows.length < before;
    },
    requestIdr: () => self.sessionRows.length,
  };
  function change(fingerprint: string, part: Partial<DeviceRow>): DeviceRow | null {
    self.deviceRows = self.deviceRows.map((row) =>
      row.fingerprint === fingerprint ? { ...row, ...part } : row,
    );
    return self.deviceRows.find((row) => row.fingerprint === fingerprint) ?? null;
  }
  return self;
}

export function digest(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex');
}

export function deviceRow(fingerprint: string, name: string): DeviceRow {
  return {
    fingerprint,
    name,
    plane: 'gamestream',
    enabled: true,
    paired_at: '2026-01-02T03:04:05.000Z',
    last_seen: null,
    live_sessions: [],
  };
}

export function requestRow(id: string, name: string, peer: string): PairingRequestRow {
  return {
    id,
    plane: 'gamestream',
    kind: 'pin',
    name,
    peer,
    fingerprint: 'd'.repeat(64),
    age_s: 3,
    expires_in_s: 57,
    remote: false,
  };
}

export function sessionRow(id: string, fingerprint: string): SessionRow {
  return {
    id,
    plane: 'gamestream',
    state: 'streaming',
    fingerprint,
    client: '192.168.1.7',
    client_name: 'Living room',
    mode: '1280x720@60',
    hdr: false,
    codec: 'h264',
    bit_depth: 8,
    chroma: '420',
    bitrate: { target_kbps: 10_000, applied_kbps: 10_000, capped_by: null },
    encoder: { backend: 'addon-x264', gpu: null },
    display: {
      backend: 'synthetic',
      output: null,
      requested: '1280x720@60',
      actual: '1280x720@60',
    },
    app: { id: 1, title: 'Desktop' },
    audio: { channels: 2, source: 'silence' },
    pads: [],
    uptime_s: 12,
    counters: {
      frames_captured: 700,
      frames_repeated: 3,
      frames_sent: 700,
      frames_dropped: 0,
      frames_oversize: 0,
      packets_sent: 9000,
      packets_dropped: 0,
      idr: 1,
      rfi: 0,
      capture_rebuilds: 0,
      audio_packets: null,
    },
    stages: STAGES.map((name) => ({ name, p50_us: 100, p99_us: null })),
    link: { rtt_ms: null, lost_packets: null },
    notes: ['HDR was asked for; this machine has no 10-bit encoder.'],
    last_warning: null,
    unknown: { 'link.rtt_ms': 'the device has not reported it' },
  };
}
