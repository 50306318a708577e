/**
 * Bytes and descriptors of one Wayland connection: a bounded queue out, reassembled messages in.
 * Never blocks on sending; a peer that does not read, breaks the framing or dies ends it.
 */

import { ERRNO, errnoName } from '../../../ffi/libc.ts';
import {
  closeFd,
  FDS_PER_MESSAGE_MAX,
  receiveWithFds,
  sendWithFds,
  waitReadable,
  waitWritable,
} from '../../../ffi/libc-fd.ts';
import { pin, stableBytes, unpin } from '../../../ffi/pins.ts';
import {
  decodeHeader,
  encodeMessage,
  HEADER_BYTES,
  MESSAGE_BYTES_MAX,
  type WireValue,
} from './wire.ts';

/** Twice the largest message a peer can announce. */
const RECEIVE_BYTES = 128 * 1024;
/** A compositor that left this much unread is stuck; the kernel holds about 200 KiB before it. */
const SEND_BYTES = 256 * 1024;
/** More descriptors than this waiting for their message means a broken peer. */
const WAITING_FDS_MAX = 4 * FDS_PER_MESSAGE_MAX;

/** Where whole messages go: arguments lie in `view` at `offset`…`end`. */
export type MessageSink = (
  view: DataView,
  objectId: number,
  opcode: number,
  offset: number,
  end: number,
) => void;

export class WaylandTransport {
  readonly #fd: number;
  readonly #sink: MessageSink;
  readonly #onFailure: (cause: string) => void;
  // KEEP: pinned until close(); the kernel reads and writes them during calls.
  readonly #in = pin(stableBytes(RECEIVE_BYTES));
  readonly #inView = new DataView(this.#in.buffer);
  #inEnd = 0;
  readonly #out = pin(stableBytes(SEND_BYTES));
  readonly #outView = new DataView(this.#out.buffer);
  #outStart = 0;
  #outEnd = 0;
  #outFds: number[] = [];
  #isOpen = true;
  /** Descriptors that arrived and whose message was not decoded yet, in order. */
  readonly receivedFds: number[] = [];

  constructor(fd: number, sink: MessageSink, onFailure: (cause: string) => void) {
    this.#fd = fd;
    this.#sink = sink;
    this.#onFailure = onFailure;
  }

  get hasQueued(): boolean {
    return this.#outStart < this.#outEnd;
  }

  /** Queues one message and owns its descriptors; false when it does not fit its signature. */
  queue(
    objectId: number,
    opcode: number,
    signature: string,
    values: readonly WireValue[],
  ): boolean {
    const fds: number[] = [];
    if (this.#outEnd + MESSAGE_BYTES_MAX > SEND_BYTES) this.#makeRoom();
    const end = this.#isOpen
      ? encodeMessage(this.#outView, this.#outEnd, objectId, opcode, signature, values, fds)
      : null;
    if (end === null) {
      for (const fd of fds) closeFd(fd);
      return false;
    }
    this.#outEnd = end;
    if (fds.length > 0) {
      this.#outFds.push(...fds);
      this.flush();
    }
    return true;
  }

  /** Hands queued messages to the kernel as far as it takes them. */
  flush(): void {
    while (this.#isOpen && this.hasQueued) {
      const fds = this.#outFds.slice(0, FDS_PER_MESSAGE_MAX);
      const sent = sendWithFds(this.#fd, this.#out, this.#outStart, this.#outEnd, fds);
      if (sent === -ERRNO.EINTR) continue;
      if (sent === -ERRNO.EAGAIN) return;
      if (sent < 0) {
        // An error event may still wait to be read; it says more than a broken pipe.
        this.receive();
        this.#onFailure(`the compositor is gone (${errnoName(-sent)})`);
        return;
      }
      for (const fd of fds) closeFd(fd);
      this.#outFds = this.#outFds.slice(fds.length);
      this.#outStart += sent;
    }
    this.#outStart = 0;
    this.#outEnd = 0;
  }

  /** Blocks until the queue is empty, at most `timeoutMs` for each pause of the peer. */
  drain(timeoutMs: number): void {
    this.flush();
    while (this.#isOpen && this.hasQueued && waitWritable(this.#fd, timeoutMs)) this.flush();
  }

  /** Waits at most `timeoutMs` for bytes and handles what came; false when nothing did. */
  wait(timeoutMs: number): boolean {
    if (!this.#isOpen || waitReadable(this.#fd, timeoutMs) === 'timeout') return false;
    return this.receive();
  }

  /** Reads once and hands every whole message to the sink. */
  receive(): boolean {
    if (!this.#isOpen) return false;
    const { receivedFds } = this;
    const received = receiveWithFds(this.#fd, this.#in, this.#inEnd, RECEIVE_BYTES, receivedFds);
    if (received === -ERRNO.EAGAIN || received === -ERRNO.EINTR) return false;
    if (received <= 0) {
      const how = received === 0 ? 'it closed the connection' : errnoName(-received);
      this.#onFailure(`the compositor is gone (${how})`);
      return false;
    }
    this.#inEnd += received;
    const end = this.#inEnd;
    const consumed = this.#deliver(end);
    this.#in.copyWithin(0, consumed, end);
    this.#inEnd = end - consumed;
    if (receivedFds.length > WAITING_FDS_MAX) {
      this.#onFailure('the compositor sent descriptors that belong to no message');
    }
    return true;
  }

  /** Idempotent. Queued messages are lost. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const fd of [...this.receivedFds, ...this.#outFds]) closeFd(fd);
    this.receivedFds.length = 0;
    this.#outFds = [];
    closeFd(this.#fd);
    unpin(this.#in);
    unpin(this.#out);
  }

  #deliver(end: number): number {
    let offset = 0;
    while (this.#isOpen) {
      const header = decodeHeader(this.#inView, offset, end);
      if (!header) break;
      const { objectId, opcode, sizeBytes } = header;
      if (sizeBytes < HEADER_BYTES || sizeBytes % 4 !== 0) {
        this.#onFailure(`the compositor sent a message of ${sizeBytes} bytes`);
        return end;
      }
      if (offset + sizeBytes > end) break;
      this.#sink(this.#inView, objectId, opcode, offset + HEADER_BYTES, offset + sizeBytes);
      offset += sizeBytes;
    }
    return offset;
  }

  #makeRoom(): void {
    this.flush();
    if (!this.hasQueued) return;
    this.#out.copyWithin(0, this.#outStart, this.#outEnd);
    this.#outEnd -= this.#outStart;
    this.#outStart = 0;
    if (this.#outEnd + MESSAGE_BYTES_MAX > SEND_BYTES) {
      this.#onFailure('the compositor does not read its socket');
    }
  }
}
