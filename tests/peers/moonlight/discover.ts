/**
 * Finding hosts by multicast DNS (RFC 6762, RFC 6763): one query for `_nvstream._tcp.local`, the
 * answers read until a host is complete (GameStream §1.2).
 */
import { createSocket } from 'node:dgram';
import { concatBytes, viewOf } from './bytes.ts';

const GROUP = '224.0.0.251';
const PORT = 5353;
const SERVICE = '_nvstream._tcp.local';
const TYPE = { a: 1, ptr: 12, srv: 33 } as const;
const CLASS_IN = 1;

export interface FoundHost {
  readonly instance: string;
  readonly target: string;
  readonly port: number;
  readonly addresses: readonly string[];
}

interface DnsRecord {
  readonly name: string;
  readonly type: number;
  readonly port: number;
  /** Name of PTR and SRV, dotted address of A. */
  readonly value: string;
}

export interface DiscoverOptions {
  /** Address of the interface to ask on. */
  readonly interfaceAddress: string;
  readonly timeoutMs: number;
  /** Part of the instance or the port that is looked for; the first complete match ends the wait. */
  readonly isWanted?: (host: FoundHost) => boolean;
}

export async function discoverHosts(options: DiscoverOptions): Promise<FoundHost[]> {
  const records: DnsRecord[] = [];
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  socket.on('error', () => undefined);
  socket.on('message', (datagram) => records.push(...(readAnswers(datagram) ?? [])));
  await new Promise<void>((resolve) => socket.bind(PORT, () => resolve()));
  socket.addMembership(GROUP, options.interfaceAddress);
  socket.setMulticastInterface(options.interfaceAddress);
  const ask = (): void => socket.send(serviceQuery(), PORT, GROUP, () => undefined);
  const deadline = performance.now() + options.timeoutMs;
  ask();
  for (let round = 1; performance.now() < deadline; round += 1) {
    await Bun.sleep(20);
    const wanted = options.isWanted;
    if (wanted && hostsOf(records).some((host) => wanted(host))) break;
    if (round % 50 === 0) ask();
  }
  socket.close();
  return hostsOf(records);
}

/** One question: PTR of the service. */
export function serviceQuery(): Uint8Array {
  const head = new Uint8Array(12);
  viewOf(head).setUint16(4, 1);
  const labels = SERVICE.split('.').map((label) => {
    const bytes = new TextEncoder().encode(label);
    return concatBytes(Uint8Array.of(bytes.length), bytes);
  });
  return concatBytes(head, ...labels, Uint8Array.of(0, 0, TYPE.ptr, 0, CLASS_IN));
}

/** Hosts whose PTR, SRV and at least one address are known. */
export function hostsOf(records: readonly DnsRecord[]): FoundHost[] {
  const instances = new Set(
    records
      .filter((record) => record.type === TYPE.ptr && sameName(record.name, SERVICE))
      .map((record) => record.value),
  );
  return [...instances].flatMap((instance) => {
    const service = records.findLast(
      (record) => record.type === TYPE.srv && sameName(record.name, instance),
    );
    if (!service) return [];
    const addresses = records
      .filter((record) => record.type === TYPE.a && sameName(record.name, service.value))
      .map((record) => record.value);
    if (addresses.length === 0) return [];
    const found = { instance, target: service.value, port: service.port };
    return [{ ...found, addresses: [...new Set(addresses)] }];
  });
}

/** Records of a response; null for a query or a broken message. */
export function readAnswers(message: Uint8Array): DnsRecord[] | null {
  if (message.length < 12) return null;
  const view = viewOf(message);
  if ((view.getUint16(2) & 0x8000) === 0) return null;
  let at = 12;
  for (let count = view.getUint16(4); count > 0; count -= 1) {
    const name = readName(message, at);
    if (!name) return null;
    at = name.end + 4;
  }
  const records: DnsRecord[] = [];
  const total = view.getUint16(6) + view.getUint16(8) + view.getUint16(10);
  for (let count = total; count > 0; count -= 1) {
    const name = readName(message, at);
    if (!name || name.end + 10 > message.length) return null;
    const type = view.getUint16(name.end);
    const dataAt = name.end + 10;
    at = dataAt + view.getUint16(name.end + 8);
    if (at > message.length) return null;
    const record = readRecord(message, type, dataAt, at);
    if (record) records.push({ name: name.text, type, ...record });
  }
  return records;
}

function readRecord(
  message: Uint8Array,
  type: number,
  from: number,
  to: number,
): { port: number; value: string } | null {
  if (type === TYPE.a && to - from === 4) {
    return { port: 0, value: message.subarray(from, to).join('.') };
  }
  if (type === TYPE.ptr) {
    const name = readName(message, from);
    return name && { port: 0, value: name.text };
  }
  if (type === TYPE.srv && to - from > 6) {
    const name = readName(message, from + 6);
    return name && { port: viewOf(message).getUint16(from + 4), value: name.text };
  }
  return null;
}

/** A name with its pointers followed (RFC 1035 §4.1.4); pointers only lead backwards. */
function readName(message: Uint8Array, start: number): { text: string; end: number } | null {
  const labels: string[] = [];
  let at = start;
  let end = -1;
  for (;;) {
    const size = message[at];
    if (size === undefined) return null;
    if (size === 0) return { text: labels.join('.'), end: end < 0 ? at + 1 : end };
    if ((size & 0xc0) === 0xc0) {
      const target = ((size & 0x3f) << 8) | (message[at + 1] ?? 0);
      if (end < 0) end = at + 2;
      if (target >= at) return null;
      at = target;
      continue;
    }
    if (size > 63 || at + 1 + size > message.length || labels.length > 32) return null;
    labels.push(new TextDecoder().decode(message.subarray(at + 1, at + 1 + size)));
    at += 1 + size;
  }
}

function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
