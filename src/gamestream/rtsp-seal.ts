/**
 * Sealed RTSP (`rtspenc://`): one AES-128-GCM message per direction and connection.
 *
 * | offset | size | field                                     |
 * |--------|------|-------------------------------------------|
 * | 0      | 4 BE | 0x80000000 | plaintext length             |
 * | 4      | 4 BE | sequence, counted up before use           |
 * | 8      | 16   | GCM tag                                   |
 * | 24     | n    | ciphertext                                |
 *
 * IV: sequence little-endian, zeros, byte 10 `C` or `H` for the sender, byte 11 `R`.
 * Source: GameStream §4.2.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';

export const SEALED_HEADER_BYTES = 24;
const SEALED_BIT = 0x80000000;
const TAG_OFFSET = 8;
const TAG_BYTES = 16;

export type RtspSender = 'client' | 'host';

/** Whether a message that begins with this byte is sealed; plain ones begin with ASCII. */
export function isSealedStart(firstByte: number): boolean {
  return firstByte >= 0x80;
}

/** Plaintext length that a sealed message names. `wire` holds at least 4 bytes. */
export function sealedBodyBytes(wire: Uint8Array): number {
  return (viewOf(wire).getUint32(0) & ~SEALED_BIT) >>> 0;
}

/** Sequence number of a sealed message; it is authentic only once the message opened. */
export function sealedSequence(wire: Uint8Array): number {
  return viewOf(wire).getUint32(4);
}

export function sealRtsp(
  key: Uint8Array,
  sender: RtspSender,
  sequence: number,
  plaintext: Uint8Array,
): Uint8Array {
  const wire = new Uint8Array(SEALED_HEADER_BYTES + plaintext.length);
  const view = viewOf(wire);
  view.setUint32(0, (SEALED_BIT | plaintext.length) >>> 0);
  view.setUint32(4, sequence);
  const cipher = createCipheriv('aes-128-gcm', key, initialisationVector(sender, sequence));
  wire.set(cipher.update(plaintext), SEALED_HEADER_BYTES);
  cipher.final();
  wire.set(cipher.getAuthTag(), TAG_OFFSET);
  return wire;
}

/** Plaintext of a whole sealed message, or null when it is partial, has extra bytes or is not authentic. */
export function openRtsp(key: Uint8Array, sender: RtspSender, wire: Uint8Array): Uint8Array | null {
  if (wire.length < SEALED_HEADER_BYTES || !isSealedStart(wire[0] ?? 0)) return null;
  if (wire.length !== SEALED_HEADER_BYTES + sealedBodyBytes(wire)) return null;
  const iv = initialisationVector(sender, sealedSequence(wire));
  const decipher = createDecipheriv('aes-128-gcm', key, iv, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(wire.subarray(TAG_OFFSET, TAG_OFFSET + TAG_BYTES));
  const plaintext = decipher.update(wire.subarray(SEALED_HEADER_BYTES));
  try {
    decipher.final();
  } catch {
    return null;
  }
  return plaintext;
}

function initialisationVector(sender: RtspSender, sequence: number): Uint8Array {
  const iv = new Uint8Array(12);
  viewOf(iv).setUint32(0, sequence, true);
  iv[10] = sender === 'client' ? 0x43 : 0x48;
  iv[11] = 0x52;
  return iv;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
