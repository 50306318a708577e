/**
 * The host side of ENet without I/O: datagrams and time go in, datagrams and events come out
 * through the handlers given at construction.
 *
 * ENet itself proves nothing, and source addresses can be forged. A peer moves to a new address only
 * with a message that its session opens ({@link EnetHandlers.isAuthentic}). Once a peer has sent a
 * message that its session opens, only such messages take a sequence number in its name, and its
 * goodbye is believed only when it falls silent with it.
 * Source: GameStream §6.
 */
import { acceptConnect, isSameConnect } from './accept.ts';
import type { MessageSink } from './channel.ts';
import { type EnetCounters, newCounters } from './counters.ts';
import { type EnetDelivery, type EnetPeer, PING_INTERVAL_MS } from './peer.ts';
import {
  COMMAND,
  CONNECTION_CHANNEL,
  decodeConnect,
  decodeDatagram,
  type EnetCommand,
  type EnetHeader,
  encodeDisconnect,
  encodePing,
  NO_PEER,
} from './wire.ts';

export const ENET_PEERS_MAX = 32;
/** Room that a command's own fields need beside its data. */
const COMMAND_OVERHEAD_BYTES = 28;
/** A peer that said goodbye repeats it until it hears our ack. */
const LINGER_MS = 2500;
/** Longest wait for the peer's ack of our goodbye. */
const GOODBYE_MS = 2000;
/** Messages tried per datagram from an unknown address: bounds the work a stranger can cause. */
const AUTHENTICATION_TRIES_MAX = 4;

export type DisconnectReason = 'peer' | 'timeout' | 'local';

export interface EnetHandlers {
  transmit(to: string, bytes: Uint8Array): void;
  /** Whether a connect with this data from this address may have a peer. */
  accepts(connectData: number, from: string): boolean;
  connected(peer: number, connectData: number, from: string): void;
  /** `bytes` is a view that is valid during the call. */
  message(peer: number, channel: number, bytes: Uint8Array): void;
  /** Whether the key of the session behind the peer opens this message; must change nothing. */
  opens(peer: number, bytes: Uint8Array): boolean;
  /** {@link opens}, and the message is certainly not a repetition; must change nothing. */
  isAuthentic(peer: number, bytes: Uint8Array): boolean;
  disconnected(peer: number, reason: DisconnectReason): void;
}

export class EnetHost {
  readonly counters: EnetCounters = newCounters();
  readonly #handlers: EnetHandlers;
  readonly #slots: (EnetPeer | null)[] = new Array(ENET_PEERS_MAX).fill(null);
  /** Last session ids of each slot, so that a reused slot does not take old datagrams. */
  readonly #sessions = Array.from({ length: ENET_PEERS_MAX }, () => ({ out: 0xff, in: 0xff }));
  #peerCounter = 0;

  constructor(handlers: EnetHandlers) {
    this.#handlers = handlers;
  }

  get peerCount(): number {
    return this.#slots.reduce((count, peer) => (peer ? count + 1 : count), 0);
  }

