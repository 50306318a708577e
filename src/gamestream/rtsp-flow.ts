/**
 * The RTSP exchange of one launch as a state machine: a request and the launch's progress become a
 * reply, or an order to the host. Pure.
 *
 * | method   | allowed in                | leads to  |
 * |----------|---------------------------|-----------|
 * | OPTIONS  | every stage               | —         |
 * | DESCRIBE | fresh                     | —         |
 * | SETUP    | fresh                     | —         |
 * | ANNOUNCE | fresh, all three set up   | announced |
 * | PLAY     | announced, playing        | playing   |
 *
 * Source: GameStream §4.4, §4.7, §4.8.
 */
import { parseAnnounce } from './announce.ts';
import { type AnnounceDecision, announceToOffer } from './announce-offer.ts';
import { describeBody } from './rtsp-describe.ts';
import type { MediaPorts, RtspPolicy } from './rtsp-host.ts';
import type { MediaStream, PendingLaunch } from './rtsp-launches.ts';
import type { RtspRequest, RtspResponse } from './rtsp-message.ts';

/** The client keeps the part before the semicolon and asks for no keep-alive. */
const SESSION_TIMEOUT = ';timeout = 90';
const STREAMS: readonly MediaStream[] = ['audio', 'video', 'control'];
/** 0.0.0.0 as a whole host, not as the tail of 10.0.0.0. */
const ZERO_HOST = /(?:^|[^0-9.])0\.0\.0\.0(?:$|[^0-9.])/;

export type RtspStep =
  | { readonly kind: 'reply'; readonly response: RtspResponse }
  /** Start the session; the reply follows its outcome ({@link announceReply}). */
  | {
      readonly kind: 'announce';
      readonly decision: Extract<AnnounceDecision, { ok: true }>;
      readonly cseq: number;
    }
  /** Tell the host, then send the response. */
  | { readonly kind: 'play'; readonly response: RtspResponse };

/** Decides on one request of `launch`, and moves its progress on. */
export function stepRtsp(
  request: RtspRequest,
  launch: PendingLaunch,
  policy: RtspPolicy,
  ports: MediaPorts,
): RtspStep {
  const { rtsp } = launch;
  noteHost(request, launch);
  switch (request.method) {
    case 'OPTIONS':
      return reply(request, 200, [['Public', 'OPTIONS, DESCRIBE, SETUP, ANNOUNCE, PLAY']]);
    case 'DESCRIBE':
      if (rtsp.stage !== 'fresh') return reply(request, 455);
      return {
        kind: 'reply',
        response: { status: 200, cseq: request.cseq, body: describeBody(policy) },
      };
    case 'SETUP':
      return rtsp.stage === 'fresh' ? setUp(request, launch, ports) : reply(request, 455);
    case 'ANNOUNCE':
      return announce(request, launch, policy);
    case 'PLAY':
      if (rtsp.stage === 'announced') {
        rtsp.stage = 'playing';
        return { kind: 'play', response: ok(request, launch) };
      }
      // Repeated PLAY: clients of older versions send two.
      if (rtsp.stage === 'playing') return { kind: 'reply', response: ok(request, launch) };
      return reply(request, 455);
    default:
      return reply(request, 405);
  }
}

/** The reply to ANNOUNCE once the host has tried to start the session. */
export function announceReply(launch: PendingLaunch, cseq: number, status: number): RtspResponse {
  if (status !== 200) return { status, cseq };
  return { status, cseq, headers: [['Session', launch.sessionToken + SESSION_TIMEOUT]] };
}

function announce(request: RtspRequest, launch: PendingLaunch, policy: RtspPolicy): RtspStep {
  const { rtsp } = launch;
  if (rtsp.stage !== 'fresh' || !STREAMS.every((stream) => rtsp.setUp.has(stream))) {
    return reply(request, 455);
  }
  const parsed = parseAnnounce(request.body);
  if (!parsed.ok) return reply(request, 400);
  const decision = announceToOffer(parsed.announce, {
    device: launch.device,
    peerAddress: launch.peerAddress,
    appId: launch.request.appId,
    key: launch.request.key,
    keyId: launch.request.keyId,
    playOnHost: launch.request.playOnHost,
    padMask: launch.request.padMask,
    sawZeroHost: rtsp.sawZeroHost,
    codecModeSupport: policy.codecModeSupport,
    canInvalidateReferences: policy.canInvalidateReferences,
    encryptionRequired: policy.encryptionRequired,
    parityPct: policy.parityPct,
    tagDscp: policy.tagDscp,
  });
  if (!decision.ok) return reply(request, decision.status);
  rtsp.stage = 'announcing';
  return { kind: 'announce', decision, cseq: request.cseq };
}

function setUp(request: RtspRequest, launch: PendingLaunch, ports: MediaPorts): RtspStep {
  // `streamid=control/13/0`: the kind stands between the equals sign and the first slash.
  const kind = /streamid=([a-z]{1,16})(?:\/|$)/.exec(request.target)?.[1];
  const stream = STREAMS.find((known) => known === kind);
  if (stream === undefined) return reply(request, 404);
  launch.rtsp.setUp.add(stream);
  return reply(request, 200, [
    ['Session', launch.sessionToken + SESSION_TIMEOUT],
    ['Transport', `server_port=${ports[stream]}`],
    stream === 'control'
      ? ['X-SS-Connect-Data', String(launch.connectData)]
      : ['X-SS-Ping-Payload', launch.pingPayload],
  ]);
}

function noteHost(request: RtspRequest, launch: PendingLaunch): void {
  const host = request.headers.get('host') ?? '';
  if (ZERO_HOST.test(host) || ZERO_HOST.test(request.target)) launch.rtsp.sawZeroHost = true;
}

function ok(request: RtspRequest, launch: PendingLaunch): RtspResponse {
  return announceReply(launch, request.cseq, 200);
}

function reply(
  request: RtspRequest,
  status: number,
  headers: NonNullable<RtspResponse['headers']> = [],
): RtspStep {
  return { kind: 'reply', response: { status, cseq: request.cseq, headers } };
}
