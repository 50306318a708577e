/**
 * D-Bus wire bytes → values (D-Bus specification, "Marshaling (Wire Format)").
 * Every length is checked before it is used; bad input gives null, never an exception.
 */
import { alignmentOf, type DbusType, DEPTH_MAX, parseSignature } from './signature.ts';
import type { DbusValue } from './value.ts';

/** Values of one message, all levels together; the largest real reply has a few thousand. */
export const VALUES_MAX = 200_000;

interface Cursor {
  readonly view: DataView;
  readonly littleEndian: boolean;
  at: number;
  valuesLeft: number;
}

/** Reads the values of `signature` from a body, or null when the body does not hold them. */
export function unmarshal(
  signature: string,
  body: Uint8Array,
  littleEndian: boolean,
): DbusValue[] | null {
  const types = parseSignature(signature);
  return types ? (unmarshalTypes(types, body, 0, littleEndian)?.values ?? null) : null;
}

/** As {@link unmarshal}, from `offset` of `bytes` (alignment counts from its start). */
export function unmarshalTypes(
  types: readonly DbusType[],
  bytes: Uint8Array,
  offset: number,
  littleEndian: boolean,
): { readonly values: DbusValue[]; readonly end: number } | null {
  const cursor: Cursor = {
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    littleEndian,
    at: offset,
    valuesLeft: VALUES_MAX,
  };
  const values: DbusValue[] = [];
  for (const type of types) {
    const value = readValue(cursor, type, 0);
    if (value === undefined) return null;
    values.push(value);
  }
  return { values, end: cursor.at };
}

function readValue(cursor: Cursor, type: DbusType, depth: number): DbusValue | undefined {
  cursor.valuesLeft -= 1;
  if (depth > DEPTH_MAX || cursor.valuesLeft < 0) return undefined;
  if (!align(cursor, alignmentOf(type))) return undefined;
  switch (type.code) {
    case 'a':
      return readArray(cursor, type.element, depth);
    case '(':
      return readFields(cursor, type.fields, depth);
    case '{':
      return undefined;
    case 'v':
      return readVariant(cursor, depth);
    case 's':
    case 'o':
      return readText(cursor, 4);
    case 'g':
      return readText(cursor, 1);
    default:
      return readFixed(cursor, type.code);
  }
}

const FIXED_BYTES = { y: 1, b: 4, n: 2, q: 2, i: 4, u: 4, h: 4, x: 8, t: 8, d: 8 } as const;

function readFixed(cursor: Cursor, code: keyof typeof FIXED_BYTES): DbusValue | undefined {
  const { view, littleEndian } = cursor;
  const at = take(cursor, FIXED_BYTES[code]);
  if (at === null) return undefined;
  switch (code) {
    case 'y':
      return view.getUint8(at);
    case 'n':
      return view.getInt16(at, littleEndian);
    case 'q':
      return view.getUint16(at, littleEndian);
    case 'i':
      return view.getInt32(at, littleEndian);
    case 'u':
    case 'h':
      return view.getUint32(at, littleEndian);
    case 'x':
      return view.getBigInt64(at, littleEndian);
    case 't':
      return view.getBigUint64(at, littleEndian);
    case 'd':
      return view.getFloat64(at, littleEndian);
    case 'b': {
      const value = view.getUint32(at, littleEndian);
      return value > 1 ? undefined : value === 1;
    }
  }
}

function readText(cursor: Cursor, lengthBytes: 1 | 4): string | undefined {
  const lengthAt = take(cursor, lengthBytes);
  if (lengthAt === null) return undefined;
  const length =
    lengthBytes === 1
      ? cursor.view.getUint8(lengthAt)
      : cursor.view.getUint32(lengthAt, cursor.littleEndian);
  const at = take(cursor, length + 1);
  if (at === null || cursor.view.getUint8(at + length) !== 0) return undefined;
  return new TextDecoder().decode(bytesAt(cursor, at, length));
}

function readArray(cursor: Cursor, element: DbusType, depth: number): DbusValue | undefined {
  const lengthAt = take(cursor, 4);
  if (lengthAt === null) return undefined;
  const length = cursor.view.getUint32(lengthAt, cursor.littleEndian);
  if (!align(cursor, alignmentOf(element))) return undefined;
  const end = cursor.at + length;
  if (end > cursor.view.byteLength) return undefined;
  if (element.code === 'y') {
    const at = cursor.at;
    cursor.at = end;
    return bytesAt(cursor, at, length).slice();
  }
  if (element.code === '{') return readEntries(cursor, element, end, depth);
  const values: DbusValue[] = [];
  while (cursor.at < end) {
    const value = readValue(cursor, element, depth + 1);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return cursor.at === end ? values : undefined;
}

function readEntries(
  cursor: Cursor,
  entry: Extract<DbusType, { code: '{' }>,
  end: number,
  depth: number,
): DbusValue | undefined {
  const map = new Map<DbusValue, DbusValue>();
  while (cursor.at < end) {
    if (!align(cursor, 8)) return undefined;
    const key = readValue(cursor, entry.key, depth + 1);
    const value = key === undefined ? undefined : readValue(cursor, entry.value, depth + 1);
    if (key === undefined || value === undefined) return undefined;
    map.set(key, value);
  }
  return cursor.at === end ? map : undefined;
}

function readFields(
  cursor: Cursor,
  fields: readonly DbusType[],
  depth: number,
): DbusValue | undefined {
  const values: DbusValue[] = [];
  for (const field of fields) {
    const value = readValue(cursor, field, depth + 1);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return values;
}

function readVariant(cursor: Cursor, depth: number): DbusValue | undefined {
  const signature = readText(cursor, 1);
  if (signature === undefined) return undefined;
  const types = parseSignature(signature);
  const [type] = types ?? [];
  if (!type || types?.length !== 1) return undefined;
  const value = readValue(cursor, type, depth + 1);
  return value === undefined ? undefined : { signature, value };
}

function align(cursor: Cursor, boundary: number): boolean {
  cursor.at = Math.ceil(cursor.at / boundary) * boundary;
  return cursor.at <= cursor.view.byteLength;
}

/** Claims `size` bytes; null when the message is shorter. */
function take(cursor: Cursor, size: number): number | null {
  const at = cursor.at;
  if (size > cursor.view.byteLength - at) return null;
  cursor.at = at + size;
  return at;
}

function bytesAt(cursor: Cursor, at: number, length: number): Uint8Array {
  return new Uint8Array(cursor.view.buffer, cursor.view.byteOffset + at, length);
}