  /** Takes one datagram. `from` is an opaque key of the sender's address and port. */
  receive(bytes: Uint8Array, from: string, nowMs: number): void {
    const now = Math.floor(nowMs);
    const header = decodeDatagram(bytes);
    if (!header) {
      this.counters.malformed += 1;
      return;
    }
    if (header.isCutShort) this.counters.malformed += 1;
    if (header.peerIndex === NO_PEER) {
      this.#connect(header, from, now);
      return;
    }
    const peer = this.#slots[header.peerIndex];
    if (!peer || peer.identity.incomingSession !== header.session) {
      this.counters.stray += 1;
      return;
    }
    if (peer.address !== from && !this.#mayRoam(peer, header, from)) return;
    peer.lastReceivedAtMs = now;
    for (const command of header.commands) {
      if (!this.#handle(peer, command, header.sentTime, now)) break;
      if (this.#slots[peer.identity.slot] !== peer) break;
    }
    peer.flush(now, this.#handlers.transmit);
  }

  /** Retransmits, pings, times out. Call at {@link nextWakeMs} at the latest. */
  tick(nowMs: number): void {
    const now = Math.floor(nowMs);
    for (const peer of this.#slots) {
      if (!peer) continue;
      if (now >= peer.stateEndsAtMs || peer.isTimedOut(now)) {
        this.#expire(peer);
        continue;
      }
      if (now >= peer.goodbye.dueAtMs) {
        this.#leave(peer, peer.goodbye.wantsAck, now);
        continue;
      }
      if (peer.wantsPings && now - peer.lastReceivedAtMs >= PING_INTERVAL_MS) {
        const sequence = peer.channel(CONNECTION_CHANNEL)?.nextReliable() ?? 0;
        peer.queueReliable(CONNECTION_CHANNEL, sequence, encodePing(sequence));
      }
      peer.flush(now, this.#handlers.transmit);
    }
  }

  /** Earliest time at which {@link tick} has something to do; infinite without peers. */
  nextWakeMs(): number {
    let wakeMs = Number.POSITIVE_INFINITY;
    for (const peer of this.#slots) if (peer) wakeMs = Math.min(wakeMs, peer.nextWakeMs());
    return wakeMs;
  }

  /**
   * Queues a message and sends it at once where the window allows.
   * @returns false when the peer is not connected, its queue is full, or the message is longer than
   * one datagram carries (the host's messages never are)
   */
  send(
    peerNumber: number,
    channelIndex: number,
    bytes: Uint8Array,
    delivery: EnetDelivery,
    nowMs: number,
  ): boolean {
    const peer = this.#find(peerNumber);
    if (peer?.state !== 'connected') return false;
    if (bytes.length > peer.identity.mtuBytes - COMMAND_OVERHEAD_BYTES) return false;
    const index = channelIndex < peer.identity.channelCount ? channelIndex : 0;
    if (!peer.queueMessage(index, bytes, delivery)) return false;
    peer.flush(Math.floor(nowMs), this.#handlers.transmit);
    return true;
  }

  /** Whether everything sent reliably to this peer was acked; true for a peer that is gone. */
  isDelivered(peerNumber: number): boolean {
    return !(this.#find(peerNumber)?.hasUnacked ?? false);
  }

  /** Smoothed round-trip time, or null before the first ack and for a peer that is gone. */
  rttMs(peerNumber: number): number | null {
    const peer = this.#find(peerNumber);
    return peer && peer.state !== 'verifying' ? peer.rttMs : null;
  }

  /** Says goodbye after what is queued has been acked, or at once with what is queued dropped. */
  disconnect(
    peerNumber: number,
    nowMs: number,
    order: 'after-queued' | 'now' = 'after-queued',
  ): void {
    const peer = this.#find(peerNumber);
    if (!peer || peer.state === 'lingering' || peer.state === 'disconnecting') return;
    const now = Math.floor(nowMs);
    peer.stateEndsAtMs = now + GOODBYE_MS;
    if (order === 'after-queued' && peer.hasUnacked && peer.state !== 'verifying') {
      peer.state = 'draining';
      return;
    }
    peer.dropQueues();
    this.#sayGoodbye(peer);
    peer.flush(now, this.#handlers.transmit);
  }

  /** The immediate goodbye that wants no ack: the host is shutting down or the peer was replaced. */
  drop(peerNumber: number, nowMs: number): void {
    const peer = this.#find(peerNumber);
    if (!peer) return;
    peer.dropQueues();
    peer.queueLoose(encodeDisconnect(0, 0, true));
    peer.flush(Math.floor(nowMs), this.#handlers.transmit);
    this.#remove(peer, 'local');
  }

  /** {@link drop}, but a peer whose goodbye is on its way keeps waiting for the ack. */
  dropUnlessEnding(peerNumber: number, nowMs: number): void {
    const state = this.#find(peerNumber)?.state;
    if (state === 'verifying' || state === 'connected') this.drop(peerNumber, nowMs);
  }

  dropAll(nowMs: number): void {
    for (const peer of this.#slots) if (peer) this.drop(peer.identity.number, nowMs);
  }

  #find(peerNumber: number): EnetPeer | null {
    return this.#slots.find((peer) => peer?.identity.number === peerNumber) ?? null;
  }

  #connect(header: EnetHeader, from: string, now: number): void {
    const command = header.commands[0];
    if (command?.number !== COMMAND.connect || header.sentTime === null) {
      this.counters.stray += 1;
      return;
    }
    const body = decodeConnect(command);
    if (this.#slots.some((peer) => peer && isSameConnect(peer, body, from))) return;
    const isSane =
      body.channelCount >= 1 && body.channelCount <= 255 && body.outgoingPeerId < NO_PEER;
    if (!isSane || !this.#handlers.accepts(body.data, from)) {
      this.counters.refusedConnects += 1;
      return;
    }
    const slot = this.#freeSlot();
    const sessions = this.#sessions[slot];
    if (slot < 0 || !sessions) {
      this.counters.refusedConnects += 1;
      return;
    }
    this.#peerCounter += 1;
    const peer = acceptConnect(body, { number: this.#peerCounter, slot, sessions, from }, now);
    this.#slots[slot] = peer;
    peer.flush(now, this.#handlers.transmit);
  }

  /** A free slot; a full table gives up its oldest peer that proved nothing. −1: all are in use. */
  #freeSlot(): number {
    const free = this.#slots.indexOf(null);
    if (free >= 0) return free;
    let oldest: EnetPeer | null = null;
    for (const peer of this.#slots) {
      if (!peer || (peer.isProven && peer.state !== 'lingering')) continue;
      if (!oldest || peer.identity.number < oldest.identity.number) oldest = peer;
    }
    if (!oldest) return -1;
    this.#remove(oldest, oldest.state === 'lingering' ? null : 'local');
    return oldest.identity.slot;
  }

  #mayRoam(peer: EnetPeer, header: EnetHeader, from: string): boolean {
    let tries = 0;
    for (const command of header.commands) {
      const isData =
        command.number === COMMAND.sendReliable ||
        command.number === COMMAND.sendUnreliable ||
        command.number === COMMAND.sendUnsequenced;
      if (!isData || tries >= AUTHENTICATION_TRIES_MAX) continue;
      tries += 1;
      if (peer.state === 'connected' && this.#isAuthentic(peer, command)) {
        peer.address = from;
        this.counters.roamed += 1;
        return true;
      }
    }
    this.counters.unproven += 1;
    return false;
  }

  #isAuthentic(peer: EnetPeer, command: EnetCommand): boolean {
    return this.#handlers.isAuthentic(peer.identity.number, command.data);
  }

  /** False stops the datagram. */
  #handle(peer: EnetPeer, command: EnetCommand, sentTime: number | null, now: number): boolean {
    if (command.wantsAck && sentTime === null) return this.#malformed();
    if (command.number === COMMAND.acknowledge) return this.#acknowledged(peer, command, now);
    if (command.number === COMMAND.disconnect) return this.#goodbye(peer, command, sentTime, now);
    if (peer.state !== 'connected' && peer.state !== 'draining') {
      this.counters.stray += 1;
      return false;
    }
    const channel = peer.channel(command.channel);
    if (!channel) return this.#malformed();
    const sink: MessageSink = {
      isGenuine: (message) => this.#isGenuine(peer, message, now),
      deliver: (message) => this.#handlers.message(peer.identity.number, command.channel, message),
    };
    switch (command.number) {
      case COMMAND.sendReliable:
      case COMMAND.sendFragment: {
        if (command.channel === CONNECTION_CHANNEL) return this.#malformed();
        // The ack goes out even when the handler ends the peer.
        const verdict =
          command.number === COMMAND.sendReliable
            ? channel.receiveReliable(command.sequence, command.data, sink)
            : channel.receiveFragment(command.sequence, command.fields, command.data, sink);
        if (verdict === 'malformed') return this.#malformed();
        if (verdict === 'unproven') return this.#unproven();
        if (verdict === 'full' || verdict === 'ahead') return true;
        break;
      }
      case COMMAND.sendUnreliable:
        if (!sink.isGenuine(command.data)) return this.#unproven();
        if (channel.acceptUnreliable(command.sequence, command.fields.getUint16(4))) {
          sink.deliver(command.data);
        }
        break;
      case COMMAND.sendUnsequenced:
        if (!sink.isGenuine(command.data)) return this.#unproven();
        if (peer.unsequenced.accept(command.fields.getUint16(4))) sink.deliver(command.data);
        break;
      case COMMAND.ping:
      case COMMAND.bandwidthLimit:
      case COMMAND.throttleConfigure:
      case COMMAND.sendUnreliableFragment:
        // Bandwidth and throttle shape unreliable sending, which the host does not do; no client
        // message is long enough for unreliable fragments. All four are acked where asked.
        break;
      default:
        // A second connect or a verify connect inside a connection.
        return this.#malformed();
    }
    if (command.wantsAck) peer.queueAck(command.channel, command.sequence, sentTime ?? 0);
    return true;
  }

  #acknowledged(peer: EnetPeer, command: EnetCommand, now: number): boolean {
    const sequence = command.fields.getUint16(4);
    const isKnown = peer.acknowledge(command.channel, sequence, command.fields.getUint16(6), now);
    if (!isKnown) return true;
    if (peer.state === 'verifying') {
      peer.state = 'connected';
      const { number, connectData } = peer.identity;
      this.#handlers.connected(number, connectData, peer.address);
    } else if (peer.state === 'draining' && !peer.hasUnacked) {
      this.#sayGoodbye(peer);
    } else if (peer.state === 'disconnecting' && !peer.hasUnacked) {
      this.#remove(peer, 'local');
    }
    return true;
  }

  #goodbye(peer: EnetPeer, command: EnetCommand, sentTime: number | null, now: number): boolean {
    if (command.wantsAck) peer.queueAck(command.channel, command.sequence, sentTime ?? 0);
    if (peer.isProven && peer.state === 'connected') peer.goodbye.hear(command.wantsAck, now);
    else if (peer.state !== 'lingering') this.#leave(peer, command.wantsAck, now);
    return false;
  }

  /** The peer is gone; one that wants an ack may repeat its goodbye for a while. */
  #leave(peer: EnetPeer, wantsAck: boolean, now: number): void {
    if (!wantsAck) {
      this.#remove(peer, 'peer');
      return;
    }
    const wasVerifying = peer.state === 'verifying';
    peer.dropQueues();
    peer.goodbye.forget();
    peer.state = 'lingering';
    peer.stateEndsAtMs = now + LINGER_MS;
    if (!wasVerifying) this.#handlers.disconnected(peer.identity.number, 'peer');
  }

  /** Whether a message may take its number: any may until one was opened, then only such. */
  #isGenuine(peer: EnetPeer, message: Uint8Array, now: number): boolean {
    if (!this.#handlers.opens(peer.identity.number, message)) return !peer.isProven;
    peer.isProven = true;
    if (peer.goodbye.contradict(now)) this.counters.forgedGoodbyes += 1;
    return true;
  }

  #sayGoodbye(peer: EnetPeer): void {
    peer.state = 'disconnecting';
    const sequence = peer.channel(CONNECTION_CHANNEL)?.nextReliable() ?? 0;
    peer.queueReliable(CONNECTION_CHANNEL, sequence, encodeDisconnect(sequence, 0, false));
  }

  #expire(peer: EnetPeer): void {
    const wasOurs = peer.state === 'draining' || peer.state === 'disconnecting';
    this.#remove(peer, peer.state === 'lingering' ? null : wasOurs ? 'local' : 'timeout');
  }

  /** Frees the slot. Null: nobody is told; a peer that never connected is nobody's. */
  #remove(peer: EnetPeer, reason: DisconnectReason | null): void {
    this.#slots[peer.identity.slot] = null;
    if (reason !== null && peer.state !== 'verifying') {
      this.#handlers.disconnected(peer.identity.number, reason);
    }
  }

  #malformed(): boolean {
    this.counters.malformed += 1;
    return false;
  }

  #unproven(): boolean {
    this.counters.unproven += 1;
    return false;
  }
}
