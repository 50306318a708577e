/** What the device computes while pairing (GameStream §3, hosts of version 7 and up). Pure. */
import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { concatBytes, equalBytes } from './bytes.ts';

const HASH_BYTES = 32;
const CHALLENGE_BYTES = 16;

/** AES-128 key: the first half of SHA-256(salt ‖ PIN as ASCII). */
export function pairingKey(salt: Uint8Array, pin: string): Uint8Array<ArrayBuffer> {
  return sha256(salt, new TextEncoder().encode(pin)).slice(0, 16);
}

export function encryptBlocks(key: Uint8Array, plain: Uint8Array): Uint8Array<ArrayBuffer> {
  const cipher = createCipheriv('aes-128-ecb', key, null).setAutoPadding(false);
  return concatBytes(cipher.update(plain), cipher.final());
}

export function decryptBlocks(key: Uint8Array, sealed: Uint8Array): Uint8Array<ArrayBuffer> {
  const decipher = createDecipheriv('aes-128-ecb', key, null).setAutoPadding(false);
  return concatBytes(decipher.update(sealed), decipher.final());
}

/** The two halves of `challengeresponse`; null when its length is wrong. */
export function readChallengeResponse(
  key: Uint8Array,
  sealed: Uint8Array,
): { readonly hostHash: Uint8Array; readonly hostChallenge: Uint8Array } | null {
  if (sealed.length !== HASH_BYTES + CHALLENGE_BYTES) return null;
  const plain = decryptBlocks(key, sealed);
  return { hostHash: plain.slice(0, HASH_BYTES), hostChallenge: plain.slice(HASH_BYTES) };
}

/** `serverchallengeresp` of phase 3. */
export function answerHostChallenge(
  key: Uint8Array,
  hostChallenge: Uint8Array,
  deviceSignature: Uint8Array,
  deviceSecret: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return encryptBlocks(key, sha256(hostChallenge, deviceSignature, deviceSecret));
}

/** Whether the host knew the PIN: its hash over the device's own challenge must come out. */
export function isHostHashRight(
  hostHash: Uint8Array,
  deviceChallenge: Uint8Array,
  hostSignature: Uint8Array,
  hostSecret: Uint8Array,
): boolean {
  return equalBytes(hostHash, sha256(deviceChallenge, hostSignature, hostSecret));
}

function sha256(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(
    createHash('sha256')
      .update(concatBytes(...parts))
      .digest(),
  );
}
