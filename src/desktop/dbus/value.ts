/**
 * D-Bus values in TypeScript.
 *
 * | D-Bus | here |
 * |---|---|
 * | y n q i u d h | number (`h` is an index into the message's descriptors) |
 * | x t | bigint |
 * | b | boolean |
 * | s o g | string |
 * | v | {@link Variant} |
 * | ay | Uint8Array |
 * | a… and structs | array |
 * | a{…} | Map |
 */

export interface Variant {
  readonly signature: string;
  readonly value: DbusValue;
}

export type DbusValue =
  | number
  | bigint
  | boolean
  | string
  | Uint8Array
  | Variant
  | readonly DbusValue[]
  | ReadonlyMap<DbusValue, DbusValue>;

/** A variant holding `value`. */
export function variant(signature: string, value: DbusValue): Variant {
  return { signature, value };
}

/** `a{sv}` from a record of variants. */
export function options(record: Readonly<Record<string, Variant>>): ReadonlyMap<string, Variant> {
  return new Map(Object.entries(record));
}

export function isVariant(value: DbusValue | undefined): value is Variant {
  return typeof value === 'object' && 'signature' in value && 'value' in value;
}

/** The value inside a variant, or the value itself. */
export function unwrapVariant(value: DbusValue | undefined): DbusValue | undefined {
  return isVariant(value) ? value.value : value;
}

/** Entry of an `a{sv}`, unwrapped; undefined when the map or the entry is missing. */
export function optionOf(map: DbusValue | undefined, key: string): DbusValue | undefined {
  return map instanceof Map ? unwrapVariant(map.get(key)) : undefined;
}

export function asArray(value: DbusValue | undefined): readonly DbusValue[] {
  return Array.isArray(value) ? value : [];
}

export function asText(value: DbusValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

export function asNumber(value: DbusValue | undefined): number {
  return typeof value === 'number' ? value : 0;
}
