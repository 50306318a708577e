/**
 * The seven RTSP requests that start a stream, and what a device concludes from the replies
 * (GameStream §4.4–4.9).
 */
import { type AnnounceOffer, announceBody } from './announce.ts';
import type { RtspClient, RtspReply } from './rtsp.ts';

/** Bits of `encryptionSupported`, `encryptionRequested` and `encryptionEnabled`. */
export const ENCRYPTION = { controlV2: 1, video: 2, audio: 4 } as const;

export interface HostDescription {
  readonly featureFlags: number;
  readonly encryptionSupported: number;
  readonly encryptionRequested: number;
  readonly canInvalidate: boolean;
  readonly hasHevc: boolean;
  readonly hasAv1: boolean;
  /** Values of `surround-params` in order. */
  readonly surroundParams: readonly string[];
}

export interface HandshakeResult {
  readonly description: HostDescription;
  readonly offer: AnnounceOffer;
  readonly videoPort: number;
  readonly audioPort: number;
  readonly controlPort: number;
  /** 16 characters, or null: then the 4-byte ping of old is used. */
  readonly videoPing: string | null;
  readonly audioPing: string | null;
  readonly connectData: number;
}

/** A step refused by the host; devices end with that number as error. */
export class HandshakeRefused extends Error {
  readonly step: string;
  readonly status: number;
  constructor(step: string, status: number) {
    super(`${step} answered ${status}`);
    this.name = 'HandshakeRefused';
    this.step = step;
    this.status = status;
  }
}

export interface HandshakeOptions {
  /** Decides the offer once the host has described itself. */
  readonly offer: (description: HostDescription) => AnnounceOffer;
  /** Devices ping for sound from the first SETUP on, before ANNOUNCE (§5). */
  readonly onAudioPort?: (port: number, ping: string | null) => void;
  /** Stops after this step, as a device that gives up. */
  readonly stopAfter?: 'OPTIONS' | 'DESCRIBE' | 'SETUP' | 'ANNOUNCE';
}

const EPOCH = 'Thu, 01 Jan 1970 00:00:00 GMT';
const CONTROL_TARGET = 'streamid=control/13/0';

export async function rtspHandshake(
  rtsp: RtspClient,
  options: HandshakeOptions,
): Promise<HandshakeResult | null> {
  const step = async (
    method: string,
    target: string,
    headers: readonly (readonly [string, string])[] = [],
    body?: string,
  ): Promise<RtspReply> => {
    const reply = await rtsp.request({ method, target, headers, ...(body ? { body } : {}) });
    if (reply.status !== 200) throw new HandshakeRefused(method, reply.status);
    return reply;
  };

  await step('OPTIONS', rtsp.url);
  if (options.stopAfter === 'OPTIONS') return null;
  const described = await step('DESCRIBE', rtsp.url, [
    ['Accept', 'application/sdp'],
    ['If-Modified-Since', EPOCH],
  ]);
  const description = readDescription(described.body);
  if (options.stopAfter === 'DESCRIBE') return null;

  const setup = (target: string, session: string | null) =>
    step('SETUP', target, [
      ...(session === null ? [] : [['Session', session] as const]),
      ['Transport', 'unicast;X-GS-ClientPort=50000-50001'],
      ['If-Modified-Since', EPOCH],
    ]);
  const audio = await setup('streamid=audio/0/0', null);
  const session = audio.headers.get('Session')?.split(';')[0];
  if (!session) throw new Error('SETUP of audio names no Session');
  options.onAudioPort?.(portOf(audio), pingOf(audio));
  const video = await setup('streamid=video/0/0', session);
  const control = await setup(CONTROL_TARGET, session);
  if (options.stopAfter === 'SETUP') return null;

  const offer = options.offer(description);
  const body = announceBody(offer, portOf(video));
  await step(
    'ANNOUNCE',
    CONTROL_TARGET,
    [
      ['Session', session],
      ['Content-type', 'application/sdp'],
      ['Content-length', String(body.length)],
    ],
    body,
  );
  if (options.stopAfter === 'ANNOUNCE') return null;
  await step('PLAY', '/', [['Session', session]]);
  return {
    description,
    offer,
    videoPort: portOf(video),
    audioPort: portOf(audio),
    controlPort: portOf(control),
    videoPing: pingOf(video),
    audioPing: pingOf(audio),
    connectData: connectDataOf(control),
  };
}

export function readDescription(body: string): HostDescription {
  if (body.length === 0) throw new Error('DESCRIBE has no body');
  const number = (name: string): number =>
    Number(new RegExp(`a=x-ss-general\\.${name}:(\\d+)`).exec(body)?.[1] ?? 0);
  return {
    featureFlags: number('featureFlags'),
    encryptionSupported: number('encryptionSupported'),
    encryptionRequested: number('encryptionRequested'),
    canInvalidate: body.includes('x-nv-video[0].refPicInvalidation'),
    hasHevc: body.includes('sprop-parameter-sets=AAAAAU'),
    hasAv1: body.includes('AV1/90000'),
    surroundParams: [...body.matchAll(/a=fmtp:97 surround-params=(\d+)/g)].map(
      (found) => found[1] ?? '',
    ),
  };
}

/** Bits the device turns on: what it wants of the supported ones, and all that are requested. */
export function agreeEncryption(description: HostDescription, wanted: number): number {
  const supported = description.encryptionSupported;
  return supported & (ENCRYPTION.controlV2 | wanted | description.encryptionRequested);
}

function portOf(reply: RtspReply): number {
  const port = /server_port=(\d+)/.exec(reply.headers.get('Transport') ?? '')?.[1];
  if (!port) throw new Error('SETUP names no server_port');
  return Number(port);
}

function pingOf(reply: RtspReply): string | null {
  const payload = reply.headers.get('X-SS-Ping-Payload');
  return payload?.length === 16 ? payload : null;
}

function connectDataOf(reply: RtspReply): number {
  const text = reply.headers.get('X-SS-Connect-Data') ?? '0';
  if (!/^(?:0x[0-9a-f]+|[1-9]\d*|0)$/i.test(text)) {
    throw new Error(`X-SS-Connect-Data is no number: ${text}`);
  }
  return Number(text) >>> 0;
}
