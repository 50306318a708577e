/**
 * What a host publishes: the records of its services and of its own name, per network link, because
 * only the addresses of a link are true on it (RFC 6762 §14). Pure.
 */
import type { MdnsRecord, RecordType } from './mdns-message.ts';
import { isSameName } from './mdns-message.ts';
import { renamedLabel } from './mdns-names.ts';

const DOMAIN = 'local';
const META_QUERY_NAME = `_services._dns-sd._udp.${DOMAIN}`;
/** RFC 6762 §10: records with a host name in them live 120 s, others 75 minutes. */
const HOST_TTL_S = 120;
const OTHER_TTL_S = 4_500;

export interface MdnsService {
  /** Wished instance label; a number is appended when another host has it. */
  readonly instance: string;
  /** e.g. `_nvstream._tcp`. */
  readonly type: string;
  readonly port: number;
  /** `key=value` strings; empty publishes an empty TXT record. */
  readonly txt: readonly string[];
}

/** One interface and address family that the host answers on. */
export interface MdnsLink {
  /** Opaque; the same for the same link. */
  readonly key: string;
  /** All addresses of the interface, both families. */
  readonly addresses: readonly string[];
}

/** Records of the zone in the order they are published. */
export class MdnsZone {
  readonly #services: readonly MdnsService[];
  readonly #hostWish: string;
  /** 1 is the wished name; by lower-case wish for services, `host` apart. */
  readonly #attempts: number[];
  #hostAttempt = 1;

  constructor(hostLabel: string, services: readonly MdnsService[]) {
    this.#hostWish = hostLabel;
    this.#services = services;
    this.#attempts = services.map(() => 1);
  }

  get hostName(): string {
    return `${renamedLabel(this.#hostWish, this.#hostAttempt)}.${DOMAIN}`;
  }

  /** Instance labels as they are announced, in the order of the services. */
  get instanceLabels(): readonly string[] {
    return this.#services.map(({ instance }, index) =>
      renamedLabel(instance, this.#attempts[index] ?? 1),
    );
  }

  /** Names that must be ours alone. */
  get uniqueNames(): readonly string[] {
    return [this.hostName, ...this.#services.map((_, index) => this.#instanceName(index))];
  }

  /** Takes the next name in place of `name` after a conflict. */
  rename(name: string): void {
    if (isSameName(name, this.hostName)) this.#hostAttempt += 1;
    this.#services.forEach((_, index) => {
      if (!isSameName(name, this.#instanceName(index))) return;
      this.#attempts[index] = (this.#attempts[index] ?? 1) + 1;
    });
  }

  /** Everything published on `link`. */
  records(link: MdnsLink): readonly MdnsRecord[] {
    return [...this.#pointers(), ...this.#serviceRecords(), ...this.#addresses(link)];
  }

  /** Records of `name` on `link`. */
  recordsOf(name: string, link: MdnsLink): readonly MdnsRecord[] {
    return this.records(link).filter((record) => isSameName(record.name, name));
  }

  /** What goes along with `record` so that nobody has to ask again (RFC 6763 §12). */
  companions(record: MdnsRecord, link: MdnsLink): readonly MdnsRecord[] {
    if (record.data.type === 'SRV') return this.#addresses(link);
    if (record.data.type !== 'PTR') return [];
    const found = this.recordsOf(record.data.target, link).filter(
      ({ data }) => data.type !== 'PTR',
    );
    return found.length === 0 ? [] : [...found, ...this.#addresses(link)];
  }

  #instanceName(index: number): string {
    const service = this.#services[index];
    return `${this.instanceLabels[index]}.${service?.type}.${DOMAIN}`;
  }

  #pointers(): MdnsRecord[] {
    const types = [...new Set(this.#services.map(({ type }) => `${type}.${DOMAIN}`))];
    const pointer = (name: string, target: string): MdnsRecord => ({
      name,
      ttlS: OTHER_TTL_S,
      data: { type: 'PTR', target },
    });
    return [
      ...types.map((type) => pointer(META_QUERY_NAME, type)),
      ...this.#services.map(({ type }, index) =>
        pointer(`${type}.${DOMAIN}`, this.#instanceName(index)),
      ),
    ];
  }

  #serviceRecords(): MdnsRecord[] {
    return this.#services.flatMap(({ port, txt }, index): MdnsRecord[] => {
      const name = this.#instanceName(index);
      return [
        { name, ttlS: HOST_TTL_S, data: { type: 'SRV', port, target: this.hostName } },
        { name, ttlS: OTHER_TTL_S, data: { type: 'TXT', entries: txt } },
      ];
    });
  }

  #addresses(link: MdnsLink): MdnsRecord[] {
    return link.addresses.map((address) => {
      const type: RecordType = address.includes(':') ? 'AAAA' : 'A';
      return { name: this.hostName, ttlS: HOST_TTL_S, data: { type, address } };
    });
  }
}
