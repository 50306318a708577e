/**
 * The body of ANNOUNCE as a current device writes it: every attribute, this order, a space before
 * each line's end (GameStream §4.8).
 */

export interface AnnounceOffer {
  readonly hostAddress: string;
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  /** Agreed bits of encryption: 1 control V2, 2 video, 4 audio. */
  readonly encryption: number;
  /** 1 sends frame parity status, 2 knows session-id pings and connect data. */
  readonly deviceFeatures: number;
  /** Already lowered by 32 when video is sealed. */
  readonly packetSize: number;
  /** What the user set. */
  readonly bitrateKbps: number;
  readonly isRemote: boolean;
  /** 0 H.264, 1 HEVC, 2 AV1. */
  readonly bitStreamFormat: number;
  readonly isTenBit: boolean;
  readonly isFullChroma: boolean;
  /** (0 BT.601, 1 BT.709, 2 BT.2020) << 1 | full range. */
  readonly cscMode: number;
  readonly slices: number;
  readonly referenceFrames: number;
  readonly channels: 2 | 6 | 8;
  readonly isHighAudio: boolean;
  readonly packetDurationMs: 5 | 10;
  /** Bit 0x20 of `x-nv-general.featureFlags`: the device decrypts sound. */
  readonly wantsSealedAudio: boolean;
}

const CHANNEL_MASKS = { 2: 0x3, 6: 0x3f, 8: 0x63f } as const;
const NV_FEATURES = 135;
const NV_FEATURE_SEALED_AUDIO = 0x20;
const BITRATE_MAX_KBPS = 100_000;

export function channelMaskOf(channels: 2 | 6 | 8): number {
  return CHANNEL_MASKS[channels];
}

/** @param videoPort what the SETUP of video named */
export function announceBody(offer: AnnounceOffer, videoPort: number): string {
  const bitrate = Math.min(
    Math.trunc(offer.bitrateKbps * 0.8) - (offer.isRemote ? 500 : 0),
    BITRATE_MAX_KBPS,
  );
  const isAv1 = offer.bitStreamFormat === 2;
  const attributes: readonly (readonly [string, number])[] = [
    ['x-ml-general.featureFlags', offer.deviceFeatures],
    ['x-ss-general.encryptionEnabled', offer.encryption],
    ['x-ss-video[0].chromaSamplingType', offer.isFullChroma ? 1 : 0],
    ['x-nv-video[0].clientViewportWd', offer.width],
    ['x-nv-video[0].clientViewportHt', offer.height],
    ['x-nv-video[0].maxFPS', offer.fps],
    ['x-nv-video[0].packetSize', offer.packetSize],
    ['x-nv-video[0].rateControlMode', 4],
    ['x-nv-video[0].timeoutLengthMs', 7000],
    ['x-nv-video[0].framesWithInvalidRefThreshold', 0],
    ['x-nv-video[0].initialBitrateKbps', bitrate],
    ['x-nv-video[0].initialPeakBitrateKbps', bitrate],
    ['x-nv-vqos[0].bw.minimumBitrateKbps', bitrate],
    ['x-nv-vqos[0].bw.maximumBitrateKbps', bitrate],
    ['x-ml-video.configuredBitrateKbps', offer.bitrateKbps],
    ['x-nv-vqos[0].fec.enable', 1],
    ['x-nv-vqos[0].videoQualityScoreUpdateTime', 5000],
    ['x-nv-vqos[0].qosTrafficType', offer.isRemote ? 0 : 5],
    ['x-nv-aqos.qosTrafficType', offer.isRemote ? 0 : 4],
    [
      'x-nv-general.featureFlags',
      NV_FEATURES | (offer.wantsSealedAudio ? NV_FEATURE_SEALED_AUDIO : 0),
    ],
    ['x-nv-general.useReliableUdp', 13],
    ['x-nv-vqos[0].fec.minRequiredFecPackets', 2],
    ['x-nv-vqos[0].bllFec.enable', 0],
    ['x-nv-vqos[0].drc.enable', 0],
    ['x-nv-general.enableRecoveryMode', 0],
    ['x-nv-video[0].videoEncoderSlicesPerFrame', offer.slices],
    ...(isAv1 ? [] : [['x-nv-clientSupportHevc', offer.bitStreamFormat === 1 ? 1 : 0] as const]),
    ['x-nv-vqos[0].bitStreamFormat', offer.bitStreamFormat],
    ['x-nv-video[0].dynamicRangeMode', offer.isTenBit ? 1 : 0],
    ['x-nv-video[0].maxNumReferenceFrames', offer.referenceFrames],
    ['x-nv-video[0].clientRefreshRateX100', 0],
    ['x-nv-audio.surround.numChannels', offer.channels],
    ['x-nv-audio.surround.channelMask', CHANNEL_MASKS[offer.channels]],
    ['x-nv-audio.surround.enable', offer.channels > 2 ? 1 : 0],
    ['x-nv-audio.surround.AudioQuality', offer.isHighAudio ? 1 : 0],
    ['x-nv-aqos.packetDuration', offer.packetDurationMs],
    ['x-nv-video[0].encoderCscMode', offer.cscMode],
  ];
  return [
    'v=0\r\n',
    `o=android 0 14 IN IPv4 ${offer.hostAddress}\r\n`,
    's=NVIDIA Streaming Client\r\n',
    ...attributes.map(([name, value]) => `a=${name}:${value} \r\n`),
    't=0 0\r\n',
    `m=video ${videoPort}  \r\n`,
  ].join('');
}
