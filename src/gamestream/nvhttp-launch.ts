/**
 * What `/launch` and `/resume` ask for. Informative values that clients disagree about are read
 * leniently; the key, the app and the mode are not. Pure.
 *
 * | parameter | form | needed |
 * |---|---|---|
 * | appid | decimal, 31 bit | launch |
 * | mode | WxHxFPS, FPS also fractional or × 1000 | no |
 * | rikey | 32 hex digits: AES-128 key of the session | yes |
 * | rikeyid | signed 32-bit decimal: first four IV bytes, big endian | yes |
 * | localAudioPlayMode | 0 or 1 | yes |
 * | surroundAudioInfo | channel mask << 16 or channel count | no |
 * | gcmap, remoteControllersBitmap | decimal bit mask of pads | no |
 * | sops, gcpersist, hdrMode, continuousAudio, virtualDisplay | 0 or 1 | no |
 * | corever | ≥ 1: the device speaks sealed RTSP | no |
 */
import type { DisplayMode } from '../session/mode.ts';
import { parseDecimal, parseHex, type Query } from './nvhttp-query.ts';

const APP_ID_MAX = 0x7fff_ffff;
const KEY_SIZE = 16;
const SIDE_MIN = 16;
const SIDE_MAX = 16_384;
/** Rates from here on are thousandths of a hertz. */
const THOUSANDTHS_FROM = 1_000;
const RATE_MAX_MILLIHERTZ = 1_000_000;
/** Sent by clients that take the host for NVIDIA's own software. */
const RATE_WHEN_ZERO = 60;
const PAD_MASK = 0xffff;
const SURROUND_PARAMS = /^[0-9]{3,32}$/;
const APP_UUID = /^[0-9A-Za-z-]{1,64}$/;
const SCALE_PCT_MIN = 10;
const SCALE_PCT_MAX = 1_000;

export interface LaunchRequest {
  /** 0 when a resume names none. */
  readonly appId: number;
  /** Null when the device leaves it to RTSP. */
  readonly mode: DisplayMode | null;
  /** AES-128 key of RTSP, control, video and audio. */
  readonly key: Uint8Array;
  /** `rikeyid` as unsigned 32 bit. */
  readonly keyId: number;
  readonly playOnHost: boolean;
  readonly changeDisplayMode: boolean;
  /** Hint; the RTSP ANNOUNCE decides. */
  readonly audioChannels: 2 | 6 | 8 | null;
  readonly audioChannelMask: number;
  /** Opus layout of the device's own, as digits. */
  readonly surroundParams: string | null;
  /** Bit n: a pad in slot n. */
  readonly padMask: number;
  readonly keepPads: boolean;
  readonly hdr: boolean;
  readonly speaksSealedRtsp: boolean;
  readonly continuousAudio: boolean;
  readonly wantsVirtualDisplay: boolean;
  /** UI scale in percent. */
  readonly scalePct: number | null;
  readonly appUuid: string | null;
}

export type LaunchResult =
  | { readonly ok: true; readonly request: LaunchRequest }
  | { readonly ok: false; readonly reason: string };

