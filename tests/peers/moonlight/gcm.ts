/** AES-128-GCM with a 16-byte tag and no associated data, as all sealed GameStream traffic uses. */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { concatBytes } from './bytes.ts';

const TAG_BYTES = 16;

export function sealGcm(
  key: Uint8Array,
  nonce: Uint8Array,
  plain: Uint8Array,
): { readonly tag: Uint8Array; readonly sealed: Uint8Array } {
  const cipher = createCipheriv('aes-128-gcm', key, nonce, { authTagLength: TAG_BYTES });
  const sealed = concatBytes(cipher.update(plain), cipher.final());
  return { tag: cipher.getAuthTag(), sealed };
}

/** Plaintext, or null when the tag does not fit. */
export function openGcm(
  key: Uint8Array,
  nonce: Uint8Array,
  tag: Uint8Array,
  sealed: Uint8Array,
): Uint8Array<ArrayBuffer> | null {
  if (tag.length !== TAG_BYTES) return null;
  const decipher = createDecipheriv('aes-128-gcm', key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(tag);
  try {
    return concatBytes(decipher.update(sealed), decipher.final());
  } catch {
    return null;
  }
}
