/**
 * Sealed control messages (GameStream §7.1): u16 LE 1, u16 LE length, u32 LE sequence, tag 16,
 * ciphertext. Two nonce forms: 12 bytes with direction (V2), 16 bytes with one sequence byte.
 */
import { concatBytes, viewOf } from './bytes.ts';
import { openGcm, sealGcm } from './gcm.ts';

const KIND_SEALED = 1;
const HEAD_BYTES = 24;
const TAG_OFFSET = 8;

export type ControlForm = 'v2' | 'legacy';

/** `direction`: `C` from the device, `H` from the host. */
export function sealControl(
  key: Uint8Array,
  form: ControlForm,
  direction: 'C' | 'H',
  sequence: number,
  plain: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const { tag, sealed } = sealGcm(key, nonceOf(form, direction, sequence), plain);
  const head = new Uint8Array(TAG_OFFSET);
  viewOf(head).setUint16(0, KIND_SEALED, true);
  viewOf(head).setUint16(2, 4 + tag.length + plain.length, true);
  viewOf(head).setUint32(4, sequence, true);
  return concatBytes(head, tag, sealed);
}

/** Plaintext and sequence, or why the message is dropped. */
export function openControl(
  key: Uint8Array,
  form: ControlForm,
  direction: 'C' | 'H',
  wire: Uint8Array,
):
  | { readonly sequence: number; readonly plain: Uint8Array<ArrayBuffer> }
  | 'short'
  | 'unsealed'
  | 'wrong-length'
  | 'bad-tag' {
  if (wire.length < 2) return 'short';
  if (viewOf(wire).getUint16(0, true) !== KIND_SEALED) return 'unsealed';
  if (wire.length < HEAD_BYTES) return 'short';
  if (viewOf(wire).getUint16(2, true) !== wire.length - 4) return 'wrong-length';
  const sequence = viewOf(wire).getUint32(4, true);
  const plain = openGcm(
    key,
    nonceOf(form, direction, sequence),
    wire.subarray(TAG_OFFSET, HEAD_BYTES),
    wire.subarray(HEAD_BYTES),
  );
  return plain ? { sequence, plain } : 'bad-tag';
}

function nonceOf(form: ControlForm, direction: 'C' | 'H', sequence: number): Uint8Array {
  if (form === 'legacy') {
    const nonce = new Uint8Array(16);
    nonce[0] = sequence & 255;
    return nonce;
  }
  const nonce = new Uint8Array(12);
  viewOf(nonce).setUint32(0, sequence, true);
  nonce[10] = direction.charCodeAt(0);
  nonce[11] = 'C'.charCodeAt(0);
  return nonce;
}
