/**
 * Plaintext of control messages: u16 LE type, u16 LE payload length, payload. What a device sends
 * (GameStream §7.2) and reads (§7.3). Pure.
 */
import { concatBytes, viewOf } from './bytes.ts';

export const SEND = {
  startA: 0x0302,
  startB: 0x0307,
  requestIdr: 0x0302,
  ping: 0x0200,
  invalidate: 0x0301,
  confirmLongTerm: 0x0350,
  parityStatus: 0x5502,
  input: 0x0206,
} as const;

export interface ParityStatus {
  readonly frameIndex: number;
  readonly highestSequence: number;
  readonly nextContiguousSequence: number;
  readonly missingBeforeHighest: number;
  readonly dataShards: number;
  readonly parityShards: number;
  readonly receivedData: number;
  readonly receivedParity: number;
  readonly percentField: number;
  readonly blockIndex: number;
  readonly blockCount: number;
}

export type HostMessage =
  | { readonly kind: 'termination'; readonly code: number }
  | { readonly kind: 'rumble'; readonly pad: number; readonly low: number; readonly high: number }
  | {
      readonly kind: 'trigger-rumble';
      readonly pad: number;
      readonly left: number;
      readonly right: number;
    }
  | {
      readonly kind: 'motion-rate';
      readonly pad: number;
      readonly rateHz: number;
      readonly sensor: number;
    }
  | {
      readonly kind: 'led';
      readonly pad: number;
      readonly red: number;
      readonly green: number;
      readonly blue: number;
    }
  | {
      readonly kind: 'adaptive-triggers';
      readonly pad: number;
      readonly flags: number;
      readonly leftType: number;
      readonly rightType: number;
      readonly left: Uint8Array;
      readonly right: Uint8Array;
    }
  | { readonly kind: 'hdr'; readonly isOn: boolean; readonly values: readonly number[] }
  | { readonly kind: 'unknown'; readonly type: number; readonly payload: Uint8Array };

const HDR_VALUES = 13;

export function controlMessage(type: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(4);
  viewOf(head).setUint16(0, type, true);
  viewOf(head).setUint16(2, payload.length, true);
  return concatBytes(head, payload);
}

export function startA(): Uint8Array<ArrayBuffer> {
  return controlMessage(SEND.startA, new Uint8Array(2));
}

export function startB(): Uint8Array<ArrayBuffer> {
  return controlMessage(SEND.startB, new Uint8Array(1));
}

export function requestIdr(): Uint8Array<ArrayBuffer> {
  return controlMessage(SEND.requestIdr, new Uint8Array(2));
}

export function keepAlive(): Uint8Array<ArrayBuffer> {
  return controlMessage(SEND.ping, Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 0));
}

/** Frames `first` … `last` must not be referenced. */
export function invalidate(first: number, last: number): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(24);
  viewOf(payload).setUint32(0, first, true);
  viewOf(payload).setUint32(8, last, true);
  return controlMessage(SEND.invalidate, payload);
}

export function confirmLongTerm(frameIndex: number): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(8);
  viewOf(payload).setUint32(0, frameIndex, true);
  return controlMessage(SEND.confirmLongTerm, payload);
}

export function parityStatus(status: ParityStatus): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(21);
  const view = viewOf(payload);
  view.setUint32(0, status.frameIndex);
  view.setUint16(4, status.highestSequence);
  view.setUint16(6, status.nextContiguousSequence);
  view.setUint16(8, status.missingBeforeHighest);
  view.setUint16(10, status.dataShards);
  view.setUint16(12, status.parityShards);
  view.setUint16(14, status.receivedData);
  view.setUint16(16, status.receivedParity);
  view.setUint8(18, status.percentField);
  view.setUint8(19, status.blockIndex);
  view.setUint8(20, status.blockCount);
  return controlMessage(SEND.parityStatus, payload);
}

/** Null when the message is shorter than its type needs, or its length field lies. */
export function readHostMessage(plain: Uint8Array): HostMessage | null {
  if (plain.length < 4) return null;
  const type = viewOf(plain).getUint16(0, true);
  const payload = plain.slice(4);
  if (viewOf(plain).getUint16(2, true) !== payload.length) return null;
  const need = PAYLOAD_BYTES_MIN[type];
  if (need !== undefined && payload.length < need) return null;
  return readPayload(type, payload);
}

const PAYLOAD_BYTES_MIN: Readonly<Record<number, number>> = {
  265: 4,
  267: 10,
  21760: 6,
  21761: 5,
  21762: 5,
  21763: 25,
  270: 1,
};

function readPayload(type: number, payload: Uint8Array): HostMessage {
  const view = viewOf(payload);
  switch (type) {
    case 0x0109:
      return { kind: 'termination', code: view.getUint32(0) };
    case 0x010b:
      return {
        kind: 'rumble',
        pad: view.getUint16(4, true),
        low: view.getUint16(6, true),
        high: view.getUint16(8, true),
      };
    case 0x5500:
      return {
        kind: 'trigger-rumble',
        pad: view.getUint16(0, true),
        left: view.getUint16(2, true),
        right: view.getUint16(4, true),
      };
    case 0x5501:
      return {
        kind: 'motion-rate',
        pad: view.getUint16(0, true),
        rateHz: view.getUint16(2, true),
        sensor: view.getUint8(4),
      };
    case 0x5502:
      return {
        kind: 'led',
        pad: view.getUint16(0, true),
        red: view.getUint8(2),
        green: view.getUint8(3),
        blue: view.getUint8(4),
      };
    case 0x5503:
      return {
        kind: 'adaptive-triggers',
        pad: view.getUint16(0, true),
        flags: view.getUint8(2),
        leftType: view.getUint8(3),
        rightType: view.getUint8(4),
        left: payload.slice(5, 15),
        right: payload.slice(15, 25),
      };
    case 0x010e:
      return { kind: 'hdr', isOn: view.getUint8(0) === 1, values: hdrValues(view) };
    default:
      return { kind: 'unknown', type, payload };
  }
}

/** Missing values count as 0. */
function hdrValues(view: DataView): number[] {
  return Array.from({ length: HDR_VALUES }, (_, index) =>
    view.byteLength >= 3 + index * 2 ? view.getUint16(1 + index * 2, true) : 0,
  );
}
