/**
 * SPA pods (plain old data): the type-length-value format of PipeWire parameters.
 *
 * | offset | size | field |
 * |-------:|-----:|-------|
 * |      0 |    4 | size of the body in bytes, little endian |
 * |      4 |    4 | type ({@link POD_TYPES}) |
 * |      8 | size | body, padded with zeros to a multiple of 8 |
 *
 * Source: spa/pod/pod.h and spa/utils/type.h of libspa-0.2. Pure; reading never throws.
 */

export const POD_TYPES = {
  NONE: 1,
  BOOL: 2,
  ID: 3,
  INT: 4,
  LONG: 5,
  FLOAT: 6,
  DOUBLE: 7,
  STRING: 8,
  BYTES: 9,
  RECTANGLE: 10,
  FRACTION: 11,
  ARRAY: 13,
  STRUCT: 14,
  OBJECT: 15,
  FD: 18,
  CHOICE: 19,
} as const;

/** `enum spa_choice_type`. */
export const CHOICE_KINDS = { none: 0, range: 1, step: 2, enum: 3, flags: 4 } as const;
export type ChoiceKind = keyof typeof CHOICE_KINDS;

/** Property flags of objects (`SPA_POD_PROP_FLAG_*`). */
export const PROP_FLAGS = { MANDATORY: 0x8, DONT_FIXATE: 0x10 } as const;

/** Containers inside containers; real parameters nest three deep. */
export const POD_DEPTH_MAX = 8;
/** Values of one pod, all levels together. */
export const POD_VALUES_MAX = 4096;

export type PodScalar =
  | { readonly type: 'none' }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'id' | 'int' | 'float' | 'double'; readonly value: number }
  | { readonly type: 'long' | 'fd'; readonly value: bigint }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'bytes'; readonly value: Uint8Array }
  | { readonly type: 'rectangle'; readonly width: number; readonly height: number }
  | { readonly type: 'fraction'; readonly num: number; readonly den: number };

export interface PodProperty {
  readonly key: number;
  readonly flags?: number;
  readonly value: Pod;
}

export interface PodObject {
  readonly type: 'object';
  /** Object type, e.g. Format. */
  readonly objectType: number;
  /** Parameter id it belongs to, e.g. EnumFormat. */
  readonly id: number;
  readonly properties: readonly PodProperty[];
}

export type Pod =
  | PodScalar
  | { readonly type: 'array'; readonly values: readonly Pod[] }
  | { readonly type: 'struct'; readonly values: readonly Pod[] }
  | PodObject
  /** `values[0]` is the default. */
  | { readonly type: 'choice'; readonly kind: ChoiceKind; readonly values: readonly Pod[] }
  /** A type this host does not use; kept so that its neighbours can be read. */
  | { readonly type: 'unknown'; readonly podType: number; readonly body: Uint8Array };

export const podBool = (value: boolean): Pod => ({ type: 'bool', value });
export const podId = (value: number): Pod => ({ type: 'id', value });
export const podInt = (value: number): Pod => ({ type: 'int', value });
export const podLong = (value: bigint): Pod => ({ type: 'long', value });
export const podRectangle = (width: number, height: number): Pod => ({
  type: 'rectangle',
  width,
  height,
});
export const podFraction = (num: number, den: number): Pod => ({ type: 'fraction', num, den });
export const podArray = (values: readonly Pod[]): Pod => ({ type: 'array', values });

/** A choice; `fallback` is the preferred value and, for enums, is listed again among the others. */
export function podChoice(kind: ChoiceKind, fallback: Pod, others: readonly Pod[]): Pod {
  return { type: 'choice', kind, values: [fallback, ...others] };
}

/** The value of a pod that may be wrapped in a choice: its default, which for `none` is the value. */
export function unwrapChoice(pod: Pod): Pod {
  return pod.type === 'choice' ? (pod.values[0] ?? { type: 'none' }) : pod;
}

/** Property `key` of an object, unwrapped; undefined when it has none. */
export function propertyOf(object: PodObject, key: number): Pod | undefined {
  const found = object.properties.find((property) => property.key === key);
  return found && unwrapChoice(found.value);
}
