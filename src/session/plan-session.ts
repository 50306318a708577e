/**
 * The one decision: what a device asked for, what this machine can do and what the owner allows
 * become a plan or a refusal. Pure; nothing after it decides again.
 */

import { formatMode, type VideoCodec } from './mode.ts';
import type { SessionOffer } from './offer.ts';
import type { AudioPlan, DisplayPlan, DisplaySource, SessionPlan, VideoPlan } from './plan.ts';

/** What this machine can do right now; made from probes. */
export interface HostCapabilities {
  readonly encoders: readonly {
    readonly rung: string;
    readonly codecs: readonly VideoCodec[];
    readonly tenBit: boolean;
    readonly yuv444: boolean;
    readonly canInvalidate: boolean;
    readonly maxBitrateKbps: number;
    readonly maxWidth: number;
    readonly maxHeight: number;
  }[];
  /** Display backends that answered their probe, best first; `synthetic` is always there. */
  readonly displays: readonly {
    readonly backend: DisplayPlan['backend'];
    readonly sources: readonly DisplaySource[];
  }[];
  readonly hasSound: boolean;
  /** Why `encoders` is empty and what helps; absent while there is one. */
  readonly encoderProblem?: string;
}

export interface SessionPolicy {
  /** `auto` takes the best source the machine has. */
  readonly source: DisplaySource | 'auto';
  readonly mirrorOutput?: string;
  /** Compositor that the app is pinned to. */
  readonly compositor?: DisplayPlan['backend'];
  readonly maxBitrateKbps: number;
  readonly audio: boolean;
}

export type PlanResult =
  | { readonly ok: true; readonly plan: SessionPlan }
  | {
      readonly ok: false;
      readonly code: 'codec' | 'mode' | 'display' | 'encoder';
      readonly reason: string;
    };

const SOURCE_ORDER: readonly DisplaySource[] = ['virtual', 'portal', 'synthetic'];
const FPS_MAX = 240;
const BITRATE_MIN_KBPS = 500;

/** Opus shapes in interleave order FL FR C LFE RL RR SL SR (GameStream audio table). */
const AUDIO_SHAPES: Record<
  2 | 6 | 8,
  Record<'normal' | 'high', Pick<AudioPlan, 'streams' | 'coupledStreams' | 'bitrateBps'>>
> = {
  2: {
    normal: { streams: 1, coupledStreams: 1, bitrateBps: 96_000 },
    high: { streams: 1, coupledStreams: 1, bitrateBps: 512_000 },
  },
  6: {
    normal: { streams: 4, coupledStreams: 2, bitrateBps: 256_000 },
    high: { streams: 6, coupledStreams: 0, bitrateBps: 1_536_000 },
  },
  8: {
    normal: { streams: 5, coupledStreams: 3, bitrateBps: 450_000 },
    high: { streams: 8, coupledStreams: 0, bitrateBps: 2_048_000 },
  },
};

/** Why no device can be given any stream right now, with what helps; null when one can. */
export function streamingProblem(
  capabilities: HostCapabilities,
  policy: SessionPolicy,
): string | null {
  if (capabilities.encoders.length === 0) {
    return capabilities.encoderProblem ?? 'no video encoder works on this host';
  }
  const display = findDisplay(capabilities, policy);
  return typeof display === 'string' ? display : null;
}

export function planSession(
  offer: SessionOffer,
  capabilities: HostCapabilities,
  policy: SessionPolicy,
  sessionId: string,
): PlanResult {
  const notes: string[] = [];
  const refusedMode = modeProblem(offer);
  if (refusedMode) return { ok: false, code: 'mode', reason: refusedMode };
  if (capabilities.encoders.length === 0) {
    const reason = streamingProblem(capabilities, policy) ?? '';
    return { ok: false, code: 'encoder', reason };
  }
  const display = planDisplay(offer, capabilities, policy, notes);
  if (typeof display === 'string') return { ok: false, code: 'display', reason: display };
  const video = planVideo(offer, capabilities, policy, notes);
  if (typeof video === 'string') return { ok: false, code: 'codec', reason: video };
  return {
    ok: true,
    plan: {
      sessionId,
      plane: offer.plane,
      device: offer.device,
      appId: offer.appId,
      display,
      video,
      audio: planAudio(offer, capabilities, policy, notes),
      padMask: offer.padMask,
      notes,
    },
  };
}

