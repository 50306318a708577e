/**
 * Sealed control messages, the payload of every ENet message of the control plane.
 *
 * | offset | size | field                                   |
 * |--------|------|-----------------------------------------|
 * | 0      | 2 LE | 0x0001                                  |
 * | 2      | 2 LE | length: 4 + 16 + plaintext              |
 * | 4      | 4 LE | sequence, per sender, from 0            |
 * | 8      | 16   | GCM tag                                 |
 * | 24     | n    | u16 LE type, u16 LE length, payload     |
 *
 * V2 has a 12-byte IV: sequence little-endian, zeros, byte 10 `C` or `H` for the sender, byte 11
 * `C`. The older form has a 16-byte IV of which only byte 0 is set (sequence & 255), the same for
 * both senders. AES-128-GCM without associated data. Source: GameStream §7.1.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';

export const SEALED_MAGIC = 0x0001;
const HEADER_BYTES = 24;
const TAG_OFFSET = 8;
const TAG_BYTES = 16;
/** Counted by the length field beside the plaintext: sequence and tag. */
const COUNTED_BYTES = 4 + TAG_BYTES;
const PLAINTEXT_HEADER_BYTES = 4;

export type ControlVariant = 'v2' | 'legacy';
export type ControlSender = 'client' | 'host';

export interface ControlMessage {
  readonly type: number;
  readonly payload: Uint8Array;
}

export type Opened =
  | { readonly ok: true; readonly sequence: number; readonly message: ControlMessage }
  | { readonly ok: false; readonly reason: 'unsealed' | 'malformed' | 'unauthentic' };

/** Opens a message. `wire` may be longer than its length field says; it is never read beyond. */
export function openControl(
  key: Uint8Array,
  variant: ControlVariant,
  sender: ControlSender,
  wire: Uint8Array,
): Opened {
  if (wire.length < 2) return { ok: false, reason: 'malformed' };
  const view = new DataView(wire.buffer, wire.byteOffset, wire.byteLength);
  if (view.getUint16(0, true) !== SEALED_MAGIC) return { ok: false, reason: 'unsealed' };
  if (wire.length < HEADER_BYTES + PLAINTEXT_HEADER_BYTES)
    return { ok: false, reason: 'malformed' };
  const plaintextBytes = view.getUint16(2, true) - COUNTED_BYTES;
  const end = HEADER_BYTES + plaintextBytes;
  if (plaintextBytes < PLAINTEXT_HEADER_BYTES || end > wire.length) {
    return { ok: false, reason: 'malformed' };
  }
  const sequence = view.getUint32(4, true);
  const iv = initialisationVector(variant, sender, sequence);
  const decipher = createDecipheriv('aes-128-gcm', key, iv, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(wire.subarray(TAG_OFFSET, TAG_OFFSET + TAG_BYTES));
  const plaintext = decipher.update(wire.subarray(HEADER_BYTES, end));
  try {
    decipher.final();
  } catch {
    return { ok: false, reason: 'unauthentic' };
  }
  const body = new DataView(plaintext.buffer, plaintext.byteOffset, plaintext.byteLength);
  const payloadBytes = body.getUint16(2, true);
  if (PLAINTEXT_HEADER_BYTES + payloadBytes > plaintext.length) {
    return { ok: false, reason: 'malformed' };
  }
  const payload = plaintext.subarray(PLAINTEXT_HEADER_BYTES, PLAINTEXT_HEADER_BYTES + payloadBytes);
  return { ok: true, sequence, message: { type: body.getUint16(0, true), payload } };
}

export function sealControl(
  key: Uint8Array,
  variant: ControlVariant,
  sender: ControlSender,
  sequence: number,
  message: ControlMessage,
): Uint8Array {
  const plaintext = new Uint8Array(PLAINTEXT_HEADER_BYTES + message.payload.length);
  const body = new DataView(plaintext.buffer);
  body.setUint16(0, message.type, true);
  body.setUint16(2, message.payload.length, true);
  plaintext.set(message.payload, PLAINTEXT_HEADER_BYTES);

  const wire = new Uint8Array(HEADER_BYTES + plaintext.length);
  const view = new DataView(wire.buffer);
  view.setUint16(0, SEALED_MAGIC, true);
  view.setUint16(2, COUNTED_BYTES + plaintext.length, true);
  view.setUint32(4, sequence, true);
  const iv = initialisationVector(variant, sender, sequence);
  const cipher = createCipheriv('aes-128-gcm', key, iv);
  wire.set(cipher.update(plaintext), HEADER_BYTES);
  cipher.final();
  wire.set(cipher.getAuthTag(), TAG_OFFSET);
  return wire;
}

function initialisationVector(
  variant: ControlVariant,
  sender: ControlSender,
  sequence: number,
): Uint8Array {
  if (variant === 'legacy') {
    const iv = new Uint8Array(16);
    iv[0] = sequence & 0xff;
    return iv;
  }
  const iv = new Uint8Array(12);
  new DataView(iv.buffer).setUint32(0, sequence, true);
  iv[10] = sender === 'client' ? 0x43 : 0x48;
  iv[11] = 0x43;
  return iv;
}
