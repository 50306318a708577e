/** Pods → bytes. Values come from our own code: a wrong one is a fault of ours and throws. */
import { CHOICE_KINDS, POD_TYPES, type Pod } from './pod.ts';

const HEADER_BYTES = 8;

/** The pod with its header, padded to 8 bytes. */
export function encodePod(pod: Pod): Uint8Array {
  const body = encodeBody(pod);
  const bytes = new Uint8Array(align8(HEADER_BYTES + body.length));
  writeHeader(bytes, body.length, typeNumber(pod));
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

function encodeBody(pod: Pod): Uint8Array {
  switch (pod.type) {
    case 'none':
      return new Uint8Array(0);
    case 'bool':
      return fixed(4, (view) => view.setUint32(0, pod.value ? 1 : 0, true));
    case 'id':
      return fixed(4, (view) => view.setUint32(0, pod.value, true));
    case 'int':
      return fixed(4, (view) => view.setInt32(0, pod.value, true));
    case 'float':
      return fixed(4, (view) => view.setFloat32(0, pod.value, true));
    case 'double':
      return fixed(8, (view) => view.setFloat64(0, pod.value, true));
    case 'long':
    case 'fd':
      return fixed(8, (view) => view.setBigInt64(0, pod.value, true));
    case 'string':
      return new TextEncoder().encode(`${pod.value}\0`);
    case 'bytes':
      return pod.value;
    case 'rectangle':
      return pair(pod.width, pod.height);
    case 'fraction':
      return pair(pod.num, pod.den);
    case 'array':
      return concat([childHeader(pod.values), ...pod.values.map(encodeBody)]);
    case 'struct':
      return concat(pod.values.map(encodePod));
    case 'choice':
      return concat([
        pair(CHOICE_KINDS[pod.kind], 0),
        childHeader(pod.values),
        ...pod.values.map(encodeBody),
      ]);
    case 'object':
      return concat([
        pair(pod.objectType, pod.id),
        ...pod.properties.flatMap(({ key, flags, value }) => [
          pair(key, flags ?? 0),
          encodePod(value),
        ]),
      ]);
    case 'unknown':
      return pod.body;
  }
}

function typeNumber(pod: Pod): number {
  if (pod.type === 'unknown') return pod.podType;
  return POD_TYPES[pod.type.toUpperCase() as keyof typeof POD_TYPES];
}

/** Size and type of one element; all elements of an array or choice share them. */
function childHeader(values: readonly Pod[]): Uint8Array {
  const first = values[0];
  if (!first) throw new Error('an array or choice pod needs at least one value');
  const size = encodeBody(first).length;
  for (const value of values) {
    if (value.type !== first.type || encodeBody(value).length !== size) {
      throw new Error('values of an array or choice pod must have one type and size');
    }
  }
  return pair(size, typeNumber(first));
}

function writeHeader(bytes: Uint8Array, size: number, type: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(0, size, true);
  view.setUint32(4, type, true);
}

function fixed(size: number, write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(size);
  write(new DataView(bytes.buffer));
  return bytes;
}

function pair(first: number, second: number): Uint8Array {
  return fixed(8, (view) => {
    view.setUint32(0, first, true);
    view.setUint32(4, second, true);
  });
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

function align8(size: number): number {
  return (size + 7) & ~7;
}