function modeProblem(offer: SessionOffer): string | null {
  const { width, height, refreshNum, refreshDen } = offer.video.mode;
  const isSize = (value: number): boolean =>
    Number.isInteger(value) && value >= 16 && value <= 16384;
  if (!isSize(width) || !isSize(height)) {
    return `${width}x${height} is not a usable size (16 to 16384 per side)`;
  }
  const fps = refreshNum / refreshDen;
  if (!(fps >= 1 && fps <= FPS_MAX)) return `${fps} Hz is outside 1 to ${FPS_MAX} Hz`;
  return null;
}

function planDisplay(
  offer: SessionOffer,
  capabilities: HostCapabilities,
  policy: SessionPolicy,
  notes: string[],
): DisplayPlan | string {
  const found = findDisplay(capabilities, policy);
  if (typeof found === 'string') return found;
  const { source, backend } = found;
  if (source === 'synthetic' && policy.source === 'auto') {
    notes.push('no desktop was found; the test card is streamed');
  }
  const mirrored = source === 'mirror' && policy.mirrorOutput !== undefined;
  return {
    source,
    backend,
    mode: offer.video.mode,
    ...(mirrored ? { outputName: policy.mirrorOutput as string } : {}),
  };
}

/** The best source that the owner allows and a desktop offers, or why there is none. */
function findDisplay(
  capabilities: HostCapabilities,
  policy: SessionPolicy,
): Pick<DisplayPlan, 'source' | 'backend'> | string {
  const wanted = policy.source === 'auto' ? SOURCE_ORDER : [policy.source];
  for (const source of wanted) {
    const found = capabilities.displays.find(
      ({ backend, sources }) =>
        sources.includes(source) &&
        (policy.compositor === undefined || policy.compositor === backend),
    );
    if (found) return { source, backend: found.backend };
  }
  const pinned =
    policy.compositor === undefined ? '' : ` on ${policy.compositor}, as the app asks,`;
  return `no desktop${pinned} offers the source "${policy.source}"`;
}

function planVideo(
  offer: SessionOffer,
  capabilities: HostCapabilities,
  policy: SessionPolicy,
  notes: string[],
): VideoPlan | string {
  const wish = offer.video;
  const even = { ...wish.mode, width: wish.mode.width & ~1, height: wish.mode.height & ~1 };
  const encoder = capabilities.encoders.find(
    (rung) =>
      rung.codecs.includes(wish.codec) &&
      even.width <= rung.maxWidth &&
      even.height <= rung.maxHeight,
  );
  if (!encoder) {
    return `no encoder on this machine makes ${wish.codec} at ${formatMode(wish.mode)}`;
  }
  const bitDepth = wish.bitDepth === 10 && encoder.tenBit ? 10 : 8;
  if (bitDepth < wish.bitDepth) notes.push(`${encoder.rung} encodes 8 bit, 10 bit was asked for`);
  const chroma = wish.chroma === '444' && encoder.yuv444 ? '444' : '420';
  if (chroma !== wish.chroma) notes.push(`${encoder.rung} encodes 4:2:0, 4:4:4 was asked for`);
  const ceilingKbps = Math.min(encoder.maxBitrateKbps, policy.maxBitrateKbps);
  const bitrateKbps = Math.max(BITRATE_MIN_KBPS, Math.min(wish.bitrateKbps, ceilingKbps));
  if (bitrateKbps < wish.bitrateKbps) {
    notes.push(`bitrate limited to ${bitrateKbps} kbit/s of ${wish.bitrateKbps}`);
  }
  return {
    mode: even,
    codec: wish.codec,
    chroma,
    bitDepth,
    hdr: wish.hdr && bitDepth === 10,
    colour: wish.colour,
    bitrateKbps,
    slicesPerFrame: wish.slicesPerFrame,
    maxReferenceFrames: wish.maxReferenceFrames,
    useInvalidation: wish.canInvalidateReferences && encoder.canInvalidate,
    encoder: encoder.rung,
  };
}

function planAudio(
  offer: SessionOffer,
  capabilities: HostCapabilities,
  policy: SessionPolicy,
  notes: string[],
): AudioPlan {
  const { channels, highQuality, packetDurationMs, playOnHost } = offer.audio;
  const hasSource = capabilities.hasSound && policy.audio;
  if (!hasSource) {
    notes.push(policy.audio ? 'no sound system was found; silence is sent' : 'sound is turned off');
  }
  return {
    channels,
    ...AUDIO_SHAPES[channels][highQuality ? 'high' : 'normal'],
    packetDurationMs,
    playOnHost,
    source: hasSource ? 'pipewire' : 'silence',
  };
}
