/**
 * The ANNOUNCE body: `a=name:value` lines become one typed record in which every number lies in
 * its range. Nothing is allocated from a value before it passed here. Pure.
 * Source: GameStream §4.8.
 */

/** One attribute: wire name, smallest and largest value, value when absent (`null`: mandatory). */
type Field = readonly [name: string, min: number, max: number, absent: number | null];

const BITRATE_KBPS_MAX = 10_000_000;
const U32_MAX = 0xffff_ffff;

const FIELDS = {
  width: ['x-nv-video[0].clientViewportWd', 16, 16_384, null],
  height: ['x-nv-video[0].clientViewportHt', 16, 16_384, null],
  maxFps: ['x-nv-video[0].maxFPS', 1, 1000, null],
  packetSizeBytes: ['x-nv-video[0].packetSize', 64, 65_000, null],
  maximumBitrateKbps: ['x-nv-vqos[0].bw.maximumBitrateKbps', 0, BITRATE_KBPS_MAX, null],
  slicesPerFrame: ['x-nv-video[0].videoEncoderSlicesPerFrame', 1, 32, null],
  maxReferenceFrames: ['x-nv-video[0].maxNumReferenceFrames', 0, 16, null],
  audioChannels: ['x-nv-audio.surround.numChannels', 2, 8, null],
  audioChannelMask: ['x-nv-audio.surround.channelMask', 0, U32_MAX, null],
  audioQuality: ['x-nv-audio.surround.AudioQuality', 0, 1, null],
  mlFeatureFlags: ['x-ml-general.featureFlags', 0, U32_MAX, 0],
  encryptionEnabled: ['x-ss-general.encryptionEnabled', 0, U32_MAX, 0],
  chromaSamplingType: ['x-ss-video[0].chromaSamplingType', 0, 1, 0],
  configuredBitrateKbps: ['x-ml-video.configuredBitrateKbps', 0, BITRATE_KBPS_MAX, 0],
  videoQosType: ['x-nv-vqos[0].qosTrafficType', 0, 255, 5],
  audioQosType: ['x-nv-aqos.qosTrafficType', 0, 255, 4],
  nvFeatureFlags: ['x-nv-general.featureFlags', 0, U32_MAX, 135],
  reliableUdpMode: ['x-nv-general.useReliableUdp', 0, 255, 1],
  minParityShards: ['x-nv-vqos[0].fec.minRequiredFecPackets', 0, 127, 0],
  bitStreamFormat: ['x-nv-vqos[0].bitStreamFormat', 0, 2, 0],
  dynamicRangeMode: ['x-nv-video[0].dynamicRangeMode', 0, 1, 0],
  refreshX100: ['x-nv-video[0].clientRefreshRateX100', 0, 1_000_000, 0],
  audioPacketDurationMs: ['x-nv-aqos.packetDuration', 5, 10, 5],
  encoderCscMode: ['x-nv-video[0].encoderCscMode', 0, 5, 0],
  intraRefresh: ['x-ss-video[0].intraRefresh', 0, 1, 0],
} as const satisfies Record<string, Field>;

const PACKET_SIZE_STEP_BYTES = 16;

/** Attributes in the units of the wire, all within their ranges. */
export type Announce = { readonly [K in keyof typeof FIELDS]: number } & {
  readonly audioChannels: 2 | 6 | 8;
  readonly audioPacketDurationMs: 5 | 10;
};

export type AnnounceResult =
  | { readonly ok: true; readonly announce: Announce }
  | { readonly ok: false; readonly reason: string };

/** Reads an ANNOUNCE body; any order, unknown attributes are ignored, the first of equals wins. */
export function parseAnnounce(body: string): AnnounceResult {
  const attributes = readAttributes(body);
  const values: Record<string, number> = {};
  for (const [key, [name, min, max, absent]] of Object.entries<Field>(FIELDS)) {
    const text = attributes.get(name);
    if (text === undefined) {
      if (absent === null) return refused(`${name} is missing`);
      values[key] = absent;
      continue;
    }
    const value = /^-?\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) return refused(`${name} is not within ${min}…${max}`);
    values[key] = value;
  }
  const announce = values as unknown as Announce;
  const channels: number = announce.audioChannels;
  if (channels !== 2 && channels !== 6 && channels !== 8) {
    return refused('x-nv-audio.surround.numChannels is not 2, 6 or 8');
  }
  const durationMs: number = announce.audioPacketDurationMs;
  if (durationMs !== 5 && durationMs !== 10) {
    return refused('x-nv-aqos.packetDuration is not 5 or 10');
  }
  if (announce.packetSizeBytes % PACKET_SIZE_STEP_BYTES !== 0) {
    return refused('x-nv-video[0].packetSize is not a multiple of 16');
  }
  return { ok: true, announce };
}

function readAttributes(body: string): Map<string, string> {
  const attributes = new Map<string, string>();
  for (const line of body.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (!line.startsWith('a=') || colon < 3) continue;
    const name = line.slice(2, colon).trim();
    if (!attributes.has(name)) attributes.set(name, line.slice(colon + 1).trim());
  }
  return attributes;
}

function refused(reason: string): AnnounceResult {
  return { ok: false, reason };
}
