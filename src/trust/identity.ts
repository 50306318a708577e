/**
 * Who this host is: RSA key, self-signed certificate and unique id, made once and kept in one
 * owner-only file. Devices pin the certificate and know the host by the id, so a changed identity
 * un-pairs every device: a damaged or missing file is reported, never silently replaced.
 */
import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  randomUUID,
  X509Certificate,
} from 'node:crypto';
import { chmodSync, statSync } from 'node:fs';
import { createFileAtomic, readFileIfPresent } from '../platform/files.ts';
import { makeSelfSignedCertificate } from './certificate.ts';
import { certificateSignature, toPem } from './der.ts';

/** A sane identity file is about 3 KiB. */
const IDENTITY_SIZE_MAX = 64 * 1024;
const RSA_BITS = 2048;
const UNIQUE_ID_LINE = /^unique-id: ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/m;
const CERTIFICATE_BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----\n?/g;
const KEY_BLOCK = /-----BEGIN PRIVATE KEY-----[\s\S]*?-----END PRIVATE KEY-----\n?/g;
const OTHERS_MASK = 0o077;

export interface HostIdentity {
  /** Lower-case hex SHA-256 of {@link certificateDer}. */
  readonly fingerprint: string;
  readonly certificatePem: string;
  readonly certificateDer: Uint8Array;
  /** Signature octets of the certificate; GameStream pairing hashes them. */
  readonly certificateSignature: Uint8Array;
  readonly privateKey: KeyObject;
  readonly privateKeyPem: string;
  /** Lower-case UUID; the primary key of this host in every device's list. */
  readonly uniqueId: string;
}

export interface IdentityPlace {
  /** File that holds key, certificate and unique id. */
  readonly path: string;
  /** Subject of a new certificate; devices do not look at it. */
  readonly commonName: string;
  readonly nowMs: number;
  /** True when devices are paired already: then a missing file is a loss, not a first start. */
  readonly hasPairedDevices: boolean;
  /** Hears of what was put right, e.g. loose file permissions. */
  readonly onNote?: (sentence: string) => void;
}

/** The identity cannot be used; `message` is one sentence for the operator with the next step. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError';
}

/** Reads the identity, or makes it at the very first start. Throws {@link IdentityError}. */
export function loadOrCreateIdentity(place: IdentityPlace): HostIdentity {
  const present = readIdentityText(place.path);
  if (present !== null) {
    tightenPermissions(place);
    return parseIdentity(present, place.path);
  }
  if (place.hasPairedDevices) {
    throw new IdentityError(
      `${place.path} is missing although devices are paired; restore it from a backup, or remove ` +
        'the list of paired devices and pair them again',
    );
  }
  const text = makeIdentityText(place);
  try {
    if (createFileAtomic(place.path, text)) return parseIdentity(text, place.path);
  } catch (error) {
    throw new IdentityError(
      `cannot write the host identity to ${place.path} (${codeOf(error)}); make the state ` +
        'directory writable or choose another with --state-dir',
    );
  }
  return parseIdentity(readIdentityText(place.path) ?? '', place.path);
}

/** Lower-case hex SHA-256 of a certificate's DER: how devices and hosts are named everywhere. */
export function certificateFingerprint(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex');
}

function makeIdentityText(place: IdentityPlace): string {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: RSA_BITS });
  const certificate = makeSelfSignedCertificate({
    commonName: place.commonName,
    publicKey,
    privateKey,
    nowMs: place.nowMs,
    serial: randomBytes(16),
  });
  return [
    'Identity of this host. Keep it secret and back it up: a changed identity un-pairs all devices.',
    `unique-id: ${randomUUID()}`,
    toPem('CERTIFICATE', certificate) + privateKey.export({ type: 'pkcs8', format: 'pem' }),
  ].join('\n');
}

function readIdentityText(path: string): string | null {
  try {
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    if (size > IDENTITY_SIZE_MAX) throw damaged(path, `is ${size} bytes long`);
    return readFileIfPresent(path);
  } catch (error) {
    if (error instanceof IdentityError) throw error;
    throw new IdentityError(
      `cannot read the host identity ${path} (${codeOf(error)}); give this user access to it`,
    );
  }
}

function parseIdentity(text: string, path: string): HostIdentity {
  const uniqueId = UNIQUE_ID_LINE.exec(text)?.[1];
  const [certificateBlock, ...moreCertificates] = text.match(CERTIFICATE_BLOCK) ?? [];
  const [keyBlock, ...moreKeys] = text.match(KEY_BLOCK) ?? [];
  if (!uniqueId) throw damaged(path, 'has no line "unique-id: <uuid>"');
  if (!certificateBlock || moreCertificates.length > 0) {
    throw damaged(path, 'does not hold exactly one certificate');
  }
  if (!keyBlock || moreKeys.length > 0)
    throw damaged(path, 'does not hold exactly one private key');
  const certificate = orNull(() => new X509Certificate(certificateBlock));
  if (!certificate) throw damaged(path, 'holds a certificate that cannot be read');
  const privateKey = orNull(() => createPrivateKey(keyBlock));
  if (!privateKey) throw damaged(path, 'holds a private key that cannot be read');
  if (privateKey.asymmetricKeyType !== 'rsa') throw damaged(path, 'holds a key that is not RSA');
  if (!certificate.checkPrivateKey(privateKey)) {
    throw damaged(path, 'holds a private key that does not belong to its certificate');
  }
  const certificateDer = new Uint8Array(certificate.raw);
  const signature = certificateSignature(certificateDer);
  if (!signature) throw damaged(path, 'holds a certificate without a readable signature');
  return {
    fingerprint: certificateFingerprint(certificateDer),
    certificatePem: toPem('CERTIFICATE', certificateDer),
    certificateDer,
    certificateSignature: signature,
    privateKey,
    privateKeyPem: keyBlock,
    uniqueId,
  };
}

function tightenPermissions(place: IdentityPlace): void {
  try {
    if ((statSync(place.path).mode & OTHERS_MASK) === 0) return;
    chmodSync(place.path, 0o600);
    if ((statSync(place.path).mode & OTHERS_MASK) !== 0) return;
    place.onNote?.(`${place.path} was readable by other users; it is owner-only again`);
  } catch (error) {
    place.onNote?.(
      `${place.path} is readable by other users (${codeOf(error)}); run chmod 600 on it`,
    );
  }
}

function damaged(path: string, what: string): IdentityError {
  return new IdentityError(
    `${path} ${what}; restore it from a backup, or delete it to start with a new identity (every ` +
      'device must then pair again)',
  );
}

function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
