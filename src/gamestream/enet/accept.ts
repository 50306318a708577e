/** Makes a peer out of an accepted connect and queues its verify connect. Pure. Source: GameStream §6.2. */
import { EnetPeer } from './peer.ts';
import { CONNECTION_CHANNEL, type ConnectBody, encodeVerifyConnect } from './wire.ts';

export const ENET_CHANNELS_MAX = 48;
const MTU_MAX_BYTES = 900;
const MTU_MIN_BYTES = 576;
const WINDOW_MAX_BYTES = 65_536;
const WINDOW_MIN_BYTES = 4096;

/** Session ids that a slot used last, one per direction; 0xFF: none yet. */
export interface SlotSessions {
  out: number;
  in: number;
}

export interface AcceptedAs {
  readonly number: number;
  readonly slot: number;
  readonly sessions: SlotSessions;
  readonly from: string;
}

export function acceptConnect(body: ConnectBody, as: AcceptedAs, nowMs: number): EnetPeer {
  const { sessions } = as;
  sessions.out = nextSession(body.incomingSession, sessions.out);
  sessions.in = nextSession(body.outgoingSession, sessions.in);
  const peer = new EnetPeer(
    {
      number: as.number,
      slot: as.slot,
      connectId: body.connectId,
      connectData: body.data,
      outgoingPeerId: body.outgoingPeerId,
      outgoingSession: sessions.out,
      incomingSession: sessions.in,
      mtuBytes: Math.max(MTU_MIN_BYTES, Math.min(MTU_MAX_BYTES, body.mtuBytes)),
      windowBytes: Math.max(WINDOW_MIN_BYTES, Math.min(WINDOW_MAX_BYTES, body.windowBytes)),
      channelCount: Math.min(ENET_CHANNELS_MAX, body.channelCount),
    },
    as.from,
    nowMs,
  );
  const sequence = peer.channel(CONNECTION_CHANNEL)?.nextReliable() ?? 1;
  const verify = encodeVerifyConnect({
    sequence,
    outgoingPeerId: as.slot,
    incomingSession: sessions.out,
    outgoingSession: sessions.in,
    mtuBytes: peer.identity.mtuBytes,
    windowBytes: WINDOW_MAX_BYTES,
    channelCount: peer.identity.channelCount,
    throttle: body.throttle,
    connectId: body.connectId,
  });
  peer.queueReliable(CONNECTION_CHANNEL, sequence, verify);
  return peer;
}

/** Whether `body` from `address` is the connect that made `peer`, sent again. */
export function isSameConnect(peer: EnetPeer, body: ConnectBody, address: string): boolean {
  const { connectId } = peer.identity;
  return (
    peer.address === address && connectId.every((byte, index) => byte === body.connectId[index])
  );
}

/** Session id of one direction; starting from "none" (0xFF) the first one is 0. */
function nextSession(wished: number, last: number): number {
  const next = ((wished === 0xff ? last : wished) + 1) & 3;
  return next === last ? (next + 1) & 3 : next;
}
