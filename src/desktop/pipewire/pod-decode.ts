/**
 * Bytes → pods. Lengths are checked before anything is read; nesting and the number of values are
 * bounded; bad input gives a reason, never an exception.
 */
import {
  CHOICE_KINDS,
  type ChoiceKind,
  POD_DEPTH_MAX,
  POD_TYPES,
  POD_VALUES_MAX,
  type Pod,
  type PodProperty,
} from './pod.ts';

export type PodRefusal = 'truncated' | 'too-deep' | 'too-many-values' | 'bad-element-size';

const HEADER_BYTES = 8;
const PROPERTY_HEADER_BYTES = 8;
const KIND_NAMES = Object.keys(CHOICE_KINDS) as ChoiceKind[];
/** Body sizes of the types whose size is fixed. */
const FIXED_BYTES: Readonly<Record<number, number>> = {
  [POD_TYPES.BOOL]: 4,
  [POD_TYPES.ID]: 4,
  [POD_TYPES.INT]: 4,
  [POD_TYPES.LONG]: 8,
  [POD_TYPES.FLOAT]: 4,
  [POD_TYPES.DOUBLE]: 8,
  [POD_TYPES.RECTANGLE]: 8,
  [POD_TYPES.FRACTION]: 8,
  [POD_TYPES.FD]: 8,
};

interface Budget {
  valuesLeft: number;
}

/** Reads one pod from the start of `bytes`; trailing bytes are ignored. */
export function decodePod(
  bytes: Uint8Array,
): { readonly ok: true; readonly pod: Pod } | { readonly ok: false; readonly reason: PodRefusal } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pod = readPod(view, 0, view.byteLength, 0, { valuesLeft: POD_VALUES_MAX });
  return typeof pod === 'string' ? { ok: false, reason: pod } : { ok: true, pod };
}

function readPod(
  view: DataView,
  offset: number,
  end: number,
  depth: number,
  budget: Budget,
): Pod | PodRefusal {
  if (end - offset < HEADER_BYTES) return 'truncated';
  const size = view.getUint32(offset, true);
  const type = view.getUint32(offset + 4, true);
  return readBody(view, offset + HEADER_BYTES, size, type, end, depth, budget);
}

function readBody(
  view: DataView,
  offset: number,
  size: number,
  type: number,
  end: number,
  depth: number,
  budget: Budget,
): Pod | PodRefusal {
  if (size > end - offset) return 'truncated';
  if (size < (FIXED_BYTES[type] ?? 0)) return 'truncated';
  if (depth > POD_DEPTH_MAX) return 'too-deep';
  budget.valuesLeft -= 1;
  if (budget.valuesLeft < 0) return 'too-many-values';
  const bodyEnd = offset + size;
  switch (type) {
    case POD_TYPES.NONE:
      return { type: 'none' };
    case POD_TYPES.BOOL:
      return { type: 'bool', value: view.getUint32(offset, true) !== 0 };
    case POD_TYPES.ID:
      return { type: 'id', value: view.getUint32(offset, true) };
    case POD_TYPES.INT:
      return { type: 'int', value: view.getInt32(offset, true) };
    case POD_TYPES.LONG:
      return { type: 'long', value: view.getBigInt64(offset, true) };
    case POD_TYPES.FD:
      return { type: 'fd', value: view.getBigInt64(offset, true) };
    case POD_TYPES.FLOAT:
      return { type: 'float', value: view.getFloat32(offset, true) };
    case POD_TYPES.DOUBLE:
      return { type: 'double', value: view.getFloat64(offset, true) };
    case POD_TYPES.STRING:
      return { type: 'string', value: readText(view, offset, size) };
    case POD_TYPES.RECTANGLE:
      return {
        type: 'rectangle',
        width: view.getUint32(offset, true),
        height: view.getUint32(offset + 4, true),
      };
    case POD_TYPES.FRACTION:
      return {
        type: 'fraction',
        num: view.getUint32(offset, true),
        den: view.getUint32(offset + 4, true),
      };
    case POD_TYPES.ARRAY: {
      const values = readElements(view, offset, bodyEnd, depth, budget);
      return typeof values === 'string' ? values : { type: 'array', values };
    }
    case POD_TYPES.CHOICE:
      return readChoice(view, offset, bodyEnd, depth, budget);
    case POD_TYPES.STRUCT:
      return readStruct(view, offset, bodyEnd, depth, budget);
    case POD_TYPES.OBJECT:
      return readObject(view, offset, bodyEnd, depth, budget);
    case POD_TYPES.BYTES:
      return { type: 'bytes', value: bytesOf(view, offset, size) };
    default:
      return { type: 'unknown', podType: type, body: bytesOf(view, offset, size) };
  }
}

function readChoice(
  view: DataView,
  offset: number,
  end: number,
  depth: number,
  budget: Budget,
): Pod | PodRefusal {
  if (end - offset < 16) return 'truncated';
  const kind = KIND_NAMES.find((name) => CHOICE_KINDS[name] === view.getUint32(offset, true));
  const values = readElements(view, offset + 8, end, depth, budget);
  if (typeof values === 'string') return values;
  return { type: 'choice', kind: kind ?? 'none', values };
}

/** Child header, then bodies back to back without padding between them. */
function readElements(
  view: DataView,
  offset: number,
  end: number,
  depth: number,
  budget: Budget,
): Pod[] | PodRefusal {
  if (end - offset < HEADER_BYTES) return 'truncated';
  const size = view.getUint32(offset, true);
  const type = view.getUint32(offset + 4, true);
  const values: Pod[] = [];
  if (size === 0) return end - offset === HEADER_BYTES ? values : 'bad-element-size';
  for (let at = offset + HEADER_BYTES; at + size <= end; at += size) {
    const value = readBody(view, at, size, type, end, depth + 1, budget);
    if (typeof value === 'string') return value;
    values.push(value);
  }
  return values;
}

function readStruct(
  view: DataView,
  offset: number,
  end: number,
  depth: number,
  budget: Budget,
): Pod | PodRefusal {
  const values: Pod[] = [];
  for (let at = offset; end - at >= HEADER_BYTES; at += paddedBytes(view, at)) {
    const value = readPod(view, at, end, depth + 1, budget);
    if (typeof value === 'string') return value;
    values.push(value);
  }
  return { type: 'struct', values };
}

function readObject(
  view: DataView,
  offset: number,
  end: number,
  depth: number,
  budget: Budget,
): Pod | PodRefusal {
  if (end - offset < 8) return 'truncated';
  const properties: PodProperty[] = [];
  let at = offset + 8;
  while (end - at >= PROPERTY_HEADER_BYTES + HEADER_BYTES) {
    const valueAt = at + PROPERTY_HEADER_BYTES;
    const value = readPod(view, valueAt, end, depth + 1, budget);
    if (typeof value === 'string') return value;
    properties.push({
      key: view.getUint32(at, true),
      flags: view.getUint32(at + 4, true),
      value,
    });
    at = valueAt + paddedBytes(view, valueAt);
  }
  return {
    type: 'object',
    objectType: view.getUint32(offset, true),
    id: view.getUint32(offset + 4, true),
    properties,
  };
}

/** Bytes of the pod at `offset` with header and padding; its size was checked before. */
function paddedBytes(view: DataView, offset: number): number {
  return HEADER_BYTES + Math.ceil(view.getUint32(offset, true) / 8) * 8;
}

function bytesOf(view: DataView, offset: number, size: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + offset, size).slice();
}

function readText(view: DataView, offset: number, size: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + offset, size);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
