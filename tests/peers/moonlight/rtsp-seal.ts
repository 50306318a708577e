/**
 * Sealed RTSP messages (GameStream §4.2), one per direction and connection.
 *
 * | offset | size | field                                 |
 * |--------|------|---------------------------------------|
 * | 0      | 4 BE | 0x80000000 + plaintext length         |
 * | 4      | 4 BE | sequence, from 1                      |
 * | 8      | 16   | GCM tag                               |
 * | 24     | n    | ciphertext                            |
 *
 * Nonce: sequence LE, zeros, `C` or `H` for the sender, `R`.
 */

import { concatBytes, viewOf } from './bytes.ts';
import { openGcm, sealGcm } from './gcm.ts';

const HEAD_BYTES = 24;
const SEALED_BIT = 0x80000000;

export function sealRtspMessage(
  key: Uint8Array,
  sequence: number,
  plain: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const { tag, sealed } = sealGcm(key, nonceOf(sequence, 'C'), plain);
  const head = new Uint8Array(8);
  viewOf(head).setUint32(0, (SEALED_BIT | plain.length) >>> 0);
  viewOf(head).setUint32(4, sequence);
  return concatBytes(head, tag, sealed);
}

/** Plaintext and sequence of the host's reply; null unless it is one whole sealed message. */
export function openRtspReply(
  key: Uint8Array,
  wire: Uint8Array,
): { readonly sequence: number; readonly plain: Uint8Array } | null {
  if (wire.length < HEAD_BYTES) return null;
  const word = viewOf(wire).getUint32(0);
  const length = word & 0x7fffffff;
  if (word < SEALED_BIT || wire.length !== HEAD_BYTES + length) return null;
  const sequence = viewOf(wire).getUint32(4);
  const plain = openGcm(
    key,
    nonceOf(sequence, 'H'),
    wire.subarray(8, HEAD_BYTES),
    wire.subarray(HEAD_BYTES),
  );
  return plain && { sequence, plain };
}

function nonceOf(sequence: number, sender: 'C' | 'H'): Uint8Array {
  const nonce = new Uint8Array(12);
  viewOf(nonce).setUint32(0, sequence, true);
  nonce[10] = sender.charCodeAt(0);
  nonce[11] = 'R'.charCodeAt(0);
  return nonce;
}
