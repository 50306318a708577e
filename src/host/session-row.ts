/** A session as the management API shows it. What nobody counted is null with its reason. */
import type { SessionRow } from '../mgmt/schemas.ts';
import { STAGES } from '../pipeline/stream-control.ts';
import { formatMode } from '../session/mode.ts';
import type { Session } from './session.ts';

const NOT_STARTED = 'the stream has not started';

export function sessionRow(session: Session): SessionRow {
  const { plan, stream } = session;
  const control = stream?.control ?? null;
  const count = (word: Parameters<NonNullable<typeof control>['get']>[0]): number | null =>
    control?.count(word) ?? null;
  const appliedKbps = count('appliedBitrateKbps') || null;
  const rttMs = session.link?.rttMs() ?? null;
  return {
    id: session.id,
    plane: plan.plane,
    state: session.state,
    fingerprint: plan.device.fingerprint,
    client: session.peerAddress,
    client_name: plan.device.name,
    mode: formatMode(plan.display.mode),
    hdr: plan.video.hdr,
    codec: plan.video.codec,
    bit_depth: plan.video.bitDepth,
    chroma: plan.video.chroma,
    bitrate: {
      target_kbps: plan.video.bitrateKbps,
      applied_kbps: appliedKbps,
      capped_by: plan.notes.some((note) => note.startsWith('bitrate limited')) ? 'policy' : null,
    },
    encoder: { backend: plan.video.encoder, gpu: null },
    display: {
      backend: plan.display.backend,
      output: stream?.facts.outputName || null,
      requested: formatMode(plan.display.mode),
      actual: stream?.facts.actualMode || null,
    },
    app: { id: plan.appId, title: session.appTitle },
    audio: { channels: plan.audio.channels, source: stream?.facts.audio ?? plan.audio.source },
    pads: padsOf(plan.padMask),
    uptime_s: Math.floor((performance.now() - session.startedAtMs) / 1000),
    counters: {
      frames_captured: count('framesCaptured'),
      frames_repeated: count('framesRepeated'),
      frames_sent: count('framesSent'),
      frames_dropped: count('framesDropped'),
      frames_oversize: count('framesOversize'),
      packets_sent: count('packetsSent'),
      packets_dropped: count('packetsDropped'),
      idr: count('idrFrames'),
      rfi: count('invalidationsAnswered'),
      capture_rebuilds: count('captureRebuilds'),
      audio_packets: count('audioPackets'),
    },
    stages: STAGES.map((name) => ({
      name,
      p50_us: control?.stageQuantileUs(name, 0.5) ?? null,
      p99_us: control?.stageQuantileUs(name, 0.99) ?? null,
    })),
    link: { rtt_ms: rttMs, lost_packets: session.lostPackets },
    notes: [...plan.notes, ...(stream?.facts.load ? [stream.facts.load] : [])],
    last_warning: session.lastWarning,
    unknown: {
      'encoder.gpu': 'the encoder is software',
      ...(rttMs === null ? { 'link.rtt_ms': 'no control round trip was measured yet' } : {}),
      ...(session.lostPackets === null
        ? { 'link.lost_packets': 'the device has not reported losses' }
        : {}),
      ...(control === null ? { counters: NOT_STARTED } : {}),
    },
  };
}

function padsOf(mask: number): number[] {
  return Array.from({ length: 16 }, (_, slot) => slot).filter((slot) => (mask >> slot) & 1);
}
