/**
 * UDP sockets of the media planes: created and tuned here, so that one descriptor can be polled by
 * the runtime for receiving and used by a worker for batched sending.
 */
import { ERRNO, errnoName } from '../../ffi/libc.ts';
import {
  bindSocket,
  boundSocketAddress,
  closeSocket,
  createUdpSocket,
  getIntOption,
  SOCKET,
  setIntOption,
} from '../../ffi/libc-socket.ts';
import { type AddressFamily, packSocketAddress, unpackSocketAddress } from './socket-address.ts';

/** Room for a frame of several megabytes to wait for the network card. */
const SEND_BUFFER_BYTES = 4 * 1024 * 1024;

export interface UdpSocketRequest {
  /** `::` listens on IPv6 and IPv4; IPv4 text makes an IPv4 socket. */
  readonly bindAddress: string;
  /** 0: the system chooses. */
  readonly port: number;
  /** Differentiated services code point, 0…63; 0 leaves datagrams untagged. */
  readonly dscp?: number;
  readonly sendBufferBytes?: number;
}

export interface UdpSocket {
  readonly fd: number;
  readonly family: AddressFamily;
  readonly port: number;
  /** What the system granted (it counts its own overhead, so more than asked is normal). */
  readonly sendBufferBytes: number;
  close(): void;
}

/** Why a socket could not be had; `text` is a sentence for the operator. */
export class UdpSocketError extends Error {
  readonly errno: number;
  constructor(text: string, errno: number) {
    super(text);
    this.name = 'UdpSocketError';
    this.errno = errno;
  }
}

/** Opens and binds a socket that never fragments. Throws {@link UdpSocketError}. */
export function openUdpSocket(request: UdpSocketRequest): UdpSocket {
  const { bindAddress, port } = request;
  const family: AddressFamily = bindAddress.includes(':') ? 'ipv6' : 'ipv4';
  const address = packSocketAddress(bindAddress, port, family);
  if (!address) {
    throw new UdpSocketError(
      `cannot bind UDP to ${bindAddress} port ${port}: not an IPv4 or IPv6 address with a port`,
      ERRNO.EINVAL,
    );
  }
  const isIpv6 = family === 'ipv6';
  const fd = createUdpSocket(isIpv6 ? SOCKET.AF_INET6 : SOCKET.AF_INET);
  if (fd < 0) throw new UdpSocketError(refusal(request, -fd), -fd);
  if (isIpv6) setIntOption(fd, SOCKET.IPPROTO_IPV6, SOCKET.IPV6_V6ONLY, 0);
  const bound = bindSocket(fd, address);
  if (bound < 0) {
    closeSocket(fd);
    throw new UdpSocketError(refusal(request, -bound), -bound);
  }
  forbidFragments(fd, isIpv6);
  tagTraffic(fd, isIpv6, request.dscp ?? 0);
  growSendBuffer(fd, request.sendBufferBytes ?? SEND_BUFFER_BYTES);
  const local = boundSocketAddress(fd);
  return {
    fd,
    family,
    port: (local && unpackSocketAddress(local)?.port) ?? port,
    sendBufferBytes: Math.max(0, getIntOption(fd, SOCKET.SOL_SOCKET, SOCKET.SO_SNDBUF)),
    close: () => closeSocket(fd),
  };
}

/** Tags what leaves through `fd` with a code point; 0 takes the tag away. */
export function tagTraffic(fd: number, isIpv6: boolean, dscp: number): void {
  const value = (dscp & 63) << 2;
  // A dual-stack socket takes the IPv4 option for its mapped peers; a pure one refuses it, unharmed.
  setIntOption(fd, SOCKET.IPPROTO_IP, SOCKET.IP_TOS, value);
  if (isIpv6) setIntOption(fd, SOCKET.IPPROTO_IPV6, SOCKET.IPV6_TCLASS, value);
}

function forbidFragments(fd: number, isIpv6: boolean): void {
  setIntOption(fd, SOCKET.IPPROTO_IP, SOCKET.IP_MTU_DISCOVER, SOCKET.PMTUDISC_DO);
  if (isIpv6) {
    setIntOption(fd, SOCKET.IPPROTO_IPV6, SOCKET.IPV6_MTU_DISCOVER, SOCKET.PMTUDISC_DO);
  }
}

function growSendBuffer(fd: number, bytes: number): void {
  // Only a privileged process may pass the system's limit; others get what the limit allows.
  if (setIntOption(fd, SOCKET.SOL_SOCKET, SOCKET.SO_SNDBUFFORCE, bytes) < 0) {
    setIntOption(fd, SOCKET.SOL_SOCKET, SOCKET.SO_SNDBUF, bytes);
  }
}

function refusal(request: UdpSocketRequest, errno: number): string {
  const where = `UDP port ${request.port} on ${request.bindAddress}`;
  if (errno === ERRNO.EADDRINUSE) {
    return `${where} is in use by another program: stop it or choose another --port-base`;
  }
  if (errno === ERRNO.EACCES || errno === ERRNO.EPERM) {
    return `${where} may not be bound by this user: choose a --port-base above 1024`;
  }
  return `${where} cannot be bound (${errnoName(errno)}): check that the address is this machine's`;
}
