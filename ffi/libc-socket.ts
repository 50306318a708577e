/**
 * UDP sockets through libc: options, binding, and the message tables of batched sending.
 *
 * Every table the kernel reads (addresses, iovecs, headers, control data) is pinned while its owner
 * lives. Functions return 0 or a count on success and a negative errno otherwise, like the system
 * calls themselves; nothing throws on a network condition.
 */
import { addressOf, errno, libc } from './libc.ts';
import { pin, stableBytes, unpin } from './pins.ts';

/** bits/socket.h, linux/in.h, linux/in6.h, linux/udp.h. */
export const SOCKET = {
  AF_INET: 2,
  AF_INET6: 10,
  SOCK_DGRAM: 2,
  SOCK_CLOEXEC: 0x80000,
  SOL_SOCKET: 1,
  SO_SNDBUF: 7,
  SO_RCVBUF: 8,
  SO_SNDBUFFORCE: 32,
  SO_RCVBUFFORCE: 33,
  IPPROTO_IP: 0,
  IP_TOS: 1,
  IP_MTU_DISCOVER: 10,
  IPPROTO_UDP: 17,
  UDP_SEGMENT: 103,
  IPPROTO_IPV6: 41,
  IPV6_MTU_DISCOVER: 23,
  IPV6_V6ONLY: 26,
  IPV6_TCLASS: 67,
  PMTUDISC_DO: 2,
} as const;

const MSG_DONTWAIT = 0x40;
const POLLOUT = 4;
const SOCKADDR_MAX = 28;
const IOVEC_BYTES = 16;
/** struct mmsghdr on 64-bit Linux: msghdr 56, msg_len 4, padding 4. */
const MMSGHDR_BYTES = 64;
const OFFSET_NAME = 0;
const OFFSET_NAME_BYTES = 8;
const OFFSET_IOVEC = 16;
const OFFSET_IOVEC_COUNT = 24;
const OFFSET_CONTROL = 32;
const OFFSET_CONTROL_BYTES = 40;
/** CMSG_LEN and CMSG_SPACE of one u16: header 16 (length 8, level 4, type 4), data 2. */
const SEGMENT_CMSG_BYTES = 18;
const SEGMENT_CMSG_SPACE = 24;

// KEEP: module-level, scratch of this thread for options and addresses.
const intValue = pin(stableBytes(8));
const intLength = pin(stableBytes(8));
const addressScratch = pin(stableBytes(SOCKADDR_MAX));
const pollScratch = pin(stableBytes(8));

/** New UDP socket of `family`; a descriptor or a negative errno. */
export function createUdpSocket(family: number): number {
  const fd = libc().socket(family, SOCKET.SOCK_DGRAM | SOCKET.SOCK_CLOEXEC, 0);
  return fd >= 0 ? fd : -errno();
}

export function bindSocket(fd: number, sockaddr: Uint8Array): number {
  addressScratch.set(sockaddr.subarray(0, SOCKADDR_MAX));
  return libc().bind(fd, addressScratch, sockaddr.length) === 0 ? 0 : -errno();
}

/** The packed address `fd` is bound to, or null. */
export function boundSocketAddress(fd: number): Uint8Array | null {
  new DataView(intLength.buffer).setUint32(0, SOCKADDR_MAX, true);
  if (libc().getsockname(fd, addressScratch, intLength) !== 0) return null;
  const length = new DataView(intLength.buffer).getUint32(0, true);
  return addressScratch.slice(0, Math.min(length, SOCKADDR_MAX));
}

export function setIntOption(fd: number, level: number, option: number, value: number): number {
  new DataView(intValue.buffer).setInt32(0, value, true);
  return libc().setsockopt(fd, level, option, intValue, 4) === 0 ? 0 : -errno();
}

/** Value of an integer option, or a negative errno (none of the options used here is negative). */
export function getIntOption(fd: number, level: number, option: number): number {
  new DataView(intLength.buffer).setUint32(0, 4, true);
  if (libc().getsockopt(fd, level, option, intValue, intLength) !== 0) return -errno();
  return new DataView(intValue.buffer).getInt32(0, true);
}

export function closeSocket(fd: number): void {
  libc().close(fd);
}

/** The system calls a batched sender needs; scripted in tests. */
export interface DatagramCalls {
  setDestination(sockaddr: Uint8Array): void;
  /** One buffer that the kernel cuts into datagrams of `segmentBytes`; bytes sent or -errno. */
  sendSegments(offsetBytes: number, totalBytes: number, segmentBytes: number): number;
  /** `count` datagrams `strideBytes` apart, the last `lastBytes` long; datagrams sent or -errno. */
  sendMany(
    offsetBytes: number,
    strideBytes: number,
    count: number,
    sizeBytes: number,
    lastBytes: number,
  ): number;
  sendOne(offsetBytes: number, sizeBytes: number): number;
  /** Waits until the socket takes more; false after `timeoutMs`. */
  waitWritable(timeoutMs: number): boolean;
  close(): void;
}

