/**
 * File descriptors over Unix sockets, anonymous shared memory and readiness: what Bun's own sockets
 * cannot do. Layouts are those of Linux on 64-bit machines (struct msghdr 56 bytes, cmsghdr 16,
 * pollfd 8), see sendmsg(2), unix(7), cmsg(3), poll(2), memfd_create(2).
 */
import { toArrayBuffer } from 'bun:ffi';
import { addressOf, ERRNO, errno, errnoName, libc } from './libc.ts';
import { cString } from './loader.ts';
import { pin, stableBytes } from './pins.ts';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x8;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const MFD_CLOEXEC = 1;
const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const POLLIN = 1;
const POLLOUT = 4;
const POLL_GONE = 0x8 | 0x10 | 0x20; // POLLERR | POLLHUP | POLLNVAL

/** Most descriptors that may travel in one message: what libwayland itself sends and accepts. */
export const FDS_PER_MESSAGE_MAX = 28;
const CMSG_HEADER_BYTES = 16;
const CONTROL_BYTES = CMSG_HEADER_BYTES + FDS_PER_MESSAGE_MAX * 4;
/** sun_path holds 108 bytes with its terminating zero (unix(7)). */
const SUN_PATH_BYTES = 108;

// KEEP: module-level, one set per thread; the kernel reads them during the call only.
const header = pin(stableBytes(56));
const headerView = new DataView(header.buffer);
const vector = pin(stableBytes(16));
const vectorView = new DataView(vector.buffer);
const control = pin(stableBytes(CONTROL_BYTES));
const controlView = new DataView(control.buffer);
const pollEntry = pin(stableBytes(8));
const pollView = new DataView(pollEntry.buffer);

/** A refused system call. `code` is the errno value. */
export class SystemCallError extends Error {
  readonly code: number;
  constructor(call: string, code: number) {
    super(`${call}: ${errnoName(code)}`);
    this.name = 'SystemCallError';
    this.code = code;
  }
}

/** Connects a stream socket to an absolute path; throws {@link SystemCallError}. */
export function connectUnix(path: string): number {
  const name = new TextEncoder().encode(path);
  if (name.length >= SUN_PATH_BYTES) throw new SystemCallError(`connect ${path}`, ERRNO.EINVAL);
  const address = stableBytes(2 + SUN_PATH_BYTES);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(name, 2);
  const fd = libc().socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new SystemCallError('socket', errno());
  if (libc().connect(fd, address, address.length) !== 0) {
    const code = errno();
    libc().close(fd);
    throw new SystemCallError(`connect ${path}`, code);
  }
  return fd;
}

/** Process and user behind a connected Unix socket, or null when the kernel does not say. */
export function unixPeer(fd: number): { readonly pid: number; readonly uid: number } | null {
  const credentials = stableBytes(12);
  const length = stableBytes(4);
  const lengthView = new DataView(length.buffer);
  lengthView.setUint32(0, credentials.length, true);
  if (libc().getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length) !== 0) return null;
  const view = new DataView(credentials.buffer);
  return { pid: view.getInt32(0, true), uid: view.getUint32(4, true) };
}

/**
 * Sends bytes `startBytes`…`endBytes` with `fds` attached to the first of them. Never blocks.
 *
 * @returns bytes taken, or minus errno (`-EAGAIN`: the peer does not read)
 */
