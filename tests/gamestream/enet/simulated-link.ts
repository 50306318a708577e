/** Two ENet ends on a fake clock with a link that loses, doubles, delays and reorders datagrams. */
import { EnetHost } from '../../../src/gamestream/enet/host.ts';
import { EnetClient } from '../../peers/moonlight/enet-client.ts';
import type { SeededRandom } from '../../support/random.ts';

export interface LinkQuality {
  readonly lossPct: number;
  readonly duplicatePct: number;
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
}

export const GOOD_LINK: LinkQuality = {
  lossPct: 0,
  duplicatePct: 0,
  minDelayMs: 1,
  maxDelayMs: 1,
};

export const CONNECT_DATA = 0x1234_5678;
export const HOST_ADDRESS = 'host';

interface InFlight {
  readonly atMs: number;
  readonly order: number;
  readonly to: string;
  readonly bytes: Uint8Array;
}

export class SimulatedLink {
  nowMs = 1000;
  readonly host: EnetHost;
  readonly client: EnetClient;
  /** Where the client's datagrams come from; tests move it. */
  clientAddress = '10.0.0.2|50000';
  quality: LinkQuality;
  readonly hostMessages: { channel: number; text: string }[] = [];
  readonly clientMessages: { channel: number; text: string }[] = [];
  readonly hostEvents: string[] = [];
  readonly clientEvents: string[] = [];
  peer: number | null = null;
  authenticPrefix: string | null = null;
  datagramsToHost = 0;
  /** When the host sent each of its datagrams, lost ones included. */
  readonly hostSentAtMs: number[] = [];
  #order = 0;
  #inFlight: InFlight[] = [];
  readonly #random: SeededRandom;

  constructor(random: SeededRandom, quality: LinkQuality, channelCount = 48) {
    this.#random = random;
    this.quality = quality;
    const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
    const isGenuine = (bytes: Uint8Array): boolean =>
      this.authenticPrefix !== null && text(bytes).startsWith(this.authenticPrefix);
    this.host = new EnetHost({
      transmit: (to, bytes) => {
        this.hostSentAtMs.push(this.nowMs);
        this.#put(to, bytes);
      },
      accepts: (connectData) => connectData === CONNECT_DATA,
      connected: (peer, _data, from) => {
        this.peer = peer;
        this.hostEvents.push(`connected ${from}`);
      },
      message: (_peer, channel, bytes) => this.hostMessages.push({ channel, text: text(bytes) }),
      opens: (_peer, bytes) => isGenuine(bytes),
      isAuthentic: (_peer, bytes) => isGenuine(bytes),
      disconnected: (_peer, reason) => this.hostEvents.push(`disconnected ${reason}`),
    });
    this.client = new EnetClient({
      transmit: (bytes) => this.#put(HOST_ADDRESS, bytes),
      onMessage: (channel, bytes) => this.clientMessages.push({ channel, text: text(bytes) }),
      onDisconnected: (reason) => this.clientEvents.push(`disconnected ${reason}`),
      connectData: CONNECT_DATA,
      connectId: random.next(),
      channelCount,
    });
  }

  get peerNumber(): number {
    if (this.peer === null) throw new Error('the client is not connected');
    return this.peer;
  }

  /** Lets `milliseconds` pass in steps of one. */
  run(milliseconds: number): void {
    for (let step = 0; step < milliseconds; step += 1) {
      this.nowMs += 1;
      const due = this.#inFlight.filter((datagram) => datagram.atMs <= this.nowMs);
      this.#inFlight = this.#inFlight.filter((datagram) => datagram.atMs > this.nowMs);
      due.sort((left, right) => left.atMs - right.atMs || left.order - right.order);
      for (const datagram of due) this.#deliver(datagram);
      if (this.nowMs >= this.host.nextWakeMs()) this.host.tick(this.nowMs);
      this.client.tick(this.nowMs);
    }
  }

  connect(): void {
    this.client.connect(this.nowMs);
    this.run(50);
  }

  sendToHost(channel: number, text: string): void {
    this.client.sendReliable(channel, Buffer.from(text, 'latin1'), this.nowMs);
  }

  sendToClient(text: string): boolean {
    const bytes = Buffer.from(text, 'latin1');
    return this.host.send(this.peerNumber, 0, bytes, 'reliable', this.nowMs);
  }

  #put(to: string, bytes: Uint8Array): void {
    const { lossPct, duplicatePct, minDelayMs, maxDelayMs } = this.quality;
    const copies = this.#random.int(1, 100) <= duplicatePct ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      if (this.#random.int(1, 100) <= lossPct) continue;
      const atMs = this.nowMs + this.#random.int(minDelayMs, maxDelayMs);
      this.#order += 1;
      this.#inFlight.push({ atMs, order: this.#order, to, bytes: Uint8Array.from(bytes) });
    }
  }

  #deliver(datagram: InFlight): void {
    if (datagram.to === HOST_ADDRESS) {
      this.datagramsToHost += 1;
      this.host.receive(datagram.bytes, this.clientAddress, this.nowMs);
    } else if (datagram.to === this.clientAddress) {
      this.client.receive(datagram.bytes, this.nowMs);
    }
  }
}
