/**
 * One connected ENet peer: its send queues, round-trip time, retransmission and timers. Pure: the
 * time is passed in as whole milliseconds. Source: GameStream §6.2, §6.3.
 */
import { EnetChannel, type ReceiveBudget, UnsequencedWindow } from './channel.ts';
import { Goodbye } from './goodbye.ts';
import {
  COMMANDS_PER_DATAGRAM_MAX,
  CONNECTION_CHANNEL,
  encodeAcknowledge,
  encodeDatagramHeader,
  encodeReliable,
  encodeUnreliable,
  encodeUnsequenced,
} from './wire.ts';

export type EnetDelivery = 'reliable' | 'unreliable' | 'unsequenced';

/** A reliable command without an ack for this long means that the peer is gone. */
export const TIMEOUT_MS = 10_000;
const RTO_MAX_MS = TIMEOUT_MS / 5;
const FIRST_RTT_MS = 500;
export const PING_INTERVAL_MS = 500;
/** Reliable commands queued or in flight; the host's messages are few and small. */
const OUTGOING_MAX = 256;
const ACKS_MAX = 256;
const RECEIVE_BUFFER_BYTES_MAX = 512 * 1024;
const HEADER_BYTES_MAX = 4;

/**
 * `verifying` until the verify connect is acked; `draining` sends what is queued before it says
 * goodbye; `disconnecting` waits for the ack of it; `lingering` only acks a repeated goodbye.
 */
export type PeerState = 'verifying' | 'connected' | 'draining' | 'disconnecting' | 'lingering';

interface Outgoing {
  readonly bytes: Uint8Array;
  readonly channel: number;
  readonly sequence: number;
  /** 0: not sent yet. */
  attempts: number;
  firstSentAtMs: number;
  dueAtMs: number;
}

export interface PeerIdentity {
  /** Never used twice while the host lives. */
  readonly number: number;
  /** Index that the peer puts into its datagrams. */
  readonly slot: number;
  readonly connectId: Uint8Array;
  readonly connectData: number;
  /** Index of the peer's own side. */
  readonly outgoingPeerId: number;
  readonly outgoingSession: number;
  readonly incomingSession: number;
  readonly mtuBytes: number;
  readonly windowBytes: number;
  readonly channelCount: number;
}

export class EnetPeer {
  readonly identity: PeerIdentity;
  readonly unsequenced = new UnsequencedWindow();
  state: PeerState = 'verifying';
  address: string;
  lastReceivedAtMs: number;
  /** When the present state ends by itself; infinite while none does. */
  stateEndsAtMs = Number.POSITIVE_INFINITY;
  /** One of its messages was opened: from now on the others must be, too. */
  isProven = false;
  readonly goodbye = new Goodbye();
  rttMs = FIRST_RTT_MS;
  #varianceMs = 0;
  #hasRtt = false;
  #unsequencedGroup = 0;
  readonly #budget: ReceiveBudget = { bufferedBytes: 0, maxBytes: RECEIVE_BUFFER_BYTES_MAX };
  readonly #channels = new Map<number, EnetChannel>();
  readonly #acks: Uint8Array[] = [];
  /** Reliable commands in order, unsent and in flight. */
  #reliable: Outgoing[] = [];
  #loose: Uint8Array[] = [];

  constructor(identity: PeerIdentity, address: string, nowMs: number) {
    this.identity = identity;
    this.address = address;
    this.lastReceivedAtMs = nowMs;
  }

