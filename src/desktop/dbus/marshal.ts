/**
 * Values → D-Bus wire bytes, little endian (D-Bus specification, "Marshaling (Wire Format)").
 * Values come from our own code: one that does not fit its signature throws.
 */
import { alignmentOf, type DbusType, parseSignature } from './signature.ts';
import type { DbusValue, Variant } from './value.ts';

/** A growing message body; offsets count from its start, which is 8-aligned on the wire. */
class ByteWriter {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  align(boundary: number): void {
    const target = Math.ceil(this.#length / boundary) * boundary;
    this.#reserve(target - this.#length);
    this.#length = target;
  }

  /** Room for `size` bytes at the end; returns the view and where to write. */
  take(size: number): { view: DataView; at: number } {
    this.#reserve(size);
    const at = this.#length;
    this.#length += size;
    return { view: this.#view, at };
  }

  append(bytes: Uint8Array): void {
    const { at } = this.take(bytes.length);
    this.#bytes.set(bytes, at);
  }

  setUint32(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(size: number): void {
    const needed = this.#length + size;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** The body for `values` of `signature`; it must be placed at a multiple of 8. */
export function marshal(signature: string, values: readonly DbusValue[]): Uint8Array {
  const types = parseSignature(signature);
  if (!types) throw new Error(`"${signature}" is not a D-Bus signature`);
  if (types.length !== values.length) {
    throw new Error(`signature "${signature}" needs ${types.length} values, got ${values.length}`);
  }
  const writer = new ByteWriter();
  types.forEach((type, i) => {
    writeValue(writer, type, values[i]);
  });
  return writer.finish();
}

function writeValue(writer: ByteWriter, type: DbusType, value: DbusValue | undefined): void {
  writer.align(alignmentOf(type));
  switch (type.code) {
    case 'a':
      writeArray(writer, type.element, value);
      break;
    case '(':
      writeFields(writer, type.fields, value);
      break;
    case '{':
      throw new Error('a dictionary entry stands only inside an array');
    case 'v':
      writeVariant(writer, value as Variant);
      break;
    case 's':
    case 'o':
    case 'g':
      writeText(writer, type.code, value);
      break;
    case 'b':
      if (typeof value !== 'boolean') throw mismatch(type.code, value);
      place(writer, 4, (view, at) => view.setUint32(at, value ? 1 : 0, true));
      break;
    case 'x':
    case 't':
      if (typeof value !== 'bigint') throw mismatch(type.code, value);
      place(writer, 8, (view, at) => view.setBigInt64(at, value, true));
      break;
    default:
      writeNumber(writer, type.code, value);
  }
}

const INTEGER_RANGES: Readonly<Record<string, readonly [number, number]>> = {
  y: [0, 0xff],
  n: [-0x8000, 0x7fff],
  q: [0, 0xffff],
  i: [-0x8000_0000, 0x7fff_ffff],
  u: [0, 0xffff_ffff],
  h: [0, 0xffff_ffff],
};

function writeNumber(writer: ByteWriter, code: string, value: DbusValue | undefined): void {
  if (typeof value !== 'number') throw mismatch(code, value);
  const range = INTEGER_RANGES[code];
  if (range && (!Number.isInteger(value) || value < range[0] || value > range[1])) {
    throw mismatch(code, value);
  }
  switch (code) {
    case 'd':
      place(writer, 8, (view, at) => view.setFloat64(at, value, true));
      break;
    case 'y':
      place(writer, 1, (view, at) => view.setUint8(at, value));
      break;
    case 'n':
    case 'q':
      place(writer, 2, (view, at) => view.setUint16(at, value & 0xffff, true));
      break;
    default:
      place(writer, 4, (view, at) => view.setUint32(at, value >>> 0, true));
  }
}

function place(
  writer: ByteWriter,
  size: number,
  write: (view: DataView, at: number) => void,
): void {
  const { view, at } = writer.take(size);
  write(view, at);
}

function writeText(writer: ByteWriter, code: string, value: DbusValue | undefined): void {
  if (typeof value !== 'string' || value.includes('\0')) throw mismatch(code, value);
  const bytes = new TextEncoder().encode(value);
  if (code === 'g') place(writer, 1, (view, at) => view.setUint8(at, bytes.length));
  else place(writer, 4, (view, at) => view.setUint32(at, bytes.length, true));
  writer.append(bytes);
  writer.take(1);
}

function writeArray(writer: ByteWriter, element: DbusType, value: DbusValue | undefined): void {
  const { at: lengthAt } = writer.take(4);
  writer.align(alignmentOf(element));
  const start = writer.length;
  if (element.code === '{') {
    if (!(value instanceof Map)) throw mismatch('a{', value);
    for (const [key, entry] of value) {
      writer.align(8);
      writeValue(writer, element.key, key);
      writeValue(writer, element.value, entry);
    }
  } else if (value instanceof Uint8Array) {
    if (element.code !== 'y') throw mismatch(`a${element.code}`, value);
    writer.append(value);
  } else {
    if (!Array.isArray(value)) throw mismatch(`a${element.code}`, value);
    for (const item of value) writeValue(writer, element, item);
  }
  writer.setUint32(lengthAt, writer.length - start);
}

function writeFields(
  writer: ByteWriter,
  fields: readonly DbusType[],
  value: DbusValue | undefined,
): void {
  if (!Array.isArray(value) || value.length !== fields.length) throw mismatch('(', value);
  fields.forEach((field, i) => {
    writeValue(writer, field, value[i]);
  });
}

function writeVariant(writer: ByteWriter, value: Variant): void {
  const types = parseSignature(value.signature);
  const [type] = types ?? [];
  if (!type || types?.length !== 1) throw new Error(`variant of "${value.signature}"`);
  writeText(writer, 'g', value.signature);
  writeValue(writer, type, value.value);
}

function mismatch(code: string, value: unknown): Error {
  return new Error(`value ${String(value)} does not fit D-Bus type ${code}`);
}
