/** ANNOUNCE bodies as a current client writes them: space and CRLF after every attribute. */

export const ANNOUNCE_DEFAULTS: Readonly<Record<string, string | number>> = {
  'x-ml-general.featureFlags': 3,
  'x-ss-general.encryptionEnabled': 1,
  'x-ss-video[0].chromaSamplingType': 0,
  'x-nv-video[0].clientViewportWd': 1280,
  'x-nv-video[0].clientViewportHt': 720,
  'x-nv-video[0].maxFPS': 60,
  'x-nv-video[0].packetSize': 1392,
  'x-nv-video[0].rateControlMode': 4,
  'x-nv-video[0].timeoutLengthMs': 7000,
  'x-nv-video[0].framesWithInvalidRefThreshold': 0,
  'x-nv-video[0].initialBitrateKbps': 8000,
  'x-nv-video[0].initialPeakBitrateKbps': 8000,
  'x-nv-vqos[0].bw.minimumBitrateKbps': 8000,
  'x-nv-vqos[0].bw.maximumBitrateKbps': 8000,
  'x-ml-video.configuredBitrateKbps': 10_000,
  'x-nv-vqos[0].fec.enable': 1,
  'x-nv-vqos[0].videoQualityScoreUpdateTime': 5000,
  'x-nv-vqos[0].qosTrafficType': 5,
  'x-nv-aqos.qosTrafficType': 4,
  'x-nv-general.featureFlags': 135,
  'x-nv-general.useReliableUdp': 13,
  'x-nv-vqos[0].fec.minRequiredFecPackets': 2,
  'x-nv-vqos[0].bllFec.enable': 0,
  'x-nv-vqos[0].drc.enable': 0,
  'x-nv-general.enableRecoveryMode': 0,
  'x-nv-video[0].videoEncoderSlicesPerFrame': 1,
  'x-nv-clientSupportHevc': 0,
  'x-nv-vqos[0].bitStreamFormat': 0,
  'x-nv-video[0].dynamicRangeMode': 0,
  'x-nv-video[0].maxNumReferenceFrames': 0,
  'x-nv-video[0].clientRefreshRateX100': 0,
  'x-nv-audio.surround.numChannels': 2,
  'x-nv-audio.surround.channelMask': 3,
  'x-nv-audio.surround.enable': 0,
  'x-nv-audio.surround.AudioQuality': 0,
  'x-nv-aqos.packetDuration': 5,
  'x-nv-video[0].encoderCscMode': 0,
};

/** A body with some attributes changed; null leaves one out. */
export function announceText(
  changes: Readonly<Record<string, string | number | null>> = {},
): string {
  const lines = Object.entries({ ...ANNOUNCE_DEFAULTS, ...changes })
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `a=${name}:${value} \r\n`);
  return `v=0\r\no=android 0 14 IN IPv4 127.0.0.1\r\ns=NVIDIA Streaming Client\r\n${lines.join('')}t=0 0\r\nm=video 47998  \r\n`;
}
