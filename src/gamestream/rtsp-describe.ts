/**
 * The DESCRIBE body: what this host offers, in the lines that clients find by substring. A codec
 * whose line is missing is never chosen. Pure. Source: GameStream §2.5, §4.5, §4.6.
 */

/** Bits of `encryptionSupported`, `encryptionRequested` and the client's `encryptionEnabled`. */
export const ENCRYPTION = { controlV2: 1, video: 2, audio: 4 } as const;

/** Bits of `ServerCodecModeSupport`, by codec, chroma and bit depth. */
export const CODEC_MODE = {
  h264: { '420': { 8: 0x1, 10: 0 }, '444': { 8: 0x4_0000, 10: 0 } },
  hevc: { '420': { 8: 0x100, 10: 0x200 }, '444': { 8: 0x8_0000, 10: 0x10_0000 } },
  av1: { '420': { 8: 0x1_0000, 10: 0x2_0000 }, '444': { 8: 0x20_0000, 10: 0x40_0000 } },
} as const;

const HEVC_BITS = 0x100 | 0x200 | 0x8_0000 | 0x10_0000;
const AV1_BITS = 0x1_0000 | 0x2_0000 | 0x20_0000 | 0x40_0000;

/**
 * Channels, streams, coupled streams, mapping. The client takes the first line of its channel
 * count for normal quality and rotates LFE from the end to index 3; the second is high quality,
 * taken as it stands.
 */
const SURROUND_PARAMS = ['642012453', '660012345', '85301245673', '88001234567'] as const;

export interface DescribeCapabilities {
  /** The injector takes touch and pen. */
  readonly touchAndPen: boolean;
  /** A gamepad backend takes controller touchpads and motion. */
  readonly controllerTouchAndMotion: boolean;
  /** {@link ENCRYPTION} bits that the host can do. */
  readonly encryptionSupported: number;
  /** {@link ENCRYPTION} bits that the host wants but does not insist on. */
  readonly encryptionRequested: number;
  /** Encoders answer a loss without an IDR. */
  readonly canInvalidateReferences: boolean;
  /** `ServerCodecModeSupport`: must agree with `/serverinfo`. */
  readonly codecModeSupport: number;
}

export function describeBody(capabilities: DescribeCapabilities): string {
  const { codecModeSupport } = capabilities;
  const featureFlags =
    (capabilities.touchAndPen ? 1 : 0) | (capabilities.controllerTouchAndMotion ? 2 : 0);
  const lines = [
    `a=x-ss-general.featureFlags:${featureFlags}`,
    `a=x-ss-general.encryptionSupported:${capabilities.encryptionSupported}`,
    `a=x-ss-general.encryptionRequested:${capabilities.encryptionRequested}`,
  ];
  if (capabilities.canInvalidateReferences) lines.push('a=x-nv-video[0].refPicInvalidation:1');
  if (codecModeSupport & HEVC_BITS) lines.push('sprop-parameter-sets=AAAAAU');
  if (codecModeSupport & AV1_BITS) lines.push('a=rtpmap:98 AV1/90000');
  for (const params of SURROUND_PARAMS) lines.push(`a=fmtp:97 surround-params=${params}`);
  return `${lines.join('\r\n')}\r\n`;
}
