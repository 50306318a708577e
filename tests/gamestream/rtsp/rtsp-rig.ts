/** An RTSP service with a scripted host behind it, and the requests of a device in order. */
import type { LaunchRequest } from '../../../src/gamestream/nvhttp-launch.ts';
import { RtspCollector } from '../../../src/gamestream/rtsp-collector.ts';
import type { AnnounceOutcome, RtspHost, RtspPolicy } from '../../../src/gamestream/rtsp-host.ts';
import { type PendingLaunch, PendingLaunches } from '../../../src/gamestream/rtsp-launches.ts';
import { openRtsp, sealRtsp } from '../../../src/gamestream/rtsp-seal.ts';
import { type RtspNotice, RtspService } from '../../../src/gamestream/rtsp-service.ts';
import { announceText } from '../announce/announce-text.ts';

export const DEVICE_ADDRESS = '192.168.1.20';
export const POLICY: RtspPolicy = {
  touchAndPen: true,
  controllerTouchAndMotion: false,
  encryptionSupported: 7,
  encryptionRequested: 1,
  canInvalidateReferences: true,
  codecModeSupport: 1,
  encryptionRequired: 0,
  parityPct: 20,
  tagDscp: true,
};

export function launchRequest(changes: Partial<LaunchRequest> = {}): LaunchRequest {
  return {
    appId: 7,
    mode: null,
    key: Uint8Array.from({ length: 16 }, (_, index) => index),
    keyId: 1,
    playOnHost: false,
    changeDisplayMode: false,
    audioChannels: 2,
    audioChannelMask: 3,
    surroundParams: null,
    padMask: 1,
    keepPads: false,
    hdr: false,
    speaksSealedRtsp: true,
    continuousAudio: false,
    wantsVirtualDisplay: false,
    scalePct: null,
    appUuid: null,
    ...changes,
  };
}

export class RtspRig {
  nowMs = 0;
  policy = POLICY;
  outcome: AnnounceOutcome | Error = { ok: true };
  readonly orders: string[] = [];
  readonly announced: unknown[] = [];
  readonly notices: RtspNotice[] = [];
  readonly launches: PendingLaunches;
  readonly host: RtspHost;
  readonly service: RtspService;
  #randomByte = 0;
  #clientSequence = 0;

  constructor() {
    this.launches = new PendingLaunches((size) => {
      this.#randomByte += 1;
      return new Uint8Array(size).fill(this.#randomByte);
    });
    this.host = {
      launches: this.launches,
      policy: () => this.policy,
      ports: () => ({ video: 47_998, control: 47_999, audio: 48_000 }),
      announce: async (_launch, offer, format, details) => {
        this.orders.push('announce');
        this.announced.push({ offer, format, details });
        if (this.outcome instanceof Error) throw this.outcome;
        return this.outcome;
      },
      play: () => {
        this.orders.push('play');
      },
    };
    this.service = new RtspService(
      this.host,
      () => this.nowMs,
      (notice) => this.notices.push(notice),
    );
  }

  launch(sealedRtsp: boolean, changes: Partial<LaunchRequest> = {}, device = 'ab'): PendingLaunch {
    return this.launches.add(
      {
        request: launchRequest(changes),
        device: { fingerprint: device, name: 'Couch' },
        peerAddress: DEVICE_ADDRESS,
        sealedRtsp,
      },
      this.nowMs,
    );
  }

  /** Reply text to a plain request, null when the connection is closed without one. */
  async plain(text: string, address = DEVICE_ADDRESS): Promise<string | null> {
    const reply = await this.service.answer(
      new RtspCollector().push(Buffer.from(text, 'latin1')),
      address,
    );
    return reply === null ? null : Buffer.from(reply).toString('latin1');
  }

  /** Opened reply to a sealed request and the sequence it was sealed with. */
  async sealed(
    launch: PendingLaunch,
    text: string,
    address = DEVICE_ADDRESS,
    sequence?: number,
  ): Promise<{ text: string; sequence: number } | null> {
    this.#clientSequence += 1;
    const { key } = launch.request;
    const wire = sealRtsp(key, 'client', sequence ?? this.#clientSequence, Buffer.from(text));
    const reply = await this.service.answer(new RtspCollector().push(wire), address);
    if (reply === null) return null;
    const opened = openRtsp(key, 'host', reply);
    if (opened === null) throw new Error('the reply does not open');
    return {
      text: Buffer.from(opened).toString('latin1'),
      sequence: Buffer.from(reply).readUInt32BE(4),
    };
  }
}

export interface RequestOptions {
  readonly host?: string;
  readonly session?: string;
  readonly body?: string;
}

export function requestText(
  method: string,
  target: string,
  cseq: number,
  options: RequestOptions = {},
): string {
  const { host = '192.168.1.5', session, body } = options;
  const lines = [
    `${method} ${target} RTSP/1.0`,
    `CSeq: ${cseq}`,
    'X-GS-ClientVersion: 14',
    `Host: ${host}`,
  ];
  if (session !== undefined) lines.push(`Session: ${session}`);
  if (body !== undefined) {
    lines.push('Content-type: application/sdp', `Content-length: ${body.length}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n${body ?? ''}`;
}

/** The seven requests of a current client, in order. */
export function deviceRequests(host = '192.168.1.5'): readonly string[] {
  const url = `rtsp://${host}:48010`;
  const targets: readonly [string, string][] = [
    ['OPTIONS', url],
    ['DESCRIBE', url],
    ['SETUP', 'streamid=audio/0/0'],
    ['SETUP', 'streamid=video/0/0'],
    ['SETUP', 'streamid=control/13/0'],
    ['ANNOUNCE', 'streamid=control/13/0'],
    ['PLAY', '/'],
  ];
  return targets.map(([method, target], index) =>
    requestText(method, target, index + 1, {
      host,
      ...(method === 'ANNOUNCE' ? { body: announceText() } : {}),
    }),
  );
}
