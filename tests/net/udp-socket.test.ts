import { afterEach, describe, expect, test } from 'bun:test';
import { getIntOption, SOCKET } from '../../ffi/libc-socket.ts';
import { canSegment, openDatagramSender } from '../../src/net/datagram-sender.ts';
import { packSocketAddress } from '../../src/net/socket-address.ts';
import {
  openUdpSocket,
  tagTraffic,
  type UdpSocket,
  type UdpSocketError,
} from '../../src/net/udp-socket.ts';

const open: UdpSocket[] = [];
const socketOn = (bindAddress: string, port = 0, dscp = 0) => {
  const socket = openUdpSocket({ bindAddress, port, dscp });
  open.push(socket);
  return socket;
};
const hasIpv6 = (() => {
  try {
    openUdpSocket({ bindAddress: '::1', port: 0 }).close();
    return true;
  } catch {
    return false;
  }
})();

if (!hasIpv6) console.log('skipped: IPv6: this machine has no ::1');

afterEach(() => {
  for (const socket of open.splice(0)) socket.close();
});

describe('a media socket', () => {
  test('is bound to a port the system chose, tagged, and never fragments', () => {
    const { fd, port, family } = socketOn('127.0.0.1', 0, 40);

    expect(port).toBeGreaterThan(0);
    expect(family).toBe('ipv4');
    expect(getIntOption(fd, SOCKET.IPPROTO_IP, SOCKET.IP_TOS)).toBe(160);
    expect(getIntOption(fd, SOCKET.IPPROTO_IP, SOCKET.IP_MTU_DISCOVER)).toBe(SOCKET.PMTUDISC_DO);
  });

  test('loses its tag with code point 0', () => {
    const { fd } = socketOn('127.0.0.1', 0, 40);

    tagTraffic(fd, false, 0);

    expect(getIntOption(fd, SOCKET.IPPROTO_IP, SOCKET.IP_TOS)).toBe(0);
  });

  test.skipIf(!hasIpv6)('on :: serves both families and tags both', () => {
    const { fd, family } = socketOn('::', 0, 40);

    expect(family).toBe('ipv6');
    expect(getIntOption(fd, SOCKET.IPPROTO_IPV6, SOCKET.IPV6_V6ONLY)).toBe(0);
    expect(getIntOption(fd, SOCKET.IPPROTO_IPV6, SOCKET.IPV6_TCLASS)).toBe(160);
    expect(getIntOption(fd, SOCKET.IPPROTO_IP, SOCKET.IP_TOS)).toBe(160);
  });

  test('has a send buffer of at least the system default', () => {
    expect(socketOn('127.0.0.1').sendBufferBytes).toBeGreaterThanOrEqual(212_992);
  });
});

describe('a socket that cannot be had', () => {
  const refusalOf = (bindAddress: string, port: number): UdpSocketError => {
    try {
      socketOn(bindAddress, port);
    } catch (error) {
      return error as UdpSocketError;
    }
    throw new Error('the socket was opened');
  };

  test('because the port is in use names the port and the way out', () => {
    const { port } = socketOn('127.0.0.1');

    expect(refusalOf('127.0.0.1', port).message).toBe(
      `UDP port ${port} on 127.0.0.1 is in use by another program: stop it or choose another --port-base`,
    );
  });

  test('because the address is not this machine says so', () => {
    expect(refusalOf('203.0.113.7', 0).message).toContain(
      "check that the address is this machine's",
    );
  });

  test('because the address is no address says so', () => {
    expect(refusalOf('elsewhere', 47998).message).toContain('not an IPv4 or IPv6 address');
  });
});

describe('sending on a real socket', () => {
  const received: Uint8Array[] = [];

  async function sendOn(segmentationOffload: boolean, bindAddress: string, toAddress: string) {
    received.length = 0;
    const input = await Bun.udpSocket({
      hostname: toAddress,
      socket: {
        data: (_, data) => {
          received.push(new Uint8Array(data));
        },
      },
    });
    const output = socketOn(bindAddress);
    const memory = new SharedArrayBuffer(100 * 512);
    const bytes = new Uint8Array(memory);
    bytes.forEach((_, index) => {
      bytes[index] = (index * 7) ^ (index >> 9);
    });
    const slots = { memory, offsetBytes: 512, slotBytes: 512 };
    const sender = openDatagramSender(output.fd, slots, segmentationOffload);
    sender.setDestination(
      packSocketAddress(toAddress, input.port, output.family) ?? new Uint8Array(),
    );

    const sent = sender.send(1, 70, 512, 100);

    for (let wait = 0; wait < 100 && received.length < 70; wait += 1) await Bun.sleep(2);
    const { rung } = sender;
    sender.close();
    input.close();
    const expected = Array.from({ length: 70 }, (_, index) =>
      bytes.slice(1024 + index * 512, 1024 + index * 512 + (index === 69 ? 100 : 512)),
    );
    return { sent, rung, expected };
  }

  const probe = openUdpSocket({ bindAddress: '127.0.0.1', port: 0 });
  const kernelSegments = canSegment(probe.fd);
  probe.close();
  if (!kernelSegments) console.log('skipped: segmentation: the kernel is older than 4.18');

  test.skipIf(!kernelSegments)('70 datagrams arrive in order by segmentation offload', async () => {
    const { sent, rung, expected } = await sendOn(true, '127.0.0.1', '127.0.0.1');

    expect({ sent, rung }).toEqual({ sent: 70, rung: 'gso' });
    expect(received).toEqual(expected);
  });

  test('70 datagrams arrive in order by batches when segmentation is switched off', async () => {
    const { sent, rung, expected } = await sendOn(false, '127.0.0.1', '127.0.0.1');

    expect({ sent, rung }).toEqual({ sent: 70, rung: 'sendmmsg' });
    expect(received).toEqual(expected);
  });

  test.skipIf(!hasIpv6)('70 datagrams arrive over IPv6', async () => {
    const { sent, expected } = await sendOn(true, '::', '::1');

    expect(sent).toBe(70);
    expect(received).toEqual(expected);
  });

  test('a socket that the runtime also polls survives a closed port and goes on sending', async () => {
    const output = socketOn('127.0.0.1');
    const closed = socketOn('127.0.0.1');
    const closedPort = closed.port;
    closed.close();
    open.splice(open.indexOf(closed), 1);
    // The published types leave out `fd`, which the runtime takes.
    const listener = await Bun.udpSocket({
      fd: output.fd,
      socket: {
        data: () => {},
        error: () => {},
      },
    } as never);
    let received = 0;
    const input = await Bun.udpSocket({
      hostname: '127.0.0.1',
      socket: {
        data: () => {
          received += 1;
        },
      },
    });
    const memory = new SharedArrayBuffer(64 * 100);
    const sender = openDatagramSender(output.fd, { memory, offsetBytes: 0, slotBytes: 100 }, true);
    const aim = (port: number) =>
      sender.setDestination(packSocketAddress('127.0.0.1', port, 'ipv4') ?? new Uint8Array());

    aim(closedPort);
    for (let round = 0; round < 10; round += 1) {
      sender.send(0, 10, 100);
      await Bun.sleep(1);
    }
    aim(input.port);
    expect(sender.send(0, 10, 100)).toBe(10);

    for (let wait = 0; wait < 100 && received < 10; wait += 1) await Bun.sleep(2);
    expect(received).toBe(10);
    sender.close();
    input.close();
    (listener as { close(): void }).close();
    open.splice(open.indexOf(output), 1);
  });
});
