/**
 * Wayland wire format: messages to bytes and back. Pure; every length is checked before it is used.
 * Source: the Wayland protocol specification, "Wire Format" (host byte order, little-endian here).
 *
 * | offset | size | meaning                                                      |
 * |--------|------|--------------------------------------------------------------|
 * | 0      | 4    | object id                                                    |
 * | 4      | 2    | opcode                                                       |
 * | 6      | 2    | message size in bytes, header included, multiple of 4        |
 * | 8      | …    | arguments; strings and arrays: u32 length, bytes, padding    |
 *
 * Signatures: `i` int, `u` uint, `f` fixed 24.8, `s` string, `o` object, `n` new id, `a` array, `h`
 * descriptor (travels beside the bytes); a `?` before `s` or `o` allows null.
 */

export const HEADER_BYTES = 8;
/** What libwayland before 1.23 takes in one message; longer ones are never sent. */
export const MESSAGE_BYTES_MAX = 4096;

/** Value of one argument. Objects and new ids are ids, fixed is a plain number, descriptors are fds. */
export type WireValue = number | string | Uint8Array | null;

export interface MessageHeader {
  readonly objectId: number;
  readonly opcode: number;
  readonly sizeBytes: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Writes one message at `offset`; descriptors are appended to `fds`.
 *
 * @returns the end offset, or null when an argument does not fit the signature, the message exceeds
 * {@link MESSAGE_BYTES_MAX}, or the buffer ends first
 */
export function encodeMessage(
  view: DataView,
  offset: number,
  objectId: number,
  opcode: number,
  signature: string,
  values: readonly WireValue[],
  fds: number[],
): number | null {
  const limit = Math.min(view.byteLength, offset + MESSAGE_BYTES_MAX);
  let at = offset + HEADER_BYTES;
  if (at > limit) return null;
  let index = 0;
  let isNullable = false;
  for (const kind of signature) {
    if (kind === '?') {
      isNullable = true;
      continue;
    }
    const value = values[index] ?? null;
    index += 1;
    if (kind === 's' || kind === 'a') {
      const next = encodeBlock(view, at, limit, kind, value, isNullable);
      if (next === null) return null;
      at = next;
    } else if (kind === 'h') {
      if (typeof value !== 'number') return null;
      fds.push(value);
    } else {
      const word = value === null && isNullable ? 0 : value;
      if (typeof word !== 'number' || at + 4 > limit) return null;
      if (kind === 'f') view.setInt32(at, Math.round(word * 256), true);
      else view.setUint32(at, word >>> 0, true);
      at += 4;
    }
    isNullable = false;
  }
  if (index !== values.length) return null;
  view.setUint32(offset, objectId, true);
  view.setUint32(offset + 4, (((at - offset) << 16) | opcode) >>> 0, true);
  return at;
}

/** Header at `offset`, null while fewer than 8 bytes are there. A size below 8 is the peer's fault. */
export function decodeHeader(view: DataView, offset: number, end: number): MessageHeader | null {
  if (end - offset < HEADER_BYTES) return null;
  const second = view.getUint32(offset + 4, true);
  return {
    objectId: view.getUint32(offset, true),
    opcode: second & 0xffff,
    sizeBytes: second >>> 16,
  };
}

/**
 * Arguments in bytes `offset`…`end`; descriptors are taken from the front of `fds`.
 *
 * @returns the values, or a sentence saying what is wrong with the message
 */
export function decodeArguments(
  view: DataView,
  offset: number,
  end: number,
  signature: string,
  fds: number[],
): WireValue[] | string {
  const values: WireValue[] = [];
  let at = offset;
  let isNullable = false;
  for (const kind of signature) {
    if (kind === '?') {
      isNullable = true;
      continue;
    }
    if (kind === 'h') {
      const fd = fds.shift();
      if (fd === undefined) return 'a descriptor is missing';
      values.push(fd);
      isNullable = false;
      continue;
    }
    if (at + 4 > end) return 'arguments end early';
    const word = view.getUint32(at, true);
    at += 4;
    if (kind === 's' || kind === 'a') {
      if (word > end - at) return 'a string or array is longer than its message';
      if (kind === 'a') values.push(copyOf(view, at, word));
      else if (word === 0 && isNullable) values.push(null);
      else if (word === 0 || view.getUint8(at + word - 1) !== 0)
        return 'a string is not terminated';
      else values.push(decoder.decode(copyOf(view, at, word - 1)));
      at += (word + 3) & ~3;
    } else if (kind === 'i') {
      values.push(word | 0);
    } else if (kind === 'f') {
      values.push((word | 0) / 256);
    } else {
      values.push(word === 0 && isNullable ? null : word);
    }
    isNullable = false;
  }
  return values;
}

/** How many descriptors a message of this signature carries. */
export function descriptorCount(signature: string): number {
  let count = 0;
  for (const kind of signature) if (kind === 'h') count += 1;
  return count;
}

function encodeBlock(
  view: DataView,
  offset: number,
  limit: number,
  kind: 's' | 'a',
  value: WireValue,
  isNullable: boolean,
): number | null {
  if (value === null && isNullable && offset + 4 <= limit) {
    view.setUint32(offset, 0, true);
    return offset + 4;
  }
  const bytes = kind === 's' && typeof value === 'string' ? encoder.encode(value) : value;
  if (!(bytes instanceof Uint8Array)) return null;
  const length = bytes.length + (kind === 's' ? 1 : 0);
  const end = offset + 4 + ((length + 3) & ~3);
  if (end > limit) return null;
  view.setUint32(offset, length, true);
  const target = new Uint8Array(view.buffer, view.byteOffset + offset + 4, end - offset - 4);
  target.fill(0);
  target.set(bytes);
  return end;
}

function copyOf(view: DataView, offset: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + offset, length).slice();
}
