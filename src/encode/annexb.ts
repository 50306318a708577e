/**
 * H.264 access units in Annex B form: what leads the first slice, what is dropped, what is an IDR.
 *
 * A device finds a key picture by its leading SPS and PPS and looks for the first slice only in the
 * first datagram (GameStream §9.4), so nothing that is not needed may stand in front of it.
 * Pure; only the units before the first slice are looked at, so the cost does not grow with the
 * picture. Source: ITU-T H.264 §7.3.1, §7.4.1 and Annex B.
 */
import { withoutEmulation } from './bit-reader.ts';

/** nal_unit_type values, H.264 table 7-1. */
export const NAL = {
  slice: 1,
  idrSlice: 5,
  sei: 6,
  sps: 7,
  pps: 8,
  delimiter: 9,
  filler: 12,
} as const;

/** SEI payloadType user_data_unregistered, H.264 D.1.1. */
const SEI_USER_DATA = 5;
/** More units than this in front of a slice: not a stream of ours. */
const LEADING_UNITS_MAX = 32;

/** What an access unit begins with. One record is reused for all pictures of a stream. */
export interface AccessUnitLead {
  isIdr: boolean;
  hasSps: boolean;
  hasPps: boolean;
  /** Offset of the start code of the first slice; -1 without a slice. */
  firstSliceBytes: number;
  /** Bytes of the access unit after {@link cleanAccessUnit}. */
  lengthBytes: number;
}

export function newAccessUnitLead(): AccessUnitLead {
  return { isIdr: false, hasSps: false, hasPps: false, firstSliceBytes: -1, lengthBytes: 0 };
}

/**
 * Offset of the next start code (three- or four-byte form, at its first byte) at or after
 * `fromBytes`, or `end`.
 */
export function nextStartCode(data: Uint8Array, fromBytes: number, end = data.length): number {
  for (let at = fromBytes + 2; at < end; ) {
    const value = data[at] ?? 0;
    if (value > 1) {
      at += 3;
    } else if (value === 1) {
      if (data[at - 1] === 0 && data[at - 2] === 0) {
        const start = at - 2;
        return start > fromBytes && data[start - 1] === 0 ? start - 1 : start;
      }
      at += 3;
    } else {
      at += 1;
    }
  }
  return end;
}

/** Offset of the NAL header byte behind the start code at `startBytes`. */
export function nalHeaderAt(data: Uint8Array, startBytes: number): number {
  return startBytes + (data[startBytes + 2] === 1 ? 3 : 4);
}

/** Calls `visit` for every NAL unit. For tests and one-off checks, not for each picture. */
export function forEachNal(
  data: Uint8Array,
  visit: (type: number, startBytes: number, endBytes: number) => void,
): void {
  let start = nextStartCode(data, 0);
  while (start < data.length) {
    const header = nalHeaderAt(data, start);
    const end = nextStartCode(data, header);
    if (header < data.length) visit((data[header] ?? 0) & 0x1f, start, end);
    start = end;
  }
}

/**
 * Removes access unit delimiters, filler and user-data SEI in front of the first slice, in place,
 * and describes the result in `lead`. `lengthBytes` is the input's valid length.
 *
 * @returns false when `data` holds no slice within its first units: not an access unit.
 */
export function cleanAccessUnit(
  data: Uint8Array,
  lengthBytes: number,
  lead: AccessUnitLead,
): boolean {
  lead.isIdr = false;
  lead.hasSps = false;
  lead.hasPps = false;
  lead.firstSliceBytes = -1;
  lead.lengthBytes = lengthBytes;
  let kept = 0;
  let start = nextStartCode(data, 0, lengthBytes);
  for (let unit = 0; unit < LEADING_UNITS_MAX && start < lengthBytes; unit += 1) {
    const header = nalHeaderAt(data, start);
    const type = (data[header] ?? 0) & 0x1f;
    if (type === NAL.slice || type === NAL.idrSlice) {
      lead.isIdr = type === NAL.idrSlice;
      lead.firstSliceBytes = kept;
      lead.lengthBytes = kept + lengthBytes - start;
      if (kept !== start) data.copyWithin(kept, start, lengthBytes);
      return true;
    }
    const end = nextStartCode(data, header, lengthBytes);
    if (!isDropped(data, header, end, type)) {
      if (kept !== start) data.copyWithin(kept, start, end);
      kept += end - start;
      lead.hasSps ||= type === NAL.sps;
      lead.hasPps ||= type === NAL.pps;
    }
    start = end;
  }
  return false;
}

/**
 * Checks that a device will recognise the access unit: parameter sets lead an IDR and the first
 * slice's header lies within the first `firstPacketBytes`.
 *
 * @returns a sentence naming the violation, or null.
 */
export function leadProblem(lead: AccessUnitLead, firstPacketBytes: number): string | null {
  if (lead.firstSliceBytes < 0) return 'the access unit has no slice';
  if (lead.isIdr && !(lead.hasSps && lead.hasPps)) {
    return 'the IDR does not begin with its parameter sets';
  }
  // Start code, NAL header and the first bytes of the slice header.
  if (lead.firstSliceBytes + 8 > firstPacketBytes) {
    return `the first slice begins at byte ${lead.firstSliceBytes}, behind the first packet`;
  }
  return null;
}

function isDropped(data: Uint8Array, header: number, end: number, type: number): boolean {
  if (type === NAL.delimiter || type === NAL.filler) return true;
  return type === NAL.sei && holdsOnlyUserData(data, header + 1, end);
}

/** True when every message of the SEI unit is user data (encoder version strings). */
function holdsOnlyUserData(data: Uint8Array, from: number, end: number): boolean {
  // Zeros in front of the next start code belong to no unit (Annex B, trailing_zero_8bits).
  let endOfUnit = end;
  while (endOfUnit > from && data[endOfUnit - 1] === 0) endOfUnit -= 1;
  const payload = withoutEmulation(data, from, endOfUnit);
  // The last byte holds the trailing bits.
  const last = payload.length - 1;
  for (let at = 0; at < last; ) {
    let type = 0;
    for (; payload[at] === 0xff; at += 1) type += 255;
    type += payload[at] ?? 0;
    if (type !== SEI_USER_DATA) return false;
    at += 1;
    let size = 0;
    for (; payload[at] === 0xff; at += 1) size += 255;
    at += 1 + size + (payload[at] ?? 0);
  }
  return true;
}
