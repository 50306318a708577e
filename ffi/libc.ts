/**
 * libc: the calls the host makes directly. Every thread binds its own copy, because the address of
 * `errno` belongs to the thread.
 */
import { ptr, read } from 'bun:ffi';
import { bindLibc, type NativeDeclaration, type NativeSymbols } from './loader.ts';

const SYMBOLS = {
  // int *__errno_location(void);
  __errno_location: { args: [], returns: 'ptr' },
  // int socket(int domain, int type, int protocol);
  socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  // int socketpair(int domain, int type, int protocol, int sv[2]);
  socketpair: { args: ['i32', 'i32', 'i32', 'ptr'], returns: 'i32' },
  // int bind(int fd, const struct sockaddr *addr, socklen_t len);
  bind: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
  connect: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
  getsockname: { args: ['i32', 'ptr', 'ptr'], returns: 'i32' },
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
  getsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'ptr'], returns: 'i32' },
  // ssize_t send(int fd, const void *buf, size_t len, int flags);
  send: { args: ['i32', 'ptr', 'usize', 'i32'], returns: 'i64_fast' },
  sendto: { args: ['i32', 'ptr', 'usize', 'i32', 'ptr', 'u32'], returns: 'i64_fast' },
  sendmsg: { args: ['i32', 'ptr', 'i32'], returns: 'i64_fast' },
  recvmsg: { args: ['i32', 'ptr', 'i32'], returns: 'i64_fast' },
  // int sendmmsg(int fd, struct mmsghdr *msgvec, unsigned int vlen, int flags);
  sendmmsg: { args: ['i32', 'ptr', 'u32', 'i32'], returns: 'i32' },
  recvmmsg: { args: ['i32', 'ptr', 'u32', 'i32', 'ptr'], returns: 'i32' },
  recv: { args: ['i32', 'ptr', 'usize', 'i32'], returns: 'i64_fast' },
  read: { args: ['i32', 'ptr', 'usize'], returns: 'i64_fast' },
  write: { args: ['i32', 'ptr', 'usize'], returns: 'i64_fast' },
  close: { args: ['i32'], returns: 'i32' },
  dup: { args: ['i32'], returns: 'i32' },
  // int poll(struct pollfd *fds, nfds_t nfds, int timeout);
  poll: { args: ['ptr', 'usize', 'i32'], returns: 'i32' },
  fcntl: { args: ['i32', 'i32', 'i64'], returns: 'i32' },
  // int flock(int fd, int operation);
  flock: { args: ['i32', 'i32'], returns: 'i32' },
  // int clock_gettime(clockid_t id, struct timespec *ts);
  clock_gettime: { args: ['i32', 'ptr'], returns: 'i32' },
  // int clock_nanosleep(clockid_t id, int flags, const struct timespec *t, struct timespec *rem);
  clock_nanosleep: { args: ['i32', 'i32', 'ptr', 'ptr'], returns: 'i32' },
  // int prctl(int option, unsigned long arg2, ...);
  prctl: { args: ['i32', 'u64', 'u64', 'u64', 'u64'], returns: 'i32' },
  gettid: { args: [], returns: 'i32' },
  // int setpriority(int which, id_t who, int prio);
  setpriority: { args: ['i32', 'u32', 'i32'], returns: 'i32' },
  // int memfd_create(const char *name, unsigned int flags);
  memfd_create: { args: ['ptr', 'u32'], returns: 'i32' },
  ftruncate: { args: ['i32', 'i64'], returns: 'i32' },
  // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
  mmap: { args: ['ptr', 'usize', 'i32', 'i32', 'i32', 'i64'], returns: 'i64_fast' },
  munmap: { args: ['u64', 'usize'], returns: 'i32' },
  // void *memcpy(void *dest, const void *src, size_t n); addresses or memory, never overlapping.
  memcpy: { args: ['ptr', 'ptr', 'usize'], returns: 'ptr' },
  // int eventfd(unsigned int initval, int flags);
  eventfd: { args: ['u32', 'i32'], returns: 'i32' },
  geteuid: { args: [], returns: 'u32' },
  kill: { args: ['i32', 'i32'], returns: 'i32' },
} as const satisfies Record<string, NativeDeclaration>;

type Libc = NativeSymbols<typeof SYMBOLS>;
let bound: Libc | undefined;
let errnoAddress = 0;

/** The libc of this process. */
export function libc(): Libc {
  bound ??= bindLibc(SYMBOLS);
  return bound;
}

/** `errno` of this thread; read it directly after the failing call. */
export function errno(): number {
  if (errnoAddress === 0) errnoAddress = Number(libc().__errno_location());
  return read.i32(errnoAddress as never, 0);
}

/** errno values the host tells apart (asm-generic/errno.h). */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EINVAL: 22,
  EPIPE: 32,
  EMSGSIZE: 90,
  ENOPROTOOPT: 92,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETUNREACH: 101,
  ECONNRESET: 104,
  ENOBUFS: 105,
  ECONNREFUSED: 111,
  EHOSTUNREACH: 113,
} as const;

/** Name of an errno value for messages, e.g. `ECONNREFUSED`. */
export function errnoName(value: number): string {
  for (const [name, code] of Object.entries(ERRNO)) if (code === value) return name;
  return `errno ${value}`;
}

/** Address of `bytes`; the caller keeps `bytes` alive (see ffi/pins.ts). */
export function addressOf(bytes: ArrayBufferView | ArrayBufferLike, offsetBytes = 0): number {
  return Number(ptr(bytes as never)) + offsetBytes;
}
