/**
 * Audio formats of PipeWire streams: 32-bit float, interleaved, with named channel positions.
 * Keys and values from spa/param/audio/raw.h (libspa-0.2).
 */
import { type Pod, type PodObject, podArray, podId, podInt, propertyOf } from './pod.ts';
import { encodePod } from './pod-encode.ts';
import { OBJECT_FORMAT, PARAM_ENUM_FORMAT } from './video-format.ts';

const KEYS = {
  mediaType: 1,
  mediaSubtype: 2,
  format: 0x10001,
  rate: 0x10003,
  channels: 0x10004,
  position: 0x10005,
} as const;
const MEDIA_TYPE_AUDIO = 1;
const MEDIA_SUBTYPE_RAW = 1;
const FORMAT_F32_LE = 0x11b;
/** `SPA_AUDIO_MAX_CHANNELS`. */
const CHANNELS_MAX = 64;

/** `enum spa_audio_channel`. */
export const AUDIO_CHANNELS = {
  MONO: 2,
  FL: 3,
  FR: 4,
  FC: 5,
  LFE: 6,
  SL: 7,
  SR: 8,
  RL: 12,
  RR: 13,
} as const;
export type AudioChannel = keyof typeof AUDIO_CHANNELS;

/** Channel orders of the host's interleave: FL FR C LFE RL RR SL SR. */
export const CHANNEL_LAYOUTS: Readonly<Record<1 | 2 | 6 | 8, readonly AudioChannel[]>> = {
  1: ['MONO'],
  2: ['FL', 'FR'],
  6: ['FL', 'FR', 'FC', 'LFE', 'RL', 'RR'],
  8: ['FL', 'FR', 'FC', 'LFE', 'RL', 'RR', 'SL', 'SR'],
};

export interface AudioFormat {
  readonly rateHz: number;
  readonly channels: number;
  /** Names of known positions; `?` for others. Empty when the format names none. */
  readonly positions: readonly (AudioChannel | '?')[];
}

/** EnumFormat pod for F32 interleaved audio with exactly these channels. */
export function encodeAudioOffer(rateHz: number, channels: readonly AudioChannel[]): Uint8Array {
  return encodePod({
    type: 'object',
    objectType: OBJECT_FORMAT,
    id: PARAM_ENUM_FORMAT,
    properties: [
      { key: KEYS.mediaType, value: podId(MEDIA_TYPE_AUDIO) },
      { key: KEYS.mediaSubtype, value: podId(MEDIA_SUBTYPE_RAW) },
      { key: KEYS.format, value: podId(FORMAT_F32_LE) },
      { key: KEYS.rate, value: podInt(rateHz) },
      { key: KEYS.channels, value: podInt(channels.length) },
      {
        key: KEYS.position,
        value: podArray(channels.map((channel) => podId(AUDIO_CHANNELS[channel]))),
      },
    ],
  });
}

/** Reads an agreed Format; a sentence when it is not F32 interleaved audio. */
export function readAudioFormat(pod: Pod): AudioFormat | string {
  if (pod.type !== 'object' || pod.objectType !== OBJECT_FORMAT) return 'not a format';
  if (numberOf(pod, KEYS.mediaType) !== MEDIA_TYPE_AUDIO) return 'not an audio format';
  if (numberOf(pod, KEYS.mediaSubtype) !== MEDIA_SUBTYPE_RAW) return 'not raw audio';
  if (numberOf(pod, KEYS.format) !== FORMAT_F32_LE) return 'not 32-bit float samples';
  const rateHz = numberOf(pod, KEYS.rate) ?? 0;
  const channels = numberOf(pod, KEYS.channels) ?? 0;
  if (rateHz < 1 || channels < 1 || channels > CHANNELS_MAX) {
    return `${channels} channels at ${rateHz} Hz are out of range`;
  }
  const position = propertyOf(pod, KEYS.position);
  return {
    rateHz,
    channels,
    positions: position?.type === 'array' ? position.values.map(channelName) : [],
  };
}

function channelName(value: Pod): AudioChannel | '?' {
  const names = Object.keys(AUDIO_CHANNELS) as AudioChannel[];
  const number = value.type === 'id' ? value.value : -1;
  return names.find((name) => AUDIO_CHANNELS[name] === number) ?? '?';
}

function numberOf(object: PodObject, key: number): number | null {
  const value = propertyOf(object, key);
  return value?.type === 'id' || value?.type === 'int' ? value.value : null;
}