  /** State of a channel, or null when the peer has no such channel. */
  channel(index: number): EnetChannel | null {
    if (index >= this.identity.channelCount && index !== CONNECTION_CHANNEL) return null;
    let channel = this.#channels.get(index);
    if (!channel) {
      channel = new EnetChannel(this.#budget);
      this.#channels.set(index, channel);
    }
    return channel;
  }

  get hasUnacked(): boolean {
    return this.#reliable.length > 0;
  }

  get bufferedBytes(): number {
    return this.#budget.bufferedBytes;
  }

  /** Queues a message for the channel; false when there is no room for it. */
  queueMessage(index: number, bytes: Uint8Array, delivery: EnetDelivery): boolean {
    const channel = this.channel(index);
    if (!channel) return false;
    switch (delivery) {
      case 'reliable': {
        if (this.#reliable.length >= OUTGOING_MAX) return false;
        const sequence = channel.nextReliable();
        this.queueReliable(index, sequence, encodeReliable(index, sequence, bytes));
        return true;
      }
      case 'unreliable': {
        const { outgoingReliable } = channel;
        const unreliable = channel.nextUnreliable();
        return this.queueLoose(encodeUnreliable(index, outgoingReliable, unreliable, bytes));
      }
      case 'unsequenced':
        this.#unsequencedGroup = (this.#unsequencedGroup + 1) & 0xffff;
        return this.queueLoose(encodeUnsequenced(index, this.#unsequencedGroup, bytes));
    }
  }

  queueAck(channel: number, sequence: number, sentTime: number): void {
    if (this.#acks.length < ACKS_MAX) {
      this.#acks.push(encodeAcknowledge(channel, sequence, sentTime));
    }
  }

  queueReliable(channel: number, sequence: number, bytes: Uint8Array): void {
    this.#reliable.push({ bytes, channel, sequence, attempts: 0, firstSentAtMs: 0, dueAtMs: 0 });
  }

  /** Sent with the next flush, once. */
  queueLoose(bytes: Uint8Array): boolean {
    if (this.#loose.length >= OUTGOING_MAX) return false;
    this.#loose.push(bytes);
    return true;
  }

  dropQueues(): void {
    this.#reliable = [];
    this.#loose = [];
  }

  /** Takes an ack in; false when nothing in flight has that number. */
  acknowledge(channel: number, sequence: number, sentTime: number, nowMs: number): boolean {
    const index = this.#reliable.findIndex(
      (out) => out.attempts > 0 && out.channel === channel && out.sequence === sequence,
    );
    const [acked] = index < 0 ? [] : this.#reliable.splice(index, 1);
    if (!acked) return false;
    const sampleMs = Math.max(1, (nowMs - sentTime) & 0xffff);
    // An echo older than the command itself is nonsense and must not stretch the timers.
    if (sampleMs <= Math.max(1, nowMs - acked.firstSentAtMs)) this.#sampleRtt(sampleMs);
    return true;
  }

  /** Whether a reliable command has waited {@link TIMEOUT_MS} for its ack. */
  isTimedOut(nowMs: number): boolean {
    return this.#reliable.some(
      (out) => out.attempts > 0 && nowMs - out.firstSentAtMs >= TIMEOUT_MS,
    );
  }

  /** Earliest time at which the peer has something to do by itself. */
  nextWakeMs(): number {
    let wakeMs = Math.min(this.stateEndsAtMs, this.goodbye.dueAtMs);
    for (const out of this.#reliable) {
      if (out.attempts > 0) wakeMs = Math.min(wakeMs, out.dueAtMs, out.firstSentAtMs + TIMEOUT_MS);
    }
    if (this.wantsPings) wakeMs = Math.min(wakeMs, this.lastReceivedAtMs + PING_INTERVAL_MS);
    return wakeMs;
  }

  /** Pings measure silence; while something is unacked that does it. */
  get wantsPings(): boolean {
    return this.state === 'connected' && this.#reliable.length === 0;
  }

  /** Writes what is due into datagrams: acks first, then reliable, then the rest. */
  flush(nowMs: number, transmit: (to: string, bytes: Uint8Array) => void): void {
    const due = this.#takeDue(nowMs);
    const commands = [...this.#acks.splice(0), ...due.map((out) => out.bytes), ...this.#loose];
    this.#loose = [];
    const wantsTime = new Set(due.map((out) => out.bytes));
    for (let next = 0; next < commands.length; ) {
      let bodyBytes = 0;
      let last = next;
      let isTimed = false;
      while (last < commands.length && last - next < COMMANDS_PER_DATAGRAM_MAX) {
        const command = commands[last];
        if (!command) break;
        const grownBytes = bodyBytes + command.length;
        if (last > next && grownBytes > this.identity.mtuBytes - HEADER_BYTES_MAX) break;
        bodyBytes = grownBytes;
        isTimed ||= wantsTime.has(command);
        last += 1;
      }
      transmit(this.address, this.#datagram(commands.slice(next, last), bodyBytes, isTimed, nowMs));
      next = last;
    }
  }

  #datagram(
    commands: readonly Uint8Array[],
    bodyBytes: number,
    isTimed: boolean,
    nowMs: number,
  ): Uint8Array {
    const { outgoingPeerId, outgoingSession } = this.identity;
    const bytes = new Uint8Array(HEADER_BYTES_MAX + bodyBytes);
    const time = isTimed ? nowMs : null;
    let end = encodeDatagramHeader(bytes, outgoingPeerId, outgoingSession, time);
    for (const command of commands) {
      bytes.set(command, end);
      end += command.length;
    }
    return bytes.subarray(0, end);
  }

  #takeDue(nowMs: number): Outgoing[] {
    let inFlightBytes = 0;
    const due: Outgoing[] = [];
    for (const out of this.#reliable) {
      const isFirst = out.attempts === 0;
      if (isFirst && inFlightBytes > 0) {
        if (inFlightBytes + out.bytes.length > this.identity.windowBytes) break;
      }
      inFlightBytes += out.bytes.length;
      if (!isFirst && nowMs < out.dueAtMs) continue;
      if (isFirst) out.firstSentAtMs = nowMs;
      out.attempts += 1;
      out.dueAtMs = nowMs + this.#retransmitMs() * out.attempts;
      due.push(out);
    }
    return due;
  }

  #retransmitMs(): number {
    const spread = Math.min(this.rttMs, 4 * Math.max(1, this.#varianceMs));
    return Math.min(this.rttMs + spread, RTO_MAX_MS);
  }

  #sampleRtt(sampleMs: number): void {
    if (!this.#hasRtt) {
      this.#hasRtt = true;
      this.rttMs = sampleMs;
      this.#varianceMs = Math.floor((sampleMs + 1) / 2);
      return;
    }
    const difference = Math.abs(sampleMs - this.rttMs);
    this.#varianceMs -= Math.floor((this.#varianceMs + 3) / 4) - Math.floor((difference + 3) / 4);
    const step = Math.floor((difference + 7) / 8);
    this.rttMs = Math.max(1, sampleMs >= this.rttMs ? this.rttMs + step : this.rttMs - step);
  }
}
