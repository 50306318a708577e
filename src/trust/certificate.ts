/**
 * Making the host's certificate: self-signed X.509 v3, RSA-2048, SHA-256, no extensions (the shape
 * every GameStream device has met). Devices pin it for ever, so it is made once and lives long.
 * Randomness and the date are passed in.
 */
import { type KeyObject, sign } from 'node:crypto';
import {
  derBitString,
  derExplicit,
  derInteger,
  derNull,
  derOid,
  derSequence,
  derSet,
  derTime,
  derUtf8String,
} from './der.ts';

const OID = {
  commonName: '2.5.4.3',
  sha256WithRsa: '1.2.840.113549.1.1.11',
} as const;

const DAY_MS = 86_400_000;
/** A clock that runs a little fast must not make a certificate that is not valid yet. */
const BACKDATE_MS = DAY_MS;
const VALIDITY_YEARS = 20;
const VERSION_3 = Uint8Array.of(2);

export interface CertificateWish {
  readonly commonName: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  readonly nowMs: number;
  /** 16 random bytes; the serial number (RFC 5280 §4.1.2.2 wants it positive and unpredictable). */
  readonly serial: Uint8Array;
}

/** DER of a self-signed certificate valid from a day ago for 20 years. */
export function makeSelfSignedCertificate(wish: CertificateWish): Uint8Array {
  const algorithm = derSequence(derOid(OID.sha256WithRsa), derNull());
  const name = derSequence(
    derSet(derSequence(derOid(OID.commonName), derUtf8String(wish.commonName))),
  );
  const end = new Date(wish.nowMs);
  end.setUTCFullYear(end.getUTCFullYear() + VALIDITY_YEARS);
  const serial = Uint8Array.from(wish.serial);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const toBeSigned = derSequence(
    derExplicit(0, derInteger(VERSION_3)),
    derInteger(serial),
    algorithm,
    name,
    derSequence(derTime(wish.nowMs - BACKDATE_MS), derTime(end.getTime())),
    name,
    new Uint8Array(wish.publicKey.export({ type: 'spki', format: 'der' })),
  );
  const signature = sign('sha256', toBeSigned, wish.privateKey);
  return derSequence(toBeSigned, algorithm, derBitString(signature));
}
