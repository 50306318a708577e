/**
 * The device's X.509 certificate: self-signed, version 3, serial 0, no extensions, RSA-2048 with
 * SHA-256, subject `CN=NVIDIA GameStream Client` (GameStream §2.2); and the signature octets that
 * pairing hashes (§3).
 */
import { type KeyObject, sign } from 'node:crypto';
import { concatBytes } from './bytes.ts';

const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
/** 1.2.840.113549.1.1.11 */
const SHA256_WITH_RSA = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
/** 2.5.4.3 */
const COMMON_NAME = [0x55, 0x04, 0x03];
const DEVICE_NAME = 'NVIDIA GameStream Client';

/** DER of the certificate, valid from `fromYear` to `toYear`, both before 2050. */
export function makeDeviceCertificate(
  keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject },
  fromYear = 2025,
  toYear = 2045,
): Uint8Array<ArrayBuffer> {
  const algorithm = der(SEQUENCE, der(0x06, bytes(...SHA256_WITH_RSA)), bytes(0x05, 0));
  const name = der(
    SEQUENCE,
    der(SET, der(SEQUENCE, der(0x06, bytes(...COMMON_NAME)), der(UTF8_STRING, text(DEVICE_NAME)))),
  );
  const time = (year: number) => der(UTC_TIME, text(`${String(year).slice(2)}0101000000Z`));
  const toBeSigned = der(
    SEQUENCE,
    der(0xa0, der(INTEGER, bytes(2))),
    der(INTEGER, bytes(0)),
    algorithm,
    name,
    der(SEQUENCE, time(fromYear), time(toYear)),
    name,
    new Uint8Array(keys.publicKey.export({ type: 'spki', format: 'der' })),
  );
  const signature = sign('sha256', toBeSigned, keys.privateKey);
  return der(SEQUENCE, toBeSigned, algorithm, der(BIT_STRING, bytes(0), signature));
}

/** PEM text with 64 columns and a final line feed. */
export function certificatePem(certificate: Uint8Array): string {
  const lines =
    Buffer.from(certificate)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** DER of the first certificate in PEM text, or null. */
export function derOfPem(pem: string): Uint8Array<ArrayBuffer> | null {
  const body = /-----BEGIN CERTIFICATE-----([\sA-Za-z0-9+/=]+)-----END CERTIFICATE-----/.exec(pem);
  return body?.[1] ? new Uint8Array(Buffer.from(body[1], 'base64')) : null;
}

/** Octets of the signature: third element of the outer SEQUENCE, without the unused-bits octet. */
export function certificateSignature(certificate: Uint8Array): Uint8Array | null {
  const outer = readElement(certificate, 0);
  if (outer?.tag !== SEQUENCE) return null;
  const body = readElement(certificate, outer.start);
  const algorithm = body && readElement(certificate, body.end);
  const signature = algorithm && readElement(certificate, algorithm.end);
  if (signature?.tag !== BIT_STRING || certificate[signature.start] !== 0) return null;
  return certificate.slice(signature.start + 1, signature.end);
}

interface Element {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

function readElement(from: Uint8Array, at: number): Element | null {
  const [tag, first] = [from[at], from[at + 1]];
  if (tag === undefined || first === undefined) return null;
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  if (lengthBytes > 3) return null;
  let length = first < 0x80 ? first : 0;
  for (let index = 0; index < lengthBytes; index += 1) {
    length = length * 256 + (from[at + 2 + index] ?? 0);
  }
  const start = at + 2 + lengthBytes;
  return start + length <= from.length ? { tag, start, end: start + length } : null;
}

function der(tag: number, ...content: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const body = concatBytes(...content);
  const size = body.length;
  if (size < 0x80) return concatBytes(bytes(tag, size), body);
  const long = size < 0x100 ? bytes(tag, 0x81, size) : bytes(tag, 0x82, size >> 8, size & 0xff);
  return concatBytes(long, body);
}

function bytes(...values: readonly number[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(values);
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
