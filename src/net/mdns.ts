/**
 * Announces services on the local network: the responder of mdns-responder.ts on the sockets of the
 * mdns-server library. Failing to get the port costs the announcement and nothing else: devices can
 * always be given an address by hand.
 */
import { encode } from 'dns-packet';
import openMdnsServer, { type MdnsServer } from 'mdns-server';
import { type InterfaceAddress, listInterfaceAddresses } from './interfaces.ts';
import { MdnsLinkSocket } from './mdns-link-socket.ts';
import { linkOfPeer, type MdnsSocketLink, planLinks } from './mdns-links.ts';
import { readMessage, writeMessage } from './mdns-message.ts';
import { MDNS_PORT, type MdnsAction, MdnsResponder } from './mdns-responder.ts';
import { type MdnsService, MdnsZone } from './mdns-zone.ts';

/** RFC 6762 §11. */
const HOP_LIMIT = 255;
const INTERFACE_POLL_MS = 5_000;
/** Sockets are there within milliseconds; a goodbye leaves as fast. */
const SOCKET_WAIT_MS = 2_000;
const GOODBYE_WAIT_MS = 500;
/** The library hands one datagram over once per socket. */
const ECHO_WINDOW_MS = 20;
const ECHOES_MAX = 32;

export interface MdnsOptions {
  readonly services: readonly MdnsService[];
  /** Host label of our own; see `hostLabel` in mdns-names.ts. */
  readonly hostLabel: string;
  /** One sentence when the announcement cannot be made. */
  readonly onWarning: (sentence: string) => void;
  /** The names after they were claimed, and again after a conflict. */
  readonly onNames?: (instanceLabels: readonly string[]) => void;
  /** For tests; by default all interfaces of the machine. */
  readonly interfaces?: () => readonly InterfaceAddress[];
}

interface Origin {
  readonly address: string;
  readonly port: number;
}

/** A running announcement. */
export class MdnsAnnouncement {
  readonly #options: MdnsOptions;
  readonly #zone: MdnsZone;
  readonly #responder: MdnsResponder;
  #links: readonly MdnsSocketLink[] = [];
  #sockets: MdnsLinkSocket[] = [];
  #server: MdnsServer | null = null;
  #wake: ReturnType<typeof setTimeout> | null = null;
  #poll: ReturnType<typeof setInterval> | null = null;
  #echoes: { key: string; atMs: number }[] = [];
  #toldNames = '';
  #hasWarned = false;
  #isClosed = false;

  private constructor(options: MdnsOptions) {
    this.#options = options;
    this.#zone = new MdnsZone(options.hostLabel, options.services);
    this.#responder = new MdnsResponder(this.#zone, [], Math.random);
  }

