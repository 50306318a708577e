/**
 * The device's control plane: ENet over one UDP socket, sealed messages both ways, the start
 * sequence and the keep-alive every 100 ms (GameStream §5–7).
 */
import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import {
  controlMessage,
  type HostMessage,
  keepAlive,
  readHostMessage,
  SEND,
  startA,
  startB,
} from './control-messages.ts';
import { type ControlForm, openControl, sealControl } from './control-seal.ts';
import { EnetClient } from './enet-client.ts';
import { type Delivery, enableHaptics, type InputPacket, moveMouse } from './input.ts';

const TICK_MS = 10;
const KEEP_ALIVE_MS = 100;
const CONNECT_TIMEOUT_MS = 10_000;
const GOODBYE_MS = 2000;
const MESSAGES_MAX = 10_000;

export interface ControlOptions {
  readonly address: string;
  readonly port: number;
  readonly connectData: number;
  readonly key: Uint8Array;
  readonly form: ControlForm;
  /** No start messages and no keep-alive: a device that only connects. */
  readonly isSilent?: boolean;
}

export type ControlEnd = 'asked' | 'host' | 'timeout' | 'vanished';

export class ControlLink {
  /** What the host said, in order. */
  readonly messages: HostMessage[] = [];
  /** Messages of the host that did not open or were malformed. */
  unreadableCount = 0;
  /** Resolves when the connection is over, whoever ended it. */
  readonly ended: Promise<ControlEnd>;
  readonly options: ControlOptions;
  onMessage: ((message: HostMessage) => void) | null = null;
  readonly enet: EnetClient;
  readonly #socket: Socket;
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  #sequence = 0;
  #finish: (end: ControlEnd) => void = () => undefined;
  #isOver = false;

  private constructor(options: ControlOptions) {
    this.options = options;
    this.ended = new Promise((resolve) => {
      this.#finish = resolve;
    });
    this.#socket = createSocket(options.address.includes(':') ? 'udp6' : 'udp4');
    this.enet = new EnetClient({
      connectData: options.connectData,
      connectId: randomInt(1, 2 ** 32 - 1),
      transmit: (datagram) => this.transmit(datagram),
      onMessage: (_channel, wire) => this.#receive(wire),
      onDisconnected: (reason) => this.#end(reason),
    });
  }

  /** Connects, or rejects after 10 s as devices do. */
  static async open(options: ControlOptions, timeoutMs = CONNECT_TIMEOUT_MS): Promise<ControlLink> {
    const link = new ControlLink(options);
    await link.#connect(timeoutMs);
    return link;
  }

  send(type: number, payload: Uint8Array, channel = 0, delivery: Delivery = 'reliable'): void {
    this.sendPlain(controlMessage(type, payload), channel, delivery);
  }

  /** Seals and sends a whole plaintext message. */
  sendPlain(plain: Uint8Array, channel = 0, delivery: Delivery = 'reliable'): void {
    const { key, form } = this.options;
    this.sendRaw(sealControl(key, form, 'C', this.#sequence, plain), channel, delivery);
    this.#sequence += 1;
  }

  /** Sends bytes as they are: only misbehaving devices do that. */
  sendRaw(wire: Uint8Array, channel = 0, delivery: Delivery = 'reliable'): void {
    if (this.#isOver) return;
    if (delivery === 'reliable') this.enet.sendReliable(channel, wire, performance.now());
    else if (delivery === 'unreliable') this.enet.sendUnreliable(channel, wire, performance.now());
    else this.enet.sendUnsequenced(channel, wire, performance.now());
  }

  sendInput(packet: InputPacket): void {
    this.send(SEND.input, packet.bytes, packet.channel, packet.delivery);
  }

  /** A datagram of any content to the host's control port. */
  transmit(datagram: Uint8Array): void {
    if (this.#isOver) return;
    this.#socket.send(datagram, this.options.port, this.options.address, () => undefined);
  }

  /** Says goodbye and waits at most 2 s for the ack. */
  async close(): Promise<void> {
    if (this.#isOver) return;
    this.enet.disconnect(performance.now());
    await Promise.race([this.ended, Bun.sleep(GOODBYE_MS)]);
    this.#end('asked');
  }

  /** Stops without a word. */
  vanish(): void {
    this.#end('vanished');
  }

  async #connect(timeoutMs: number): Promise<void> {
    this.#socket.on('message', (datagram) => this.enet.receive(datagram, performance.now()));
    this.#socket.on('error', () => undefined);
    await new Promise<void>((resolve) => this.#socket.bind(0, () => resolve()));
    this.enet.connect(performance.now());
    this.#every(TICK_MS, () => this.enet.tick(performance.now()));
    const deadline = performance.now() + timeoutMs;
    while (this.enet.state === 'connecting' && performance.now() < deadline) await Bun.sleep(2);
    if (this.enet.state !== 'connected') {
      this.#end('timeout');
      throw new Error(`the host's control port did not accept the device in ${timeoutMs} ms`);
    }
    if (this.options.isSilent) return;
    this.sendPlain(startA());
    this.sendPlain(startB());
    this.sendPlain(keepAlive());
    this.#every(KEEP_ALIVE_MS, () => this.sendPlain(keepAlive()));
    // Devices wake the pointer so that the host shows it.
    this.sendInput(enableHaptics());
    this.sendInput(moveMouse(1, 1));
    await Bun.sleep(TICK_MS);
    this.sendInput(moveMouse(-1, -1));
  }

  #receive(wire: Uint8Array): void {
    const opened = openControl(this.options.key, this.options.form, 'H', wire);
    const message = typeof opened === 'string' ? null : readHostMessage(opened.plain);
    if (!message) {
      this.unreadableCount += 1;
      return;
    }
    if (this.messages.length < MESSAGES_MAX) this.messages.push(message);
    this.onMessage?.(message);
  }

  #every(intervalMs: number, action: () => void): void {
    this.#timers.push(setInterval(action, intervalMs));
  }

  #end(end: ControlEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#socket.close();
    this.#finish(end);
  }
}
