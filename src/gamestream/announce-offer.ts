/**
 * From the attributes of ANNOUNCE to the words that the host shares: a session offer, a packet
 * format, and what the control plane has to know. Decides codec and encryption refusals. Pure.
 * Source: GameStream §4.4, §4.5, §4.8, §10.
 */
import type { ColourMatrix, DisplayMode, VideoCodec } from '../session/mode.ts';
import type { DeviceIdentity, SessionOffer } from '../session/offer.ts';
import type { GameStreamPacketFormat } from '../session/plan.ts';
import type { Announce } from './announce.ts';
import { CODEC_MODE, ENCRYPTION } from './rtsp-describe.ts';

const CODECS: readonly VideoCodec[] = ['h264', 'hevc', 'av1'];
const MATRICES: readonly ColourMatrix[] = ['bt601', 'bt709', 'bt2020'];

/** Bit of `x-nv-general.featureFlags`: audio is encrypted, even where it was never offered. */
const NV_AUDIO_ENCRYPTION = 0x20;
/** Bits of `x-ml-general.featureFlags`. */
const ML_FEC_STATUS = 1;
const ML_SESSION_IDS = 2;

/** Code points for the two planes where the device's network asks for tags. */
const VIDEO_DSCP = 40;
const AUDIO_DSCP = 48;

/** A rate that differs more from `maxFPS` is not believed. */
const REFRESH_TOLERANCE_RATIO = 0.01;

/** Above this parity, taking it off would leave next to nothing for the picture. */
const PARITY_SHARE_MAX_PCT = 80;
const AUDIO_KBPS_PER_CHANNEL = { normal: 96, high: 256 } as const;
const OVERHEAD_KBPS = 500;

/** What ANNOUNCE alone does not say. */
export interface AnnounceFacts {
  readonly device: DeviceIdentity;
  readonly peerAddress: string;
  readonly appId: number;
  readonly key: Uint8Array;
  readonly keyId: number;
  readonly playOnHost: boolean;
  readonly padMask: number;
  /** The device put 0.0.0.0 where the host's address belongs. */
  readonly sawZeroHost: boolean;
  readonly codecModeSupport: number;
  readonly canInvalidateReferences: boolean;
  /** {@link ENCRYPTION} bits without which no stream may start. */
  readonly encryptionRequired: number;
  /** Parity in percent of the data shards; 0 sends data only. */
  readonly parityPct: number;
  /** Datagrams may be tagged at all. */
  readonly tagDscp: boolean;
}

export interface AnnounceDetails {
  /** Control messages use the 12-byte IV; otherwise the older 16-byte form. */
  readonly controlV2: boolean;
  /** Media pings carry the payload and ENet carries the connect data of SETUP. */
  readonly usesSessionIds: boolean;
  readonly reportsFecStatus: boolean;
  readonly intraRefresh: boolean;
  /** What the user set, before anything was taken off; 0 when the device does not say. */
  readonly configuredBitrateKbps: number;
}

export type AnnounceDecision =
  | {
      readonly ok: true;
      readonly offer: SessionOffer;
      readonly format: GameStreamPacketFormat;
      readonly details: AnnounceDetails;
    }
  | { readonly ok: false; readonly status: 400 | 403; readonly reason: string };

