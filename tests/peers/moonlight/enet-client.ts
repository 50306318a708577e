/**
 * The device's side of ENet, written from the wire description alone and sharing no code with the
 * host: connect, send in three manners (and in fragments), receive, ack, retransmit, disconnect.
 * Without I/O: give it datagrams and the time, it hands datagrams to `transmit`.
 */

export interface EnetClientOptions {
  readonly transmit: (datagram: Uint8Array) => void;
  readonly onMessage?: (channel: number, message: Uint8Array) => void;
  readonly onDisconnected?: (reason: 'asked' | 'host' | 'timeout') => void;
  /** What the host's SETUP named; 0 when there was nothing. */
  readonly connectData: number;
  /** Opaque number that marks this connection. */
  readonly connectId: number;
  readonly channelCount?: number;
}

export type EnetClientState =
  | 'idle'
  | 'connecting'
  | 'connected'
  | 'disconnecting'
  | 'disconnected';

interface Unacked {
  readonly command: Buffer;
  readonly channel: number;
  readonly sequence: number;
  firstSentMs: number;
  sentMs: number;
  attempts: number;
}

interface ReceiveChannel {
  delivered: number;
  readonly early: Map<number, Buffer>;
}

const WANTS_ACK = 0x80;
const UNSEQUENCED = 0x40;
const NO_CHANNEL = 0xff;
const GIVE_UP_MS = 10_000;
const PING_MS = 500;
const SIZES = [0, 8, 48, 44, 8, 4, 6, 8, 24, 8, 12, 16, 24];

export class EnetClient {
  state: EnetClientState = 'idle';
  /** Smoothed as the host's ack times say; 500 before the first. */
  rttMs = 500;
  /** Peer index the host gave, for tests that forge datagrams. */
  hostPeerIndex = 0xfff;
  readonly #options: EnetClientOptions;
  #variance = 0;
  #hasRtt = false;
  #outgoingSession = 0;
  #incomingSession = 0;
  #mtu = 900;
  #lastHeardMs = 0;
  readonly #reliableNumbers = new Map<number, number>();
  readonly #unreliableNumbers = new Map<number, number>();
  #group = 0;
  #unacked: Unacked[] = [];
  readonly #channels = new Map<number, ReceiveChannel>();
  readonly #seenGroups = new Set<number>();
  #acks: Buffer[] = [];
  #loose: Buffer[] = [];

  constructor(options: EnetClientOptions) {
    this.#options = options;
  }

  get hasUnacked(): boolean {
    return this.#unacked.length > 0;
  }

  get outgoingSession(): number {
    return this.#outgoingSession;
  }

  connect(nowMs: number): void {
    const { connectData, connectId, channelCount = 48 } = this.#options;
    const command = this.#command(2, WANTS_ACK, NO_CHANNEL, this.#nextReliable(NO_CHANNEL), 48);
    command.writeUInt16BE(0, 4);
    command.writeUInt8(0xff, 6);
    command.writeUInt8(0xff, 7);
    command.writeUInt32BE(900, 8);
    command.writeUInt32BE(65_536, 12);
    command.writeUInt32BE(channelCount, 16);
    command.writeUInt32BE(5000, 28);
    command.writeUInt32BE(2, 32);
    command.writeUInt32BE(2, 36);
    command.writeUInt32LE(connectId >>> 0, 40);
    command.writeUInt32BE(connectData >>> 0, 44);
    this.state = 'connecting';
    this.#lastHeardMs = nowMs;
    this.#track(command, NO_CHANNEL, nowMs);
    this.#flush(nowMs);
  }

  sendReliable(channel: number, message: Uint8Array, nowMs: number): void {
    const command = this.#command(6, WANTS_ACK, channel, this.#nextReliable(channel), 6);
    command.writeUInt16BE(message.length, 4);
    this.#track(Buffer.concat([command, message]), channel, nowMs);
    this.#flush(nowMs);
  }