export function sendWithFds(
  fd: number,
  bytes: Uint8Array,
  startBytes: number,
  endBytes: number,
  fds: readonly number[],
): number {
  prepareMessage(bytes, startBytes, endBytes);
  const count = Math.min(fds.length, FDS_PER_MESSAGE_MAX);
  if (count > 0) {
    const length = CMSG_HEADER_BYTES + count * 4;
    setWord64(controlView, 0, length);
    controlView.setInt32(8, SOL_SOCKET, true);
    controlView.setInt32(12, SCM_RIGHTS, true);
    for (let index = 0; index < count; index += 1) {
      controlView.setInt32(CMSG_HEADER_BYTES + index * 4, fds[index] ?? -1, true);
    }
    setWord64(headerView, 32, addressOf(control));
    setWord64(headerView, 40, length);
  } else {
    setWord64(headerView, 32, 0);
    setWord64(headerView, 40, 0);
  }
  const sent = libc().sendmsg(fd, header, MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent < 0 ? -errno() : sent;
}

/**
 * Receives into bytes `startBytes`…`endBytes`; descriptors that came along are appended to `fds`,
 * close-on-exec, and belong to the caller. Never blocks.
 *
 * @returns bytes received, 0 when the peer closed, or minus errno (`-EAGAIN`: nothing there,
 * `-EMSGSIZE`: more descriptors came than a peer may send)
 */
export function receiveWithFds(
  fd: number,
  bytes: Uint8Array,
  startBytes: number,
  endBytes: number,
  fds: number[],
): number {
  prepareMessage(bytes, startBytes, endBytes);
  setWord64(headerView, 32, addressOf(control));
  setWord64(headerView, 40, CONTROL_BYTES);
  headerView.setInt32(48, 0, true);
  const received = libc().recvmsg(fd, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (received < 0) return -errno();
  const controlBytes = Math.min(headerView.getUint32(40, true), CONTROL_BYTES);
  for (let at = 0; at + CMSG_HEADER_BYTES <= controlBytes; ) {
    const length = controlView.getUint32(at, true);
    if (length < CMSG_HEADER_BYTES || at + length > controlBytes) break;
    const isRights =
      controlView.getInt32(at + 8, true) === SOL_SOCKET &&
      controlView.getInt32(at + 12, true) === SCM_RIGHTS;
    for (let item = at + CMSG_HEADER_BYTES; isRights && item + 4 <= at + length; item += 4) {
      fds.push(controlView.getInt32(item, true));
    }
    at += (length + 7) & ~7;
  }
  return (headerView.getInt32(48, true) & MSG_CTRUNC) !== 0 ? -ERRNO.EMSGSIZE : received;
}

/** Waits at most `timeoutMs` until `fd` can be read. `gone` only when nothing is left to read. */
export function waitReadable(fd: number, timeoutMs: number): 'readable' | 'timeout' | 'gone' {
  const events = pollOne(fd, POLLIN, timeoutMs);
  if ((events & POLLIN) !== 0) return 'readable';
  return (events & POLL_GONE) !== 0 ? 'gone' : 'timeout';
}

/** Waits at most `timeoutMs` until `fd` takes bytes again; false on timeout or a lost peer. */
export function waitWritable(fd: number, timeoutMs: number): boolean {
  return (pollOne(fd, POLLOUT, timeoutMs) & POLLOUT) !== 0;
}

/** Closes a descriptor that this process owns. */
export function closeFd(fd: number): void {
  libc().close(fd);
}

/** A mapping of shared memory. `bytes` becomes empty when it is closed, so late readers read nothing. */
export class SharedMapping {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #address: number;
  readonly #sizeBytes: number;
  #isOpen = true;

  constructor(address: number, sizeBytes: number) {
    this.#address = address;
    this.#sizeBytes = sizeBytes;
    this.bytes = new Uint8Array(toArrayBuffer(address as never, 0, sizeBytes) as ArrayBuffer);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    // Detaching first turns a use after close into an empty view instead of a fault.
    this.bytes.buffer.transfer(0);
    libc().munmap(this.#address, this.#sizeBytes);
  }
}

/** Anonymous shared memory with its descriptor, e.g. for a Wayland buffer. The caller closes both. */
export function createSharedMemory(
  name: string,
  sizeBytes: number,
): { readonly fd: number; readonly mapping: SharedMapping } {
  const fd = libc().memfd_create(cString(name), MFD_CLOEXEC);
  if (fd < 0) throw new SystemCallError('memfd_create', errno());
  try {
    if (libc().ftruncate(fd, sizeBytes) !== 0) throw new SystemCallError('ftruncate', errno());
    return { fd, mapping: mapDescriptor(fd, sizeBytes, 'shared') };
  } catch (error) {
    libc().close(fd);
    throw error;
  }
}

/** Maps `sizeBytes` of a descriptor: `shared` to write, `private` to read what a peer handed over. */
export function mapDescriptor(
  fd: number,
  sizeBytes: number,
  kind: 'shared' | 'private',
): SharedMapping {
  const protection = kind === 'shared' ? PROT_READ | PROT_WRITE : PROT_READ;
  const flags = kind === 'shared' ? MAP_SHARED : MAP_PRIVATE;
  const address = libc().mmap(null, sizeBytes, protection, flags, fd, 0);
  if (address <= 0) throw new SystemCallError('mmap', errno());
  return new SharedMapping(address, sizeBytes);
}

function prepareMessage(bytes: Uint8Array, startBytes: number, endBytes: number): void {
  if (startBytes < 0 || endBytes > bytes.length || startBytes >= endBytes) {
    throw new RangeError(`bytes ${startBytes}…${endBytes} of ${bytes.length}`);
  }
  setWord64(vectorView, 0, addressOf(bytes, startBytes));
  setWord64(vectorView, 8, endBytes - startBytes);
  setWord64(headerView, 16, addressOf(vector));
  setWord64(headerView, 24, 1);
}

function pollOne(fd: number, events: number, timeoutMs: number): number {
  pollView.setInt32(0, fd, true);
  pollView.setInt16(4, events, true);
  pollView.setInt16(6, 0, true);
  const ready = libc().poll(pollEntry, 1, Math.max(0, Math.ceil(timeoutMs)));
  return ready > 0 ? pollView.getInt16(6, true) : 0;
}

function setWord64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, Math.floor(value / 2 ** 32), true);
}
