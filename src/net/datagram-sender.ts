/**
 * Batched UDP sending in three rungs: segmentation offload, one call per batch, one call per
 * datagram. A rung that the kernel or the network card refuses is left for good; the one in use is
 * readable. Datagrams that cannot be sent in bounded time are dropped and counted, never queued.
 */
import { ERRNO, errnoName } from '../../ffi/libc.ts';
import { type DatagramCalls, getIntOption, SOCKET, SocketCalls } from '../../ffi/libc-socket.ts';
import type { DatagramSender } from './port.ts';

/** Segments the kernel cuts from one buffer (UDP_MAX_SEGMENTS of the oldest kernels that can). */
const SEGMENTS_MAX = 64;
/** Payload of one IPv4 or IPv6 datagram before it is cut, with room for the headers. */
const SEGMENTED_BYTES_MAX = 65_000;
/** Datagrams of one sendmmsg call. */
const BATCH_MAX = 64;
/**
 * A socket that stays full longer than tries × wait drops the rest of the run; until it takes a
 * datagram again nothing more is waited for, so a dead link cannot hold the frames behind it up.
 */
const FULL_TRIES_MAX = 4;
const FULL_WAIT_MS = 2;
/** Errors that report an earlier datagram (ICMP) or a signal and leave this one unsent. */
const RETRIES_MAX = 3;
/** Times the device queue may be full under segmentation before that rung is given up. */
const NO_BUFFER_MAX = 8;
const ENOSYS = 38;
const EOPNOTSUPP = 95;

export type SenderRung = 'gso' | 'sendmmsg' | 'send';

/** Equal slots of one memory; the same shape as a packet slot area. */
export interface SenderSlots {
  readonly memory: SharedArrayBuffer | ArrayBuffer;
  readonly offsetBytes: number;
  readonly slotBytes: number;
}

/** Whether the kernel can cut UDP payloads on this socket (Linux 4.18). */
export function canSegment(fd: number): boolean {
  return getIntOption(fd, SOCKET.IPPROTO_UDP, SOCKET.UDP_SEGMENT) >= 0;
}

/** Sender on `fd`, on the best rung this kernel offers. The descriptor stays the caller's. */
export function openDatagramSender(
  fd: number,
  slots: SenderSlots,
  segmentationOffload: boolean,
): DatagramSender {
  const rung = segmentationOffload && canSegment(fd) ? 'gso' : 'sendmmsg';
  return new LadderSender(new SocketCalls(fd, slots.memory, BATCH_MAX), slots, rung);
}

/** The ladder itself, over injectable system calls. */
export class LadderSender implements DatagramSender {
  readonly #calls: DatagramCalls;
  readonly #offsetBytes: number;
  readonly #slotBytes: number;
  #rung: SenderRung;
  #droppedCount = 0;
  #noBufferCount = 0;
  #lastErrno = 0;
  #fullTriesLeft = FULL_TRIES_MAX;

  constructor(calls: DatagramCalls, slots: Omit<SenderSlots, 'memory'>, rung: SenderRung) {
    this.#calls = calls;
    this.#offsetBytes = slots.offsetBytes;
    this.#slotBytes = slots.slotBytes;
    this.#rung = rung;
  }

  get rung(): SenderRung {
    return this.#rung;
  }

  get droppedCount(): number {
    return this.#droppedCount;
  }

  get lastError(): string {
    return this.#lastErrno === 0 ? '' : errnoName(this.#lastErrno);
  }

  setDestination(sockaddr: Uint8Array): void {
    this.#calls.setDestination(sockaddr);
  }

  send(first: number, count: number, sizeBytes: number, lastSizeBytes = sizeBytes): number {
    let sent = 0;
    let retries = 0;
    let rung = this.#rung;
    while (sent < count) {
      const result = this.#sendSome(rung, first + sent, count - sent, sizeBytes, lastSizeBytes);
      if (result > 0) {
        sent += result;
        this.#fullTriesLeft = FULL_TRIES_MAX;
        continue;
      }
      const errno = -result;
      if (errno === ERRNO.EAGAIN && this.#fullTriesLeft > 0) {
        this.#fullTriesLeft -= 1;
        this.#calls.waitWritable(FULL_WAIT_MS);
      } else if ((errno === ERRNO.ECONNREFUSED || errno === ERRNO.EINTR) && retries < RETRIES_MAX) {
        retries += 1;
      } else {
        const next = this.#rungAfter(rung, errno);
        if (next === rung) {
          this.#lastErrno = errno;
          this.#droppedCount += count - sent;
          return sent;
        }
        rung = next;
      }
    }
    return sent;
  }

  close(): void {
    this.#calls.close();
  }

  /** One system call on the current rung: datagrams sent (≥ 1) or a negative errno. */
  #sendSome(
    rung: SenderRung,
    first: number,
    count: number,
    sizeBytes: number,
    lastBytes: number,
  ): number {
    const offset = this.#offsetBytes + first * this.#slotBytes;
    // Slots as large as their datagrams lie end to end; one that exceeds the bound goes by itself.
    const isSegmentable = this.#slotBytes === sizeBytes && sizeBytes <= SEGMENTED_BYTES_MAX;
    if (rung === 'gso' && isSegmentable) {
      const fitting = Math.floor(SEGMENTED_BYTES_MAX / sizeBytes);
      const taken = Math.min(count, fitting, SEGMENTS_MAX);
      const tail = taken === count ? lastBytes : sizeBytes;
      const total = (taken - 1) * sizeBytes + tail;
      const result = this.#calls.sendSegments(offset, total, sizeBytes);
      return result < 0 ? result : taken;
    }
    if (rung === 'send') {
      const result = this.#calls.sendOne(offset, count === 1 ? lastBytes : sizeBytes);
      return result < 0 ? result : 1;
    }
    const taken = Math.min(count, BATCH_MAX);
    const tail = taken === count ? lastBytes : sizeBytes;
    return this.#calls.sendMany(offset, this.#slotBytes, taken, sizeBytes, tail);
  }

  /** The rung to go on with after `errno`; the same one when the error says nothing about it. */
  #rungAfter(rung: SenderRung, errno: number): SenderRung {
    if (rung === 'gso') {
      const isRefused = errno === ERRNO.EIO || errno === ERRNO.EINVAL || errno === EOPNOTSUPP;
      if (errno === ERRNO.ENOBUFS) this.#noBufferCount += 1;
      else if (!isRefused) return rung;
      // A device queue may be full once; segmentation itself is given up only when that repeats.
      if (isRefused || this.#noBufferCount >= NO_BUFFER_MAX) this.#rung = 'sendmmsg';
      return 'sendmmsg';
    }
    if (rung === 'sendmmsg' && (errno === ENOSYS || errno === ERRNO.EINVAL)) {
      this.#rung = 'send';
      return 'send';
    }
    return rung;
  }
}