  sendUnreliable(channel: number, message: Uint8Array, nowMs: number): void {
    const number = ((this.#unreliableNumbers.get(channel) ?? 0) + 1) & 0xffff;
    this.#unreliableNumbers.set(channel, number);
    const command = this.#command(7, 0, channel, this.#reliableNumbers.get(channel) ?? 0, 8);
    command.writeUInt16BE(number, 4);
    command.writeUInt16BE(message.length, 6);
    this.#loose.push(Buffer.concat([command, message]));
    this.#flush(nowMs);
  }

  sendUnsequenced(channel: number, message: Uint8Array, nowMs: number): void {
    this.#group = (this.#group + 1) & 0xffff;
    const command = this.#command(9, UNSEQUENCED, channel, 0, 8);
    command.writeUInt16BE(this.#group, 4);
    command.writeUInt16BE(message.length, 6);
    this.#loose.push(Buffer.concat([command, message]));
    this.#flush(nowMs);
  }

  /** Cuts `message` into reliable fragments of at most `pieceBytes`. */
  sendFragmented(channel: number, message: Uint8Array, nowMs: number, pieceBytes = 872): void {
    const count = Math.ceil(message.length / pieceBytes);
    let start = 0;
    for (let number = 0; number < count; number += 1) {
      const sequence = this.#nextReliable(channel);
      if (number === 0) start = sequence;
      const piece = message.subarray(number * pieceBytes, (number + 1) * pieceBytes);
      const command = this.#command(8, WANTS_ACK, channel, sequence, 24);
      command.writeUInt16BE(start, 4);
      command.writeUInt16BE(piece.length, 6);
      command.writeUInt32BE(count, 8);
      command.writeUInt32BE(number, 12);
      command.writeUInt32BE(message.length, 16);
      command.writeUInt32BE(number * pieceBytes, 20);
      this.#track(Buffer.concat([command, piece]), channel, nowMs);
    }
    this.#flush(nowMs);
  }

  /** Says goodbye and waits for the ack. */
  disconnect(nowMs: number): void {
    const sequence = this.#nextReliable(NO_CHANNEL);
    this.#unacked = [];
    this.#track(this.#command(4, WANTS_ACK, NO_CHANNEL, sequence, 8), NO_CHANNEL, nowMs);
    this.state = 'disconnecting';
    this.#flush(nowMs);
  }

  /** The goodbye that wants no ack. */
  disconnectNow(nowMs: number): void {
    this.#loose.push(this.#command(4, UNSEQUENCED, NO_CHANNEL, 0, 8));
    this.#unacked = [];
    this.#flush(nowMs);
    this.#over('asked');
  }

  receive(datagram: Uint8Array, nowMs: number): void {
    const bytes = Buffer.from(datagram);
    if (bytes.length < 2 || this.state === 'idle' || this.state === 'disconnected') return;
    const word = bytes.readUInt16BE(0);
    if ((word & 0xfff) !== 0 || (word & 0x4000) !== 0) return;
    if (this.hostPeerIndex !== 0xfff && ((word >> 12) & 3) !== this.#incomingSession) return;
    const hasTime = (word & 0x8000) !== 0;
    const sentTime = hasTime ? bytes.readUInt16BE(2) : 0;
    this.#lastHeardMs = nowMs;
    let at = hasTime ? 4 : 2;
    while (at < bytes.length) {
      const size = SIZES[(bytes[at] ?? 0) & 0x0f] ?? 0;
      if (size === 0 || at + size > bytes.length) break;
      const taken = this.#take(bytes, at, size, sentTime, nowMs);
      if (taken < 0) break;
      at += taken;
    }
    this.#flush(nowMs);
  }

  tick(nowMs: number): void {
    if (this.state === 'idle' || this.state === 'disconnected') return;
    if (this.#unacked.some((sent) => nowMs - sent.firstSentMs >= GIVE_UP_MS)) {
      this.#over('timeout');
      return;
    }
    const isQuiet = this.#unacked.length === 0 && nowMs - this.#lastHeardMs >= PING_MS;
    if (this.state === 'connected' && isQuiet) {
      const ping = this.#command(5, WANTS_ACK, NO_CHANNEL, this.#nextReliable(NO_CHANNEL), 4);
      this.#track(ping, NO_CHANNEL, nowMs);
      this.#lastHeardMs = nowMs;
    }
    this.#flush(nowMs);
  }

  /** Size of the command at `at` with its data, or −1 to stop reading. */
  #take(bytes: Buffer, at: number, size: number, sentTime: number, nowMs: number): number {
    const number = (bytes[at] ?? 0) & 0x0f;
    const wantsAck = ((bytes[at] ?? 0) & WANTS_ACK) !== 0;
    const channel = bytes[at + 1] ?? 0;
    const sequence = bytes.readUInt16BE(at + 2);
    const hasData = number === 6 || number === 7 || number === 9;
    const dataSize = hasData ? bytes.readUInt16BE(at + (number === 6 ? 4 : 6)) : 0;
    if (at + size + dataSize > bytes.length) return -1;
    const data = bytes.subarray(at + size, at + size + dataSize);
    if (number === 1) {
      this.#acked(channel, bytes.readUInt16BE(at + 4), bytes.readUInt16BE(at + 6), nowMs);
    } else if (number === 3) {
      this.#verified(bytes, at);
    } else if (number === 4) {
      if (wantsAck) {
        this.#ack(channel, sequence, sentTime);
        this.#flush(nowMs);
      }
      this.#over('host');
      return -1;
    } else if (number === 6) {
      this.#deliverInOrder(channel, sequence, data);
    } else if (number === 7) {
      this.#options.onMessage?.(channel, data);
    } else if (number === 9) {
      const group = bytes.readUInt16BE(at + 4);
      if (!this.#seenGroups.has(group)) this.#options.onMessage?.(channel, data);
      this.#seenGroups.add(group);
    } else if (number !== 5) {
      return -1;
    }
    if (wantsAck) this.#ack(channel, sequence, sentTime);
    return size + dataSize;
  }

  #verified(bytes: Buffer, at: number): void {
    if (this.state !== 'connecting') return;
    this.hostPeerIndex = bytes.readUInt16BE(at + 4);
    this.#incomingSession = bytes.readUInt8(at + 6);
    this.#outgoingSession = bytes.readUInt8(at + 7);
    this.#mtu = Math.min(this.#mtu, bytes.readUInt32BE(at + 8));
    this.state = 'connected';
    // The connect itself is answered by this, never by an ack.
    this.#unacked = this.#unacked.filter((sent) => (sent.command[0] ?? 0) % 16 !== 2);
  }

  #acked(channel: number, sequence: number, sentTime: number, nowMs: number): void {
    const index = this.#unacked.findIndex(
      (sent) => sent.channel === channel && sent.sequence === sequence,
    );
    if (index < 0) return;
    this.#unacked.splice(index, 1);
    const sample = Math.max(1, (Math.floor(nowMs) - sentTime) & 0xffff);
    if (this.#hasRtt) {
      const difference = Math.abs(sample - this.rttMs);
      this.#variance += (difference - this.#variance) / 4;
      this.rttMs += (sample - this.rttMs) / 8;
    } else {
      this.#hasRtt = true;
      this.rttMs = sample;
      this.#variance = sample / 2;
    }
    if (this.state === 'disconnecting' && this.#unacked.length === 0) this.#over('asked');
  }

  #deliverInOrder(channel: number, sequence: number, data: Buffer): void {
    let state = this.#channels.get(channel);
    if (!state) {
      state = { delivered: 0, early: new Map() };
      this.#channels.set(channel, state);
    }
    const distance = (sequence - state.delivered) & 0xffff;
    if (distance === 0 || distance > 0x7000) return;
    state.early.set(sequence, Buffer.from(data));
    for (;;) {
      const next = (state.delivered + 1) & 0xffff;
      const message = state.early.get(next);
      if (!message) return;
      state.early.delete(next);
      state.delivered = next;
      this.#options.onMessage?.(channel, message);
    }
  }

  #ack(channel: number, sequence: number, sentTime: number): void {
    const ack = this.#command(1, 0, channel, sequence, 8);
    ack.writeUInt16BE(sequence, 4);
    ack.writeUInt16BE(sentTime, 6);
    this.#acks.push(ack);
  }

