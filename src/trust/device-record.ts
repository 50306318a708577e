/** One paired device, as kept on disk and shown to the operator; and its name, made safe to show. */
import { certificateFingerprint } from './identity.ts';

export const DEVICE_NAME_LENGTH_MAX = 64;
/** A 4096-bit RSA certificate is about 1.3 KiB. */
const CERTIFICATE_SIZE_MAX = 8 * 1024;
const FALLBACK_NAME = 'Unnamed device';
/** C0, C1, zero-width, line and paragraph separators, bidi controls (UAX #9), BOM, lone surrogates. */
const UNSAFE_IN_NAMES =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\p{Surrogate}/gu;

export type DevicePlane = 'gamestream' | 'native';

export interface PairedDevice {
  /** Lower-case hex SHA-256 of the certificate's DER: the key of the roster. */
  readonly fingerprint: string;
  readonly name: string;
  readonly plane: DevicePlane;
  /** Base64 of the DER. */
  readonly certificate: string;
  /** A disabled device stays listed but is refused everywhere. */
  readonly enabled: boolean;
  /** Wall time, milliseconds since 1970. */
  readonly pairedAtMs: number;
  readonly lastSeenAtMs: number | null;
}

/** At most 64 characters, no control or direction characters, never empty. */
export function cleanDeviceName(wish: string): string {
  const printable = wish.replace(UNSAFE_IN_NAMES, ' ').replace(/\s+/g, ' ').trim();
  const clipped = [...printable].slice(0, DEVICE_NAME_LENGTH_MAX).join('').trim();
  return clipped === '' ? FALLBACK_NAME : clipped;
}

/** The record behind `value` when it is whole and consistent, else null. */
export function readDeviceRecord(value: unknown): PairedDevice | null {
  if (typeof value !== 'object' || value === null) return null;
  const record = value as Record<string, unknown>;
  const { fingerprint, name, plane, certificate, enabled, pairedAtMs, lastSeenAtMs } = record;
  if (plane !== 'gamestream' && plane !== 'native') return null;
  if (typeof name !== 'string' || typeof enabled !== 'boolean') return null;
  if (typeof certificate !== 'string' || certificate.length > CERTIFICATE_SIZE_MAX * 2) return null;
  if (!isWallTime(pairedAtMs)) return null;
  if (lastSeenAtMs !== null && !isWallTime(lastSeenAtMs)) return null;
  const der = Buffer.from(certificate, 'base64');
  if (der.length === 0 || der.toString('base64') !== certificate) return null;
  if (fingerprint !== certificateFingerprint(der)) return null;
  return {
    fingerprint,
    name: cleanDeviceName(name),
    plane,
    certificate,
    enabled,
    pairedAtMs,
    lastSeenAtMs,
  };
}

function isWallTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