/** Sends out of one memory on one descriptor; closing it releases the tables, not the descriptor. */
export class SocketCalls implements DatagramCalls {
  readonly #fd: number;
  readonly #base: number;
  readonly #destination = pin(stableBytes(SOCKADDR_MAX));
  readonly #iovecs: Uint8Array<ArrayBuffer>;
  readonly #headers: Uint8Array<ArrayBuffer>;
  readonly #segmentHeader = pin(stableBytes(MMSGHDR_BYTES));
  readonly #segmentIovec = pin(stableBytes(IOVEC_BYTES));
  readonly #segmentControl = pin(stableBytes(SEGMENT_CMSG_SPACE));
  readonly #iovecWords: Uint32Array;
  readonly #segmentIovecWords: Uint32Array;
  readonly #segmentSize: Uint16Array;
  readonly #memory: SharedArrayBuffer | ArrayBuffer;
  readonly #batch: number;
  #destinationBytes = 0;

  /** @param batch most datagrams of one `sendMany` */
  constructor(fd: number, memory: SharedArrayBuffer | ArrayBuffer, batch: number) {
    this.#fd = fd;
    this.#batch = batch;
    // KEEP: until close; the base address below is only valid while this memory lives.
    this.#memory = pin(memory);
    this.#base = addressOf(memory);
    this.#iovecs = pin(stableBytes(batch * IOVEC_BYTES));
    this.#headers = pin(stableBytes(batch * MMSGHDR_BYTES));
    this.#iovecWords = new Uint32Array(this.#iovecs.buffer);
    this.#segmentIovecWords = new Uint32Array(this.#segmentIovec.buffer);
    this.#segmentSize = new Uint16Array(this.#segmentControl.buffer, 16, 1);
    const name = addressOf(this.#destination);
    for (let index = 0; index < batch; index += 1) {
      const view = new DataView(this.#headers.buffer, index * MMSGHDR_BYTES, MMSGHDR_BYTES);
      writePointer(view, OFFSET_NAME, name);
      writePointer(view, OFFSET_IOVEC, addressOf(this.#iovecs) + index * IOVEC_BYTES);
      writePointer(view, OFFSET_IOVEC_COUNT, 1);
    }
    const header = new DataView(this.#segmentHeader.buffer);
    writePointer(header, OFFSET_NAME, name);
    writePointer(header, OFFSET_IOVEC, addressOf(this.#segmentIovec));
    writePointer(header, OFFSET_IOVEC_COUNT, 1);
    writePointer(header, OFFSET_CONTROL, addressOf(this.#segmentControl));
    writePointer(header, OFFSET_CONTROL_BYTES, SEGMENT_CMSG_SPACE);
    const control = new DataView(this.#segmentControl.buffer);
    writePointer(control, 0, SEGMENT_CMSG_BYTES);
    control.setInt32(8, SOCKET.IPPROTO_UDP, true);
    control.setInt32(12, SOCKET.UDP_SEGMENT, true);
  }

  setDestination(sockaddr: Uint8Array): void {
    this.#destination.fill(0);
    this.#destination.set(sockaddr.subarray(0, SOCKADDR_MAX));
    this.#destinationBytes = Math.min(sockaddr.length, SOCKADDR_MAX);
    for (let index = 0; index < this.#batch; index += 1) {
      const view = new DataView(this.#headers.buffer, index * MMSGHDR_BYTES, MMSGHDR_BYTES);
      view.setUint32(OFFSET_NAME_BYTES, this.#destinationBytes, true);
    }
    const header = new DataView(this.#segmentHeader.buffer);
    header.setUint32(OFFSET_NAME_BYTES, this.#destinationBytes, true);
  }

  sendSegments(offsetBytes: number, totalBytes: number, segmentBytes: number): number {
    const address = this.#base + offsetBytes;
    const words = this.#segmentIovecWords;
    words[0] = address >>> 0;
    words[1] = Math.floor(address / 2 ** 32);
    words[2] = totalBytes;
    this.#segmentSize[0] = segmentBytes;
    const sent = libc().sendmsg(this.#fd, this.#segmentHeader, MSG_DONTWAIT);
    return sent >= 0 ? sent : -errno();
  }

  sendMany(
    offsetBytes: number,
    strideBytes: number,
    count: number,
    sizeBytes: number,
    lastBytes: number,
  ): number {
    const words = this.#iovecWords;
    const taken = Math.min(count, this.#batch);
    for (let index = 0; index < taken; index += 1) {
      const address = this.#base + offsetBytes + index * strideBytes;
      words[index * 4] = address >>> 0;
      words[index * 4 + 1] = Math.floor(address / 2 ** 32);
      words[index * 4 + 2] = index === count - 1 ? lastBytes : sizeBytes;
    }
    const sent = libc().sendmmsg(this.#fd, this.#headers, taken, MSG_DONTWAIT);
    return sent >= 0 ? sent : -errno();
  }

  sendOne(offsetBytes: number, sizeBytes: number): number {
    const address = this.#base + offsetBytes;
    const sent = libc().sendto(
      this.#fd,
      address,
      sizeBytes,
      MSG_DONTWAIT,
      this.#destination,
      this.#destinationBytes,
    );
    return sent >= 0 ? sent : -errno();
  }

  waitWritable(timeoutMs: number): boolean {
    const view = new DataView(pollScratch.buffer);
    view.setInt32(0, this.#fd, true);
    view.setUint32(4, POLLOUT, true);
    return libc().poll(pollScratch, 1, timeoutMs) === 1;
  }

  close(): void {
    for (const memory of [
      this.#memory,
      this.#destination,
      this.#iovecs,
      this.#headers,
      this.#segmentHeader,
      this.#segmentIovec,
      this.#segmentControl,
    ]) {
      unpin(memory);
    }
  }
}

function writePointer(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, Math.floor(value / 2 ** 32), true);
}
