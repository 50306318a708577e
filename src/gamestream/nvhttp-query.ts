/**
 * Query strings of nvhttp, read strictly: bounded, well-formed UTF-8, no control characters, no key
 * twice (two readers of one request must not see two values).
 */

export const QUERY_LENGTH_MAX = 12 * 1024;
const PAIRS_MAX = 64;
const KEY_LENGTH_MAX = 64;
const CONTROL = /[\u0000-\u001f\u007f]/;

export type Query = ReadonlyMap<string, string>;

export type QueryResult =
  | { readonly ok: true; readonly query: Query }
  | { readonly ok: false; readonly reason: string };

/** Reads what follows the `?`; an empty text is an empty query. */
export function parseQuery(text: string): QueryResult {
  if (text.length > QUERY_LENGTH_MAX) return refused('the query is too long');
  const query = new Map<string, string>();
  if (text === '') return { ok: true, query };
  const pairs = text.split('&', PAIRS_MAX + 1);
  if (pairs.length > PAIRS_MAX) return refused('the query has too many parameters');
  for (const pair of pairs) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const key = decodePart(equals < 0 ? pair : pair.slice(0, equals));
    const value = decodePart(equals < 0 ? '' : pair.slice(equals + 1));
    if (key === null || value === null) return refused('the query is not well-formed');
    if (key === '' || key.length > KEY_LENGTH_MAX) return refused('the query has a bad key');
    if (query.has(key)) return refused('the query has a parameter twice');
    query.set(key, value);
  }
  return { ok: true, query };
}

/** Bytes behind hex text of either case; null when it is not hex or longer than `sizeMax`. */
export function parseHex(text: string | undefined, sizeMax: number): Uint8Array | null {
  if (text === undefined || text.length % 2 !== 0 || text.length > sizeMax * 2) return null;
  return /^[0-9a-fA-F]*$/.test(text) ? new Uint8Array(Buffer.from(text, 'hex')) : null;
}

/** A decimal integer within `[min, max]`; null when the text is anything else. */
export function parseDecimal(text: string | undefined, min: number, max: number): number | null {
  if (text === undefined || !/^-?[0-9]{1,15}$/.test(text)) return null;
  const value = Number(text);
  return value >= min && value <= max ? value : null;
}

function decodePart(text: string): string | null {
  try {
    const decoded = decodeURIComponent(text.replaceAll('+', ' '));
    return CONTROL.test(decoded) ? null : decoded;
  } catch {
    return null;
  }
}

function refused(reason: string): QueryResult {
  return { ok: false, reason };
}
