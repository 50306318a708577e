/**
 * The few pieces of DER (ITU-T X.690) that certificates need: writing our own self-signed one and
 * reading the signature out of a peer's. Reading checks every length before it follows it and
 * returns null instead of throwing, because the bytes may come from the network.
 */

const TAG = {
  integer: 0x02,
  bitString: 0x03,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** First year UTCTime cannot express (RFC 5280 §4.1.2.5). */
const UTC_TIME_END_YEAR = 2050;

/** A tagged value with its definite length. */
export function derValue(tag: number, content: Uint8Array): Uint8Array {
  return concat([Uint8Array.of(tag), derLength(content.length), content]);
}

export function derSequence(...items: readonly Uint8Array[]): Uint8Array {
  return derValue(TAG.sequence, concat(items));
}

export function derSet(...items: readonly Uint8Array[]): Uint8Array {
  return derValue(TAG.set, concat(items));
}

/** Non-negative INTEGER from big-endian bytes; leading zeros are normalised (X.690 §8.3). */
export function derInteger(magnitude: Uint8Array): Uint8Array {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start += 1;
  const digits = magnitude.subarray(start);
  const needsSignOctet = ((digits[0] ?? 0) & 0x80) !== 0 || digits.length === 0;
  return derValue(TAG.integer, needsSignOctet ? concat([Uint8Array.of(0), digits]) : digits);
}

/** BIT STRING of whole octets: the leading unused-bits octet is 0. */
export function derBitString(octets: Uint8Array): Uint8Array {
  return derValue(TAG.bitString, concat([Uint8Array.of(0), octets]));
}

export function derNull(): Uint8Array {
  return Uint8Array.of(TAG.null, 0);
}

export function derUtf8String(text: string): Uint8Array {
  return derValue(TAG.utf8String, new TextEncoder().encode(text));
}

/** OBJECT IDENTIFIER from dotted text; the caller passes constants. */
export function derOid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const octets = [first * 40 + second];
  for (const arc of rest) {
    const base128 = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
      base128.unshift((left & 0x7f) | 0x80);
    }
    octets.push(...base128);
  }
  return derValue(TAG.oid, Uint8Array.from(octets));
}

/** Time of a certificate: UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 §4.1.2.5). */
export function derTime(atMs: number): Uint8Array {
  const digits = new Date(atMs).toISOString().replace(/[-:T]|\.\d+/g, '');
  const usesUtcTime = new Date(atMs).getUTCFullYear() < UTC_TIME_END_YEAR;
  return usesUtcTime
    ? derValue(TAG.utcTime, new TextEncoder().encode(digits.slice(2)))
    : derValue(TAG.generalizedTime, new TextEncoder().encode(digits));
}

/** Context-specific constructed tag, e.g. `[0]` around the certificate version. */
export function derExplicit(number: number, content: Uint8Array): Uint8Array {
  return derValue(0xa0 | number, content);
}

/** `-----BEGIN label-----` text with 64-column lines (RFC 7468). */
export function toPem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

/**
 * Signature octets of an X.509 certificate: the content of the third element of the outer SEQUENCE
 * without its unused-bits octet. Null when the bytes are not shaped like a certificate.
 */
export function certificateSignature(der: Uint8Array): Uint8Array | null {
  const outer = readValue(der, 0, der.length);
  if (!outer || outer.tag !== TAG.sequence || outer.end !== der.length) return null;
  const tbs = readValue(der, outer.start, outer.end);
  if (!tbs || tbs.tag !== TAG.sequence) return null;
  const algorithm = readValue(der, tbs.end, outer.end);
  if (!algorithm || algorithm.tag !== TAG.sequence) return null;
  const signature = readValue(der, algorithm.end, outer.end);
  if (!signature || signature.tag !== TAG.bitString || signature.end !== outer.end) return null;
  const isWholeOctets = signature.end - signature.start > 1 && der[signature.start] === 0;
  return isWholeOctets ? der.slice(signature.start + 1, signature.end) : null;
}

interface DerSpan {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

/** One value at `offset`; null when its header or content would pass `limit`. */
function readValue(der: Uint8Array, offset: number, limit: number): DerSpan | null {
  if (offset + 2 > limit) return null;
  const tag = der[offset] ?? 0;
  const first = der[offset + 1] ?? 0;
  if (first < 0x80) return spanWithin(tag, offset + 2, first, limit);
  const octetCount = first & 0x7f;
  if (octetCount === 0 || octetCount > 3 || offset + 2 + octetCount > limit) return null;
  let length = 0;
  for (let index = 0; index < octetCount; index += 1) {
    length = length * 256 + (der[offset + 2 + index] ?? 0);
  }
  return spanWithin(tag, offset + 2 + octetCount, length, limit);
}

function spanWithin(tag: number, start: number, length: number, limit: number): DerSpan | null {
  return start + length <= limit ? { tag, start, end: start + length } : null;
}

function derLength(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length);
  const octets: number[] = [];
  for (let left = length; left > 0; left = Math.floor(left / 256)) octets.unshift(left & 0xff);
  return Uint8Array.of(0x80 | octets.length, ...octets);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