/** Decodes the query of `/launch`, or of `/resume` where the app id is optional. */
export function decodeLaunch(kind: 'launch' | 'resume', query: Query): LaunchResult {
  const appId = parseDecimal(query.get('appid'), 0, APP_ID_MAX);
  if (appId === null && (kind === 'launch' || query.has('appid'))) return refused('appid');
  const key = parseHex(query.get('rikey'), KEY_SIZE);
  if (key?.length !== KEY_SIZE) return refused('rikey');
  const keyId = parseDecimal(query.get('rikeyid'), -0x8000_0000, 0xffff_ffff);
  if (keyId === null) return refused('rikeyid');
  const playOnHost = parseDecimal(query.get('localAudioPlayMode'), 0, 1);
  if (playOnHost === null) return refused('localAudioPlayMode');
  const modeText = query.get('mode');
  const mode = modeText === undefined ? null : parseLaunchMode(modeText);
  if (modeText !== undefined && mode === null) return refused('mode');
  const surround = query.get('surroundParams') ?? '';
  if (surround !== '' && !SURROUND_PARAMS.test(surround)) return refused('surroundParams');
  const appUuid = query.get('appuuid') ?? '';
  if (appUuid !== '' && !APP_UUID.test(appUuid)) return refused('appuuid');
  return {
    ok: true,
    request: {
      appId: appId ?? 0,
      mode,
      key,
      keyId: keyId >>> 0,
      playOnHost: playOnHost === 1,
      changeDisplayMode: isOn(query, 'sops'),
      ...audioHint(query),
      surroundParams: surround === '' ? null : surround,
      padMask: padMask(query),
      keepPads: isOn(query, 'gcpersist'),
      hdr: isOn(query, 'hdrMode'),
      speaksSealedRtsp: (parseDecimal(query.get('corever'), 0, 0x7fff_ffff) ?? 0) >= 1,
      continuousAudio: isOn(query, 'continuousAudio'),
      wantsVirtualDisplay: isOn(query, 'virtualDisplay'),
      scalePct: parseDecimal(query.get('scaleFactor'), SCALE_PCT_MIN, SCALE_PCT_MAX),
      appUuid: appUuid === '' ? null : appUuid,
    },
  };
}

/** `1920x1080x60`, `1920x1080x59.94` or `1920x1080x59940`; null when out of range. */
export function parseLaunchMode(text: string): DisplayMode | null {
  const match = /^([0-9]{1,5})x([0-9]{1,5})x([0-9]{1,6})(?:\.([0-9]{1,6}))?$/.exec(text);
  if (!match) return null;
  const width = Number(match[1]);
  const height = Number(match[2]);
  if (Math.min(width, height) < SIDE_MIN || Math.max(width, height) > SIDE_MAX) return null;
  const rate = readRate(Number(match[3]), match[4] ?? '');
  return rate && { width, height, ...rate };
}

function readRate(
  whole: number,
  fraction: string,
): Pick<DisplayMode, 'refreshNum' | 'refreshDen'> | null {
  if (whole === 0 && /^0*$/.test(fraction)) return { refreshNum: RATE_WHEN_ZERO, refreshDen: 1 };
  const isThousandths = whole >= THOUSANDTHS_FROM;
  const thousandths = isThousandths
    ? whole
    : whole * 1000 + Math.round(Number(`0.${fraction || '0'}`) * 1000);
  if (isThousandths && fraction !== '') return null;
  if (thousandths < 1000 || thousandths >= RATE_MAX_MILLIHERTZ) return null;
  return thousandths % 1000 === 0
    ? { refreshNum: thousandths / 1000, refreshDen: 1 }
    : { refreshNum: thousandths, refreshDen: 1000 };
}

function audioHint(query: Query): Pick<LaunchRequest, 'audioChannels' | 'audioChannelMask'> {
  const info = parseDecimal(query.get('surroundAudioInfo'), 0, 0xffff_ffff) ?? 0;
  const channels = info % 0x1_0000;
  const isKnown = channels === 2 || channels === 6 || channels === 8;
  return {
    audioChannels: isKnown ? channels : null,
    audioChannelMask: isKnown ? Math.floor(info / 0x1_0000) : 0,
  };
}

function padMask(query: Query): number {
  const mask =
    parseDecimal(query.get('gcmap'), 0, 0xffff_ffff) ??
    parseDecimal(query.get('remoteControllersBitmap'), 0, 0xffff_ffff) ??
    0;
  return mask & PAD_MASK;
}

function isOn(query: Query, key: string): boolean {
  return query.get(key) === '1';
}

function refused(parameter: string): LaunchResult {
  return { ok: false, reason: `${parameter} is missing or malformed` };
}