  /** Opens the sockets and starts to claim the names. Never rejects. */
  static async open(options: MdnsOptions): Promise<MdnsAnnouncement> {
    const announcement = new MdnsAnnouncement(options);
    await announcement.#followInterfaces();
    announcement.#poll = setInterval(
      () => void announcement.#followInterfaces(),
      INTERFACE_POLL_MS,
    );
    announcement.#poll.unref();
    return announcement;
  }

  /** Labels as they are, or will be, announced. */
  get instanceLabels(): readonly string[] {
    return this.#zone.instanceLabels;
  }

  /** False while there is no socket, e.g. without a network. */
  get isOpen(): boolean {
    return this.#server !== null;
  }

  /** Says goodbye and closes. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#poll) clearInterval(this.#poll);
    if (this.#wake) clearTimeout(this.#wake);
    const goodbyes = this.#responder.stop();
    await within(GOODBYE_WAIT_MS, Promise.all(goodbyes.map((action) => this.#send(action))));
    await this.#closeServer();
  }

  /** Opens, reopens or closes the sockets when the machine's addresses changed. */
  async #followInterfaces(): Promise<void> {
    const links = planLinks((this.#options.interfaces ?? listInterfaceAddresses)());
    const isSame = JSON.stringify(links) === JSON.stringify(this.#links);
    if (this.#isClosed || (isSame && this.#server !== null) || (isSame && this.#hasWarned)) return;
    this.#links = links;
    await this.#closeServer();
    if (links.length === 0) return;
    const server = await this.#openServer(links);
    if (this.#isClosed) server?.destroy(() => undefined);
    if (!server || this.#isClosed) return;
    this.#server = server;
    this.#responder.setLinks(links, performance.now());
    if (this.#responder.state === 'idle') this.#responder.start(performance.now());
    this.#turn([]);
  }

  async #openServer(links: readonly MdnsSocketLink[]): Promise<MdnsServer | null> {
    this.#sockets = links.map((link) => new MdnsLinkSocket(link));
    const server = openMdnsServer({
      interfaces: this.#sockets,
      srcPort: MDNS_PORT,
      ttl: HOP_LIMIT,
      loopback: true,
      reuseAddr: true,
      noInit: true,
    });
    const ready = new Promise<boolean>((resolve) => {
      server.once('ready', () => resolve(true));
      server.on('error', () => resolve(false));
    });
    // Datagrams that cannot be decoded, and sends that the network refused.
    server.on('warning', () => undefined);
    server.on('query', (packet: unknown, origin: Origin) => this.#heard('query', packet, origin));
    server.on('response', (packet: unknown, origin: Origin) =>
      this.#heard('response', packet, origin),
    );
    server.initServer();
    if (await within(SOCKET_WAIT_MS, ready)) return server;
    this.#warnOnce();
    server.destroy(() => undefined);
    return null;
  }

  async #closeServer(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    this.#sockets = [];
    if (server) {
      await within(GOODBYE_WAIT_MS, new Promise<void>((resolve) => server.destroy(resolve)));
    }
  }

  #heard(kind: 'query' | 'response', packet: unknown, origin: Origin): void {
    const link = linkOfPeer(origin.address, this.#links);
    const message = readMessage(packet);
    if (!link || !message || this.#isEcho(kind, message, origin)) return;
    const nowMs = performance.now();
    if (kind === 'query') {
      this.#turn(this.#responder.query(message, link.key, origin, nowMs));
    } else if (origin.port === MDNS_PORT) {
      this.#responder.response(message, link.key, nowMs);
      this.#turn([]);
    }
  }

  /** The same datagram again, from another socket of the library. */
  #isEcho(kind: string, message: object, origin: Origin): boolean {
    const nowMs = performance.now();
    const key = `${kind} ${origin.address} ${origin.port} ${JSON.stringify(message)}`;
    this.#echoes = this.#echoes.filter((echo) => nowMs - echo.atMs < ECHO_WINDOW_MS);
    if (this.#echoes.some((echo) => echo.key === key)) return true;
    if (this.#echoes.length < ECHOES_MAX) this.#echoes.push({ key, atMs: nowMs });
    return false;
  }

  /** Sends what is due and sets the alarm for what comes next. */
  #turn(actions: readonly MdnsAction[]): void {
    if (this.#isClosed) return;
    for (const action of [...actions, ...this.#responder.poll(performance.now())]) {
      void this.#send(action);
    }
    this.#tellNames();
    if (this.#wake) clearTimeout(this.#wake);
    const wakeMs = this.#responder.nextWakeMs();
    if (wakeMs === null) return;
    const delayMs = Math.max(0, Math.ceil(wakeMs - performance.now()));
    this.#wake = setTimeout(() => this.#turn([]), delayMs);
    this.#wake.unref();
  }

  #send(action: MdnsAction): Promise<void> {
    const link = this.#links.find((candidate) => candidate.key === action.linkKey);
    const server = this.#server;
    if (!link || !server) return Promise.resolve();
    const packet = writeMessage(action.message);
    const { to } = action;
    return new Promise((resolve) => {
      const done = () => resolve();
      if (to) {
        this.#sendTo(link, encode(packet), to, done);
        return;
      }
      // Without a port the library takes the link for no link and sends on all of them.
      const origin = { interface: link.interfaceName, family: link.family, port: MDNS_PORT };
      if (action.message.kind === 'query') server.query(packet, origin, done);
      else server.respond(packet, origin, done);
    });
  }

  /** The library only multicasts; a unicast answer goes out of its socket. */
  #sendTo(link: MdnsSocketLink, bytes: Uint8Array, to: Origin, done: () => void): void {
    const socket = this.#sockets.find(
      ({ name, family }) => name === link.interfaceName && family === link.family,
    )?.socketSend;
    if (socket) socket.send(bytes, to.port, to.address, done);
    else done();
  }

  #tellNames(): void {
    const { state } = this.#responder;
    if (state !== 'announcing' && state !== 'running') return;
    const names = this.#zone.instanceLabels;
    if (names.join('\n') === this.#toldNames) return;
    this.#toldNames = names.join('\n');
    this.#options.onNames?.(names);
  }

  #warnOnce(): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    this.#options.onWarning(
      'cannot announce this host by mDNS: no interface gave UDP port 5353 (another program may ' +
        'hold it for itself); add the host on the device by its address',
    );
  }
}

/** `work`, or undefined after `limitMs`. */
async function within<T>(limitMs: number, work: Promise<T>): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), limitMs);
  const result = await Promise.race([work, promise]);
  clearTimeout(timer);
  return result;
}
