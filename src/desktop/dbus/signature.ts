/**
 * D-Bus type signatures, read once into a tree.
 * Source: D-Bus specification 0.43, "Type System" and "Valid Signatures".
 */

/** Container depth the specification allows: 32 arrays and 32 structs. */
export const DEPTH_MAX = 64;
const SIGNATURE_LENGTH_MAX = 255;

export type BasicCode = 'y' | 'b' | 'n' | 'q' | 'i' | 'u' | 'x' | 't' | 'd' | 's' | 'o' | 'g' | 'h';

export type DbusType =
  | { readonly code: BasicCode | 'v' }
  | { readonly code: 'a'; readonly element: DbusType }
  | { readonly code: '('; readonly fields: readonly DbusType[] }
  | { readonly code: '{'; readonly key: DbusType; readonly value: DbusType };

const BASIC = 'ybnqiuxtdsogh';

/** Alignment in bytes of a value of this type. */
export function alignmentOf(type: DbusType): 1 | 2 | 4 | 8 {
  switch (type.code) {
    case 'y':
    case 'g':
    case 'v':
      return 1;
    case 'n':
    case 'q':
      return 2;
    case 'x':
    case 't':
    case 'd':
    case '(':
    case '{':
      return 8;
    default:
      return 4;
  }
}

/** The complete types of a signature, or null when it is not one. */
export function parseSignature(signature: string): readonly DbusType[] | null {
  if (signature.length > SIGNATURE_LENGTH_MAX) return null;
  const types: DbusType[] = [];
  for (let at = 0; at < signature.length; ) {
    const read = readType(signature, at, 0);
    if (!read) return null;
    types.push(read.type);
    at = read.end;
  }
  return types;
}

interface ReadType {
  readonly type: DbusType;
  readonly end: number;
}

function readType(text: string, at: number, depth: number): ReadType | null {
  if (depth > DEPTH_MAX) return null;
  const code = text[at];
  if (code === undefined) return null;
  if (BASIC.includes(code)) return { type: { code: code as BasicCode }, end: at + 1 };
  if (code === 'v') return { type: { code }, end: at + 1 };
  if (code === 'a') return readArray(text, at, depth);
  if (code === '(') return readStruct(text, at, depth);
  return null;
}

function readArray(text: string, at: number, depth: number): ReadType | null {
  const element =
    text[at + 1] === '{' ? readEntry(text, at + 1, depth + 1) : readType(text, at + 1, depth + 1);
  return element && { type: { code: 'a', element: element.type }, end: element.end };
}

function readStruct(text: string, at: number, depth: number): ReadType | null {
  const fields: DbusType[] = [];
  let end = at + 1;
  while (text[end] !== ')') {
    const field = readType(text, end, depth + 1);
    if (!field) return null;
    fields.push(field.type);
    end = field.end;
  }
  return fields.length === 0 ? null : { type: { code: '(', fields }, end: end + 1 };
}

function readEntry(text: string, at: number, depth: number): ReadType | null {
  const key = readType(text, at + 1, depth + 1);
  if (!key || !BASIC.includes(key.type.code)) return null;
  const value = readType(text, key.end, depth + 1);
  if (!value || text[value.end] !== '}') return null;
  return { type: { code: '{', key: key.type, value: value.type }, end: value.end + 1 };
}
