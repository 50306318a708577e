/**
 * Video formats of PipeWire streams: what a capturer offers, and reading what was agreed.
 * Keys and values from spa/param/format.h and spa/param/video/raw.h (libspa-0.2).
 */
import {
  type Pod,
  type PodObject,
  podChoice,
  podFraction,
  podId,
  podInt,
  podRectangle,
  propertyOf,
} from './pod.ts';
import { encodePod } from './pod-encode.ts';

export const OBJECT_FORMAT = 0x40003;
export const PARAM_ENUM_FORMAT = 3;
export const FORMAT_KEYS = {
  mediaType: 1,
  mediaSubtype: 2,
  videoFormat: 0x20001,
  modifier: 0x20002,
  size: 0x20003,
  framerate: 0x20004,
  maxFramerate: 0x20005,
  views: 0x20006,
} as const;
export const MEDIA_TYPE_VIDEO = 2;
export const MEDIA_SUBTYPE_RAW = 1;

/** `enum spa_video_format` of the formats a capturer takes as they are. */
export const VIDEO_FORMATS = { BGRx: 8, BGRA: 12, RGBx: 7, RGBA: 11 } as const;
export type PackedPixelFormat = keyof typeof VIDEO_FORMATS;

/** Largest side a producer may announce; the widest display link carries 16 k. */
export const VIDEO_SIDE_MAX = 16_384;
const FRAMERATE_MAX = 1000;
const INT_MAX = 0x7fff_ffff;

export interface Fraction {
  readonly num: number;
  readonly den: number;
}

export interface VideoOffer {
  /** Most wanted first. */
  readonly formats: readonly PackedPixelFormat[];
  /** Preferred size. */
  readonly width: number;
  readonly height: number;
  /** True: exactly this size; false: the producer decides. */
  readonly isFixedSize: boolean;
  /** Highest rate of pictures; exact when the size is fixed, else a wish. */
  readonly maxFramerate: Fraction;
  /**
   * 1…2³¹−1, different for each consumer of one node. It goes into the number of stereoscopic views,
   * which flat video ignores: a producer whose format did not change keeps the buffers of its last
   * consumer, and those that consumer had not returned are lost to it.
   */
  readonly tag: number;
}

export interface VideoFormat {
  readonly format: PackedPixelFormat;
  readonly width: number;
  readonly height: number;
  /** 0/1: variable, a picture only when something changed. */
  readonly framerate: Fraction;
  readonly maxFramerate: Fraction | null;
  /** DRM modifier when DMA-BUF was agreed. */
  readonly modifier: bigint | null;
}

/** EnumFormat pod for `pw_stream_connect`. */
export function encodeVideoOffer(offer: VideoOffer): Uint8Array {
  const formats = offer.formats.map((name) => podId(VIDEO_FORMATS[name]));
  const [first] = formats;
  if (!first) throw new Error('a video offer needs at least one format');
  const size = podRectangle(offer.width, offer.height);
  const rate = podFraction(offer.maxFramerate.num, offer.maxFramerate.den);
  return encodePod({
    type: 'object',
    objectType: OBJECT_FORMAT,
    id: PARAM_ENUM_FORMAT,
    properties: [
      { key: FORMAT_KEYS.mediaType, value: podId(MEDIA_TYPE_VIDEO) },
      { key: FORMAT_KEYS.mediaSubtype, value: podId(MEDIA_SUBTYPE_RAW) },
      { key: FORMAT_KEYS.videoFormat, value: podChoice('enum', first, formats) },
      {
        key: FORMAT_KEYS.size,
        value: offer.isFixedSize
          ? size
          : podChoice('range', size, [
              podRectangle(1, 1),
              podRectangle(VIDEO_SIDE_MAX, VIDEO_SIDE_MAX),
            ]),
      },
      {
        key: FORMAT_KEYS.framerate,
        value: podChoice('range', podFraction(0, 1), [
          podFraction(0, 1),
          podFraction(FRAMERATE_MAX, 1),
        ]),
      },
      {
        key: FORMAT_KEYS.maxFramerate,
        value: offer.isFixedSize
          ? rate
          : podChoice('range', rate, [podFraction(0, 1), podFraction(FRAMERATE_MAX, 1)]),
      },
      {
        key: FORMAT_KEYS.views,
        value: podChoice('range', podInt(offer.tag), [podInt(0), podInt(INT_MAX)]),
      },
    ],
  });
}

/** Reads an agreed Format; a sentence when it is none that a capturer can take. */
export function readVideoFormat(pod: Pod): VideoFormat | string {
  if (pod.type !== 'object' || pod.objectType !== OBJECT_FORMAT) return 'not a format';
  if (idOf(pod, FORMAT_KEYS.mediaType) !== MEDIA_TYPE_VIDEO) return 'not a video format';
  if (idOf(pod, FORMAT_KEYS.mediaSubtype) !== MEDIA_SUBTYPE_RAW) return 'not raw video';
  const number = idOf(pod, FORMAT_KEYS.videoFormat);
  const format = formatName(number);
  if (format === null) return `video format ${number} is not one that was offered`;
  const size = propertyOf(pod, FORMAT_KEYS.size);
  if (size?.type !== 'rectangle') return 'the format names no size';
  const { width, height } = size;
  if (width < 1 || height < 1 || width > VIDEO_SIDE_MAX || height > VIDEO_SIDE_MAX) {
    return `size ${width}x${height} is out of range`;
  }
  const modifier = propertyOf(pod, FORMAT_KEYS.modifier);
  return {
    format,
    width,
    height,
    framerate: fractionOf(pod, FORMAT_KEYS.framerate) ?? { num: 0, den: 1 },
    maxFramerate: fractionOf(pod, FORMAT_KEYS.maxFramerate),
    modifier: modifier?.type === 'long' ? modifier.value : null,
  };
}

function formatName(number: number | null): PackedPixelFormat | null {
  const names = Object.keys(VIDEO_FORMATS) as PackedPixelFormat[];
  return names.find((name) => VIDEO_FORMATS[name] === number) ?? null;
}

function idOf(object: PodObject, key: number): number | null {
  const value = propertyOf(object, key);
  return value?.type === 'id' ? value.value : null;
}

function fractionOf(object: PodObject, key: number): Fraction | null {
  const value = propertyOf(object, key);
  return value?.type === 'fraction' && value.den > 0 ? { num: value.num, den: value.den } : null;
}