export function announceToOffer(announce: Announce, facts: AnnounceFacts): AnnounceDecision {
  const codec = CODECS[announce.bitStreamFormat] ?? 'h264';
  const chroma = announce.chromaSamplingType === 1 ? '444' : '420';
  const bitDepth = announce.dynamicRangeMode === 1 ? 10 : 8;
  if ((CODEC_MODE[codec][chroma][bitDepth] & facts.codecModeSupport) === 0) {
    const reason = `${codec} ${bitDepth}-bit ${chroma} is not offered by this host`;
    return { ok: false, status: 400, reason };
  }
  const sealAudio =
    (announce.encryptionEnabled & ENCRYPTION.audio) !== 0 ||
    (announce.nvFeatureFlags & NV_AUDIO_ENCRYPTION) !== 0;
  const agreed = announce.encryptionEnabled | (sealAudio ? ENCRYPTION.audio : 0);
  if ((facts.encryptionRequired & ~agreed) !== 0) {
    return { ok: false, status: 403, reason: 'this host insists on encryption of the stream' };
  }
  const highQuality = wantsHighQuality(announce, facts.sawZeroHost);
  const offer: SessionOffer = {
    plane: 'gamestream',
    device: facts.device,
    peerAddress: facts.peerAddress,
    appId: facts.appId,
    video: {
      mode: displayMode(announce),
      codec,
      chroma,
      bitDepth,
      hdr: bitDepth === 10,
      colour: {
        matrix: MATRICES[announce.encoderCscMode >> 1] ?? 'bt601',
        fullRange: (announce.encoderCscMode & 1) === 1,
      },
      bitrateKbps: encoderBitrateKbps(announce, highQuality, facts.parityPct),
      slicesPerFrame: announce.slicesPerFrame,
      maxReferenceFrames: announce.maxReferenceFrames,
      // A device that can recover by invalidation leaves the number of references to the host.
      canInvalidateReferences: facts.canInvalidateReferences && announce.maxReferenceFrames !== 1,
    },
    audio: {
      channels: announce.audioChannels,
      highQuality,
      packetDurationMs: announce.audioPacketDurationMs,
      playOnHost: facts.playOnHost,
    },
    padMask: facts.padMask,
  };
  return {
    ok: true,
    offer,
    format: {
      kind: 'gamestream',
      packetSize: announce.packetSizeBytes,
      parityPct: facts.parityPct,
      minParityShards: announce.minParityShards,
      sealVideo: (announce.encryptionEnabled & ENCRYPTION.video) !== 0,
      sealAudio,
      key: facts.key,
      keyId: facts.keyId,
      videoDscp: facts.tagDscp && announce.videoQosType !== 0 ? VIDEO_DSCP : 0,
      audioDscp: facts.tagDscp && announce.audioQosType !== 0 ? AUDIO_DSCP : 0,
    },
    details: {
      controlV2: (announce.encryptionEnabled & ENCRYPTION.controlV2) !== 0,
      usesSessionIds: (announce.mlFeatureFlags & ML_SESSION_IDS) !== 0,
      reportsFecStatus: (announce.mlFeatureFlags & ML_FEC_STATUS) !== 0,
      intraRefresh: announce.intraRefresh === 1,
      configuredBitrateKbps: announce.configuredBitrateKbps,
    },
  };
}

/**
 * Rate left for the picture: the user's rate less the share of parity, less audio (at most a
 * fifth), less headers and control (500 kbps, at most a tenth). Devices that do not say the user's
 * rate have taken their share off already.
 */
export function encoderBitrateKbps(
  announce: Pick<Announce, 'configuredBitrateKbps' | 'maximumBitrateKbps' | 'audioChannels'>,
  highQuality: boolean,
  parityPct: number,
): number {
  if (announce.configuredBitrateKbps === 0) return Math.max(1, announce.maximumBitrateKbps);
  let rateKbps = announce.configuredBitrateKbps;
  if (parityPct <= PARITY_SHARE_MAX_PCT)
    rateKbps = Math.floor((rateKbps * (100 - parityPct)) / 100);
  const perChannelKbps = AUDIO_KBPS_PER_CHANNEL[highQuality ? 'high' : 'normal'];
  rateKbps -= Math.min(perChannelKbps * announce.audioChannels, Math.floor(rateKbps / 5));
  rateKbps -= Math.min(OVERHEAD_KBPS, Math.floor(rateKbps / 10));
  return Math.max(1, rateKbps);
}

function wantsHighQuality(announce: Announce, sawZeroHost: boolean): boolean {
  return announce.audioChannels === 2 ? !sawZeroHost : announce.audioQuality === 1;
}

function displayMode(announce: Announce): DisplayMode {
  const { width, height, maxFps, refreshX100 } = announce;
  const differenceX100 = Math.abs(refreshX100 - maxFps * 100);
  const isBelieved = refreshX100 > 0 && differenceX100 <= maxFps * 100 * REFRESH_TOLERANCE_RATIO;
  if (!isBelieved || refreshX100 % 100 === 0) {
    const refreshNum = isBelieved ? refreshX100 / 100 : maxFps;
    return { width, height, refreshNum, refreshDen: 1 };
  }
  return { width, height, refreshNum: refreshX100, refreshDen: 100 };
}