  #track(command: Buffer, channel: number, nowMs: number): void {
    const sequence = command.readUInt16BE(2);
    this.#unacked.push({ command, channel, sequence, firstSentMs: nowMs, sentMs: 0, attempts: 0 });
  }

  #flush(nowMs: number): void {
    const timeout = Math.min(
      2000,
      this.rttMs + Math.min(this.rttMs, 4 * Math.max(1, this.#variance)),
    );
    const due = this.#unacked.filter(
      (sent) => sent.attempts === 0 || nowMs - sent.sentMs >= timeout * sent.attempts,
    );
    for (const sent of due) {
      sent.attempts += 1;
      sent.sentMs = nowMs;
    }
    const commands = [...this.#acks, ...due.map((sent) => sent.command), ...this.#loose];
    this.#acks = [];
    this.#loose = [];
    while (commands.length > 0) {
      const batch: Buffer[] = [];
      let size = 4;
      while (
        commands[0] &&
        batch.length < 32 &&
        (batch.length === 0 || size + commands[0].length <= this.#mtu)
      ) {
        size += commands[0].length;
        batch.push(commands[0]);
        commands.shift();
      }
      const header = Buffer.alloc(4);
      const session = this.hostPeerIndex === 0xfff ? 0 : this.#outgoingSession << 12;
      header.writeUInt16BE(0x8000 | session | this.hostPeerIndex, 0);
      header.writeUInt16BE(Math.floor(nowMs) & 0xffff, 2);
      this.#options.transmit(Buffer.concat([header, ...batch]));
    }
  }

  #over(reason: 'asked' | 'host' | 'timeout'): void {
    if (this.state === 'disconnected') return;
    this.state = 'disconnected';
    this.#options.onDisconnected?.(reason);
  }

  #nextReliable(channel: number): number {
    const next = ((this.#reliableNumbers.get(channel) ?? 0) + 1) & 0xffff;
    this.#reliableNumbers.set(channel, next);
    this.#unreliableNumbers.set(channel, 0);
    return next;
  }

  #command(number: number, flags: number, channel: number, sequence: number, size: number): Buffer {
    const command = Buffer.alloc(size);
    command.writeUInt8(number | flags, 0);
    command.writeUInt8(channel, 1);
    command.writeUInt16BE(sequence, 2);
    return command;
  }
}
