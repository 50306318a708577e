/**
 * Multicast DNS messages in the shape the responder thinks in, and the way from and to the shape of
 * the dns-packet library. What comes from the network is checked here; records of types we neither
 * publish nor compare are left out. Pure.
 */
import { LABEL_BYTES_MAX } from './mdns-names.ts';

/** RFC 6762 §18.12: top bit of a question's class, "a unicast response is welcome". */
const CLASS_IN_WITH_UNICAST = 'UNKNOWN_32769';
const QUESTIONS_MAX = 32;
const RECORDS_MAX = 256;
const NAME_LENGTH_MAX = 255;
const FLAG_AUTHORITATIVE = 1 << 10;
const FLAG_TRUNCATED = 1 << 9;

export type RecordType = 'A' | 'AAAA' | 'PTR' | 'SRV' | 'TXT';
const TYPE_NUMBERS: Readonly<Record<RecordType, number>> = {
  A: 1,
  PTR: 12,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
};

/** One resource record of class IN. */
export interface MdnsRecord {
  readonly name: string;
  readonly ttlS: number;
  readonly data:
    | { readonly type: 'A' | 'AAAA'; readonly address: string }
    | { readonly type: 'PTR'; readonly target: string }
    | { readonly type: 'SRV'; readonly port: number; readonly target: string }
    | { readonly type: 'TXT'; readonly entries: readonly string[] };
}

export interface MdnsQuestion {
  readonly name: string;
  /** Record type or `ANY`; other types are kept for negative answers. */
  readonly type: string;
  readonly wantsUnicast: boolean;
}

export interface MdnsMessage {
  readonly id: number;
  readonly isTruncated: boolean;
  readonly questions: readonly MdnsQuestion[];
  readonly answers: readonly MdnsRecord[];
  readonly authorities: readonly MdnsRecord[];
  readonly additionals: readonly MdnsRecord[];
}

/** "This name has only these types" (RFC 6762 §6.1). */
export interface NegativeAnswer {
  readonly name: string;
  readonly ttlS: number;
  readonly types: readonly RecordType[];
}

export interface OutgoingMessage {
  readonly kind: 'query' | 'response';
  readonly id: number;
  readonly questions: readonly MdnsQuestion[];
  readonly answers: readonly MdnsRecord[];
  readonly authorities: readonly MdnsRecord[];
  readonly additionals: readonly MdnsRecord[];
  readonly negatives: readonly NegativeAnswer[];
  /** Sets the cache-flush bit on records that are ours alone. */
  readonly flush: boolean;
}

/** Names are compared without case (RFC 6762 §16); ASCII is what labels of ours are made of. */
export function isSameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** The same name, type and data; lifetimes may differ. */
export function isSameRecord(a: MdnsRecord, b: MdnsRecord): boolean {
  return recordKey(a) === recordKey(b);
}

/** Text that is equal for equal records. */
export function recordKey({ name, data }: MdnsRecord): string {
  return `${name.toLowerCase()} ${data.type} ${dataKey(data)}`;
}

/**
 * Order of RFC 6762 §8.2: class, type, then the bytes of the data, shorter first. Negative when `a`
 * comes first.
 */
export function compareForTieBreak(a: MdnsRecord, b: MdnsRecord): number {
  const byType = TYPE_NUMBERS[a.data.type] - TYPE_NUMBERS[b.data.type];
  return byType === 0 ? Buffer.compare(dataBytes(a.data), dataBytes(b.data)) : byType;
}

/** Reads what the library decoded; null when it is not a message at all. */
export function readMessage(value: unknown): MdnsMessage | null {
  if (typeof value !== 'object' || value === null) return null;
  const packet = value as Record<string, unknown>;
  const flags = typeof packet['flags'] === 'number' ? packet['flags'] : 0;
  return {
    id: typeof packet['id'] === 'number' ? packet['id'] : 0,
    isTruncated: (flags & FLAG_TRUNCATED) !== 0,
    questions: list(packet['questions'], QUESTIONS_MAX).flatMap(readQuestion),
    answers: list(packet['answers'], RECORDS_MAX).flatMap(readRecord),
    authorities: list(packet['authorities'], RECORDS_MAX).flatMap(readRecord),
    additionals: list(packet['additionals'], RECORDS_MAX).flatMap(readRecord),
  };
}

/** The library's form of `message`. */
export function writeMessage(message: OutgoingMessage): Record<string, unknown> {
  const records = (items: readonly MdnsRecord[]) =>
    items.map((record) => writeRecord(record, message.flush));
  const negatives = message.negatives.map((negative) => ({
    name: negative.name,
    type: 'NSEC',
    class: 'IN',
    ttl: negative.ttlS,
    flush: message.flush,
    data: { nextDomain: negative.name, rrtypes: [...negative.types] },
  }));
  return {
    type: message.kind,
    id: message.id,
    flags: message.kind === 'response' ? FLAG_AUTHORITATIVE : 0,
    questions: message.questions.map(({ name, type }) => ({ name, type, class: 'IN' })),
    answers: records(message.answers),
    authorities: records(message.authorities),
    additionals: [...records(message.additionals), ...negatives],
  };
}

