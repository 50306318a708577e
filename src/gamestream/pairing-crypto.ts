/**
 * The arithmetic of GameStream pairing (generation 7 and later): AES-128-ECB without padding under
 * a key made from salt and PIN, SHA-256 commitments, RSA PKCS#1 v1.5 signatures. Deterministic; the
 * random parts are passed in.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  type KeyObject,
  timingSafeEqual,
  verify,
  X509Certificate,
} from 'node:crypto';
import { certificateSignature } from '../trust/der.ts';
import { certificateFingerprint } from '../trust/identity.ts';

export const SALT_SIZE = 16;
export const SECRET_SIZE = 16;
export const CHALLENGE_SIZE = 16;
export const HASH_SIZE = 32;

const CLIENT_PEM_SIZE_MAX = 4096;
const RSA_BITS_MIN = 2048;
const RSA_BITS_MAX = 4096;

/** A device's certificate as it came with the first pairing request. */
export interface ClientCertificate {
  readonly der: Uint8Array;
  readonly fingerprint: string;
  readonly signature: Uint8Array;
  readonly publicKey: KeyObject;
}

/** First 16 bytes of SHA-256(salt ‖ PIN as ASCII). */
export function pairingKey(salt: Uint8Array, pin: string): Uint8Array {
  return sha256(salt, Buffer.from(pin, 'ascii')).subarray(0, 16);
}

export function encryptBlocks(key: Uint8Array, plain: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-128-ecb', key, null).setAutoPadding(false);
  return Buffer.concat([cipher.update(plain), cipher.final()]);
}

/** `sealed` is a whole number of 16-byte blocks; the caller checked its length. */
export function decryptBlocks(key: Uint8Array, sealed: Uint8Array): Uint8Array {
  const decipher = createDecipheriv('aes-128-ecb', key, null).setAutoPadding(false);
  return Buffer.concat([decipher.update(sealed), decipher.final()]);
}

/** SHA-256(challenge ‖ signature of the prover's certificate ‖ secret): either side's commitment. */
export function commitment(
  challenge: Uint8Array,
  signature: Uint8Array,
  secret: Uint8Array,
): Uint8Array {
  return sha256(challenge, signature, secret);
}

/** Constant-time; false when the lengths differ. */
export function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** RSA PKCS#1 v1.5 with SHA-256. */
export function isSignedBy(key: KeyObject, content: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify('sha256', content, key, signature);
  } catch {
    return false;
  }
}

/**
 * Reads the PEM text of a device's certificate. Dates and chain do not matter, the key must be RSA
 * of 2048 to 4096 bits. Null when it is anything else.
 */
export function readClientCertificate(pem: Uint8Array): ClientCertificate | null {
  if (pem.length === 0 || pem.length > CLIENT_PEM_SIZE_MAX) return null;
  const text = Buffer.from(pem).toString('latin1').trim();
  if (!/^-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----$/.test(text)) {
    return null;
  }
  try {
    const certificate = new X509Certificate(text);
    const { publicKey } = certificate;
    const bits = publicKey.asymmetricKeyDetails?.modulusLength ?? 0;
    if (publicKey.asymmetricKeyType !== 'rsa') return null;
    if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX) return null;
    const der = new Uint8Array(certificate.raw);
    const signature = certificateSignature(der);
    if (!signature) return null;
    return { der, fingerprint: certificateFingerprint(der), signature, publicKey };
  } catch {
    return null;
  }
}

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}
