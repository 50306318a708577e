/**
 * Control messages from the device: type and payload become a typed event. Lengths are checked
 * before any read; longer payloads than known are accepted. Pure.
 *
 * | type   | payload                                                              |
 * |--------|----------------------------------------------------------------------|
 * | 0x0302 | IDR request; also the first start message                            |
 * | 0x0305 | start of older versions                                              |
 * | 0x0307 | second start message                                                 |
 * | 0x0200 | keep-alive, every 100 ms                                             |
 * | 0x0301 | LE: u32 first lost frame, u32 0, u32 last lost frame, 12 bytes        |
 * | 0x0350 | LE: u32 long-term reference frame, u32 0                             |
 * | 0x5502 | BE: state of one frame's parity, 21 bytes                            |
 * | 0x0206 | input packet                                                         |
 * | 0x0201 | loss statistics of older versions, 32 bytes LE                       |
 *
 * Source: GameStream §7.2.
 */
import type { ControlMessage } from './seal.ts';

export const CLIENT_MESSAGE = {
  ping: 0x0200,
  lossStats: 0x0201,
  input: 0x0206,
  invalidate: 0x0301,
  requestIdr: 0x0302,
  startLegacy: 0x0305,
  start: 0x0307,
  longTermAck: 0x0350,
  fecStatus: 0x5502,
} as const;

/** How one frame fared on its way to the device. */
export interface FecStatus {
  readonly frame: number;
  readonly highestReceivedSequence: number;
  readonly nextContiguousSequence: number;
  readonly missingBeforeHighest: number;
  readonly dataShards: number;
  readonly parityShards: number;
  readonly receivedDataShards: number;
  readonly receivedParityShards: number;
  readonly parityPct: number;
  readonly blockIndex: number;
  readonly blockCount: number;
}

export interface LossStats {
  /** Packets lost since the last report, as the device counts them. */
  readonly lostCount: number;
  readonly intervalMs: number;
  /** Last frame that arrived whole. */
  readonly lastGoodFrame: number;
}

export type ClientMessage =
  | { readonly kind: 'idr' }
  | { readonly kind: 'start' }
  | { readonly kind: 'ping' }
  /** Frames `first`…`last` were lost and must not be referenced. */
  | { readonly kind: 'rfi'; readonly first: number; readonly last: number }
  | { readonly kind: 'ltr-ack'; readonly frame: number }
  | { readonly kind: 'fec-status'; readonly status: FecStatus }
  | { readonly kind: 'loss-stats'; readonly stats: LossStats }
  | { readonly kind: 'input'; readonly packet: Uint8Array };

export type Decoded =
  | { readonly ok: true; readonly message: ClientMessage }
  | { readonly ok: false; readonly reason: 'unknown' | 'short' | 'range' };

const RFI_BYTES_MIN = 12;
const LTR_BYTES_MIN = 4;
const FEC_STATUS_BYTES = 21;
const LOSS_STATS_BYTES_MIN = 16;

export function decodeClientMessage({ type, payload }: ControlMessage): Decoded {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  switch (type) {
    case CLIENT_MESSAGE.requestIdr:
      return { ok: true, message: { kind: 'idr' } };
    case CLIENT_MESSAGE.start:
    case CLIENT_MESSAGE.startLegacy:
      return { ok: true, message: { kind: 'start' } };
    case CLIENT_MESSAGE.ping:
      return { ok: true, message: { kind: 'ping' } };
    case CLIENT_MESSAGE.input:
      return { ok: true, message: { kind: 'input', packet: payload } };
    case CLIENT_MESSAGE.invalidate: {
      if (payload.length < RFI_BYTES_MIN) return { ok: false, reason: 'short' };
      const first = view.getUint32(0, true);
      const last = view.getUint32(8, true);
      if (last < first) return { ok: false, reason: 'range' };
      return { ok: true, message: { kind: 'rfi', first, last } };
    }
    case CLIENT_MESSAGE.longTermAck:
      if (payload.length < LTR_BYTES_MIN) return { ok: false, reason: 'short' };
      return { ok: true, message: { kind: 'ltr-ack', frame: view.getUint32(0, true) } };
    case CLIENT_MESSAGE.fecStatus:
      if (payload.length < FEC_STATUS_BYTES) return { ok: false, reason: 'short' };
      return { ok: true, message: { kind: 'fec-status', status: readFecStatus(view) } };
    case CLIENT_MESSAGE.lossStats:
      if (payload.length < LOSS_STATS_BYTES_MIN) return { ok: false, reason: 'short' };
      return { ok: true, message: { kind: 'loss-stats', stats: readLossStats(view) } };
    default:
      return { ok: false, reason: 'unknown' };
  }
}

function readFecStatus(view: DataView): FecStatus {
  return {
    frame: view.getUint32(0),
    highestReceivedSequence: view.getUint16(4),
    nextContiguousSequence: view.getUint16(6),
    missingBeforeHighest: view.getUint16(8),
    dataShards: view.getUint16(10),
    parityShards: view.getUint16(12),
    receivedDataShards: view.getUint16(14),
    receivedParityShards: view.getUint16(16),
    parityPct: view.getUint8(18),
    blockIndex: view.getUint8(19),
    blockCount: view.getUint8(20),
  };
}

function readLossStats(view: DataView): LossStats {
  return {
    lostCount: view.getInt32(0, true),
    intervalMs: view.getInt32(4, true),
    lastGoodFrame: view.getUint32(12, true),
  };
}