/** Shared records are those that other hosts publish too: the pointers of service discovery. */
export function isShared(record: MdnsRecord): boolean {
  return record.data.type === 'PTR';
}

function readQuestion(value: unknown): MdnsQuestion[] {
  const { name, type, class: klass } = (value ?? {}) as Record<string, unknown>;
  if (!isName(name) || typeof type !== 'string') return [];
  const wantsUnicast = klass === CLASS_IN_WITH_UNICAST;
  return wantsUnicast || klass === 'IN' || klass === 'ANY' ? [{ name, type, wantsUnicast }] : [];
}

function readRecord(value: unknown): MdnsRecord[] {
  const { name, type, class: klass, ttl, data } = (value ?? {}) as Record<string, unknown>;
  if (!isName(name) || klass !== 'IN' || typeof ttl !== 'number') return [];
  const read = readData(type, data);
  return read ? [{ name, ttlS: ttl, data: read }] : [];
}

function readData(type: unknown, data: unknown): MdnsRecord['data'] | null {
  switch (type) {
    case 'A':
    case 'AAAA':
      return typeof data === 'string' ? { type, address: data.toLowerCase() } : null;
    case 'PTR':
      return isName(data) ? { type, target: data } : null;
    case 'SRV': {
      const { port, target } = (data ?? {}) as Record<string, unknown>;
      return isName(target) && typeof port === 'number' ? { type, port, target } : null;
    }
    case 'TXT': {
      const entries = (Array.isArray(data) ? data : [data]).map((entry) =>
        Buffer.from(entry instanceof Uint8Array ? entry : String(entry ?? '')).toString('latin1'),
      );
      return { type, entries: entries.filter((entry) => entry !== '') };
    }
    default:
      return null;
  }
}

function writeRecord(record: MdnsRecord, flush: boolean): Record<string, unknown> {
  const { name, ttlS, data } = record;
  const common = { name, type: data.type, class: 'IN', ttl: ttlS };
  const flag = { flush: flush && !isShared(record) };
  switch (data.type) {
    case 'A':
    case 'AAAA':
      return { ...common, ...flag, data: data.address };
    case 'PTR':
      return { ...common, ...flag, data: data.target };
    case 'SRV':
      return {
        ...common,
        ...flag,
        data: { priority: 0, weight: 0, port: data.port, target: data.target },
      };
    case 'TXT':
      // An empty record is one empty string (RFC 6763 §6.1).
      return { ...common, ...flag, data: data.entries.length === 0 ? [''] : [...data.entries] };
  }
}

function dataKey(data: MdnsRecord['data']): string {
  switch (data.type) {
    case 'A':
    case 'AAAA':
      return data.address.toLowerCase();
    case 'PTR':
      return data.target.toLowerCase();
    case 'SRV':
      return `${data.port} ${data.target.toLowerCase()}`;
    case 'TXT':
      return JSON.stringify(data.entries);
  }
}

function dataBytes(data: MdnsRecord['data']): Uint8Array {
  switch (data.type) {
    case 'A':
      return Uint8Array.from(data.address.split('.').map(Number));
    case 'AAAA':
      return ipv6Bytes(data.address);
    case 'PTR':
      return nameBytes(data.target);
    case 'SRV': {
      const head = Uint8Array.of(0, 0, 0, 0, data.port >> 8, data.port & 0xff);
      return Buffer.concat([head, nameBytes(data.target)]);
    }
    case 'TXT': {
      const entries = data.entries.length === 0 ? [''] : data.entries;
      return Buffer.concat(entries.map((entry) => lengthPrefixed(Buffer.from(entry, 'latin1'))));
    }
  }
}

function nameBytes(name: string): Uint8Array {
  const labels = name.split('.').filter((label) => label !== '');
  return Buffer.concat([
    ...labels.map((label) => lengthPrefixed(Buffer.from(label).subarray(0, LABEL_BYTES_MAX))),
    Uint8Array.of(0),
  ]);
}

function lengthPrefixed(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(bytes.length & 0xff), bytes]);
}

function ipv6Bytes(address: string): Uint8Array {
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array<string>(zeros).fill('0'), ...right].slice(0, 8);
  return Uint8Array.from(
    groups.flatMap((group) => {
      const value = Number.parseInt(group, 16) || 0;
      return [(value >> 8) & 0xff, value & 0xff];
    }),
  );
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length <= NAME_LENGTH_MAX;
}

function list(value: unknown, max: number): unknown[] {
  return Array.isArray(value) ? value.slice(0, max) : [];
}
