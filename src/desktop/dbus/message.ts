/**
 * D-Bus messages: header and body (D-Bus specification, "Message Format").
 *
 * | offset | size | field |
 * |-------:|-----:|-------|
 * |      0 |    1 | endianness: `l` or `B` |
 * |      1 |    1 | message type |
 * |      2 |    1 | flags: 1 no reply expected, 2 do not start the service |
 * |      3 |    1 | protocol version, 1 |
 * |      4 |    4 | body length |
 * |      8 |    4 | serial, not 0 |
 * |     12 |    … | array of (field code, variant), padded to 8; then the body |
 */
import { marshal } from './marshal.ts';
import { parseSignature } from './signature.ts';
import { unmarshal, unmarshalTypes } from './unmarshal.ts';
import { asArray, asNumber, asText, type DbusValue, isVariant, variant } from './value.ts';

/** The specification allows 128 MiB; nothing this host asks for comes near this. */
export const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;

export const MESSAGE_TYPES = { call: 1, return: 2, error: 3, signal: 4 } as const;
export type MessageType = keyof typeof MESSAGE_TYPES;

const FIELD = {
  path: 1,
  interface: 2,
  member: 3,
  errorName: 4,
  replySerial: 5,
  destination: 6,
  sender: 7,
  signature: 8,
} as const;
const FLAG_NO_REPLY = 1;
const FLAG_NO_AUTO_START = 2;
const FIXED_HEADER_BYTES = 16;
const LITTLE = 0x6c;
const BIG = 0x42;
const VERSION = 1;
const HEADER_TYPES = parseSignature('a(yv)') ?? [];

export interface DbusMessage {
  readonly type: MessageType;
  readonly serial: number;
  readonly noReply?: boolean;
  readonly noAutoStart?: boolean;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly errorName?: string;
  readonly replySerial?: number;
  readonly destination?: string;
  readonly sender?: string;
  readonly signature?: string;
  readonly body?: readonly DbusValue[];
}

export function encodeMessage(message: DbusMessage): Uint8Array {
  const body = marshal(message.signature ?? '', message.body ?? []);
  const fields: DbusValue[] = [];
  const add = (code: number, signature: string, value: string | number | undefined) => {
    if (value !== undefined && value !== '') fields.push([code, variant(signature, value)]);
  };
  add(FIELD.path, 'o', message.path);
  add(FIELD.interface, 's', message.interface);
  add(FIELD.member, 's', message.member);
  add(FIELD.errorName, 's', message.errorName);
  add(FIELD.replySerial, 'u', message.replySerial);
  add(FIELD.destination, 's', message.destination);
  add(FIELD.sender, 's', message.sender);
  add(FIELD.signature, 'g', message.signature);
  const flags =
    (message.noReply ? FLAG_NO_REPLY : 0) | (message.noAutoStart ? FLAG_NO_AUTO_START : 0);
  const header = marshal('yyyyuua(yv)', [
    LITTLE,
    MESSAGE_TYPES[message.type],
    flags,
    VERSION,
    body.length,
    message.serial,
    fields,
  ]);
  const bodyAt = align8(header.length);
  const bytes = new Uint8Array(bodyAt + body.length);
  bytes.set(header);
  bytes.set(body, bodyAt);
  return bytes;
}

/**
 * Length of the message that starts `bytes`, null while too few bytes are there, or a refusal when
 * what stands there is no message: the connection cannot be resynchronised.
 */
export function messageLength(bytes: Uint8Array): number | null | 'not-a-message' {
  if (bytes.length < FIXED_HEADER_BYTES) return null;
  const order = bytes[0];
  if ((order !== LITTLE && order !== BIG) || bytes[3] !== VERSION) return 'not-a-message';
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bodyLength = view.getUint32(4, order === LITTLE);
  const fieldsLength = view.getUint32(12, order === LITTLE);
  const length = align8(FIXED_HEADER_BYTES + fieldsLength) + bodyLength;
  return length > MESSAGE_BYTES_MAX ? 'not-a-message' : length;
}

/** Reads one whole message (as long as {@link messageLength} says), or null when it is malformed. */
export function decodeMessage(bytes: Uint8Array): DbusMessage | null {
  const length = messageLength(bytes);
  if (typeof length !== 'number' || bytes.length < length) return null;
  const littleEndian = bytes[0] === LITTLE;
  const type = (Object.keys(MESSAGE_TYPES) as MessageType[]).find(
    (name) => MESSAGE_TYPES[name] === bytes[1],
  );
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const serial = view.getUint32(8, littleEndian);
  const header = unmarshalTypes(HEADER_TYPES, bytes.subarray(0, length), 12, littleEndian);
  if (!type || serial === 0 || !header) return null;
  const fields = readFields(header.values[0]);
  const signature = asText(fields.get(FIELD.signature));
  const body = unmarshal(signature, bytes.subarray(align8(header.end), length), littleEndian);
  if (!body) return null;
  const text = (code: number) => asText(fields.get(code));
  return {
    type,
    serial,
    noReply: ((bytes[2] ?? 0) & FLAG_NO_REPLY) !== 0,
    path: text(FIELD.path),
    interface: text(FIELD.interface),
    member: text(FIELD.member),
    errorName: text(FIELD.errorName),
    replySerial: asNumber(fields.get(FIELD.replySerial)),
    destination: text(FIELD.destination),
    sender: text(FIELD.sender),
    signature,
    body,
  };
}

function readFields(value: DbusValue | undefined): Map<number, DbusValue> {
  const fields = new Map<number, DbusValue>();
  for (const field of asArray(value)) {
    const [code, content] = asArray(field);
    if (isVariant(content)) fields.set(asNumber(code), content.value);
  }
  return fields;
}

function align8(size: number): number {
  return Math.ceil(size / 8) * 8;
}
