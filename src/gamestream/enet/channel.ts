/**
 * One ENet channel of a peer: receive side (ordering, gaps, duplicates, fragments, newest-only) and
 * the send counters. Pure. Source: GameStream §6.3.
 */
import { SlidingWindow } from './sliding-window.ts';

/** Messages and fragments waiting for a gap to close. */
export const WAITING_MESSAGES_MAX = 256;
/** Longest message put together from fragments. */
export const FRAGMENTED_BYTES_MAX = 64 * 1024;
/** 64 KiB in fragments of the smallest MTU (576 − 28 bytes). */
const FRAGMENTS_MAX = Math.ceil(FRAGMENTED_BYTES_MAX / 548);
/** A sequence number at this distance or further ahead is an old one. */
const OLD_FROM_DISTANCE = 0x7000;
/** Between the two the sender has run ahead of its window: not acknowledged. */
const OLD_TO_DISTANCE = 0x9000;

/**
 * `taken` and `duplicate` are acknowledged, `full` and `ahead` are not: the peer sends again.
 * `unproven` leaves its sequence number to the message that the peer really sent under it.
 */
export type ReliableVerdict = 'taken' | 'duplicate' | 'full' | 'ahead' | 'malformed' | 'unproven';

/** What becomes of messages. */
export interface MessageSink {
  /** Whether this may be a message of the peer; asked before it takes its number. */
  isGenuine(message: Uint8Array): boolean;
  deliver(message: Uint8Array): void;
}

interface Waiting {
  /** Sequence numbers that the message occupies. */
  readonly span: number;
  readonly bytes: Uint8Array;
  /** Fragments still missing; 0 for whole messages. */
  missing: number;
  readonly has: Uint8Array | null;
}

/** Budget for buffered bytes, shared by the channels of a peer. */
export interface ReceiveBudget {
  bufferedBytes: number;
  readonly maxBytes: number;
}

export class EnetChannel {
  outgoingReliable = 0;
  outgoingUnreliable = 0;
  readonly #budget: ReceiveBudget;
  /** Keyed by the first sequence number of the message. */
  readonly #waiting = new Map<number, Waiting>();
  #incomingReliable = 0;
  #incomingUnreliable = 0;

  constructor(budget: ReceiveBudget) {
    this.#budget = budget;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Takes a whole reliable message; `sink` gets it and all that it unblocks, in order. */
  receiveReliable(sequence: number, data: Uint8Array, sink: MessageSink): ReliableVerdict {
    const verdict = this.#place(sequence);
    if (verdict !== 'taken') return verdict;
    if (this.#waiting.get(sequence)?.missing === 0) return 'duplicate';
    if (!sink.isGenuine(data)) return 'unproven';
    // Pieces of something else under this number are not of this peer.
    this.#forget(sequence);
    if (sequence === ((this.#incomingReliable + 1) & 0xffff)) {
      this.#advance(1);
      sink.deliver(data);
      this.#deliverWaiting(sink);
      return 'taken';
    }
    if (!this.#hasRoom(data.length)) return 'full';
    this.#wait(sequence, { span: 1, bytes: data.slice(), missing: 0, has: null });
    return 'taken';
  }

  /** Takes one fragment of a message that starts at `startSequence`. */
  receiveFragment(
    sequence: number,
    fields: DataView,
    data: Uint8Array,
    sink: MessageSink,
  ): ReliableVerdict {
    const start = fields.getUint16(4);
    const count = fields.getUint32(8);
    const number = fields.getUint32(12);
    const totalBytes = fields.getUint32(16);
    const offsetBytes = fields.getUint32(20);
    if (count < 1 || count > FRAGMENTS_MAX || number >= count) return 'malformed';
    if (totalBytes < count || totalBytes > FRAGMENTED_BYTES_MAX) return 'malformed';
    if (data.length === 0 || offsetBytes + data.length > totalBytes) return 'malformed';
    if (((start + number) & 0xffff) !== sequence) return 'malformed';

    const verdict = this.#place(start);
    if (verdict !== 'taken') return verdict;
    let message = this.#waiting.get(start);
    if (!message) {
      if (!this.#hasRoom(totalBytes)) return 'full';
      message = {
        span: count,
        bytes: new Uint8Array(totalBytes),
        missing: count,
        has: new Uint8Array(count),
      };
      this.#wait(start, message);
    }
    const { has, bytes } = message;
    if (has === null || has.length !== count || bytes.length !== totalBytes) return 'malformed';
    if (has[number] === 1) return 'duplicate';
    has[number] = 1;
    message.missing -= 1;
    bytes.set(data, offsetBytes);
    if (message.missing > 0) return 'taken';
    if (!sink.isGenuine(bytes)) {
      this.#forget(start);
      return 'unproven';
    }
    this.#deliverWaiting(sink);
    return 'taken';
  }

  /** Whether an unreliable message is the newest, after exactly the reliable ones received. */
  acceptUnreliable(reliableSequence: number, unreliableSequence: number): boolean {
    if (reliableSequence !== this.#incomingReliable) return false;
    const ahead = (unreliableSequence - this.#incomingUnreliable) & 0xffff;
    if (ahead === 0 || ahead >= 0x8000) return false;
    this.#incomingUnreliable = unreliableSequence;
    return true;
  }

  /** Number of the next reliable command; the unreliable counter restarts with it. */
  nextReliable(): number {
    this.outgoingReliable = (this.outgoingReliable + 1) & 0xffff;
    this.outgoingUnreliable = 0;
    return this.outgoingReliable;
  }

  nextUnreliable(): number {
    this.outgoingUnreliable = (this.outgoingUnreliable + 1) & 0xffff;
    return this.outgoingUnreliable;
  }

  #place(sequence: number): ReliableVerdict {
    const distance = (sequence - this.#incomingReliable) & 0xffff;
    if (distance === 0 || distance >= OLD_TO_DISTANCE) return 'duplicate';
    return distance >= OLD_FROM_DISTANCE ? 'ahead' : 'taken';
  }

  #hasRoom(bytes: number): boolean {
    return (
      this.#waiting.size < WAITING_MESSAGES_MAX &&
      this.#budget.bufferedBytes + bytes <= this.#budget.maxBytes
    );
  }

  #wait(sequence: number, message: Waiting): void {
    this.#waiting.set(sequence, message);
    this.#budget.bufferedBytes += message.bytes.length;
  }

  #forget(sequence: number): void {
    const message = this.#waiting.get(sequence);
    if (!message) return;
    this.#waiting.delete(sequence);
    this.#budget.bufferedBytes -= message.bytes.length;
  }

  /** Passes `span` numbers; what waits under one of them is never asked for again. */
  #advance(span: number): void {
    for (let passed = 0; passed < span; passed += 1) {
      this.#incomingReliable = (this.#incomingReliable + 1) & 0xffff;
      this.#forget(this.#incomingReliable);
    }
    this.#incomingUnreliable = 0;
  }

  #deliverWaiting(sink: MessageSink): void {
    for (;;) {
      const message = this.#waiting.get((this.#incomingReliable + 1) & 0xffff);
      if (!message || message.missing > 0) return;
      this.#advance(message.span);
      sink.deliver(message.bytes);
    }
  }
}

/** Receive window of unsequenced groups: each group once, any order. */
export class UnsequencedWindow {
  readonly #window = new SlidingWindow();

  accept(group: number): boolean {
    const full = this.#window.extend16(group);
    return full >= 0 && this.#window.accept(full);
  }
}
