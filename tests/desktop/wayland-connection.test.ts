import { afterEach, describe, expect, test } from 'bun:test';
import { readFileSync, readSync } from 'node:fs';
import type { Socket } from 'node:net';
import { ERRNO, libc } from '../../ffi/libc.ts';
import {
  closeFd,
  connectUnix,
  createSharedMemory,
  mapDescriptor,
  receiveWithFds,
  SystemCallError,
  sendWithFds,
  waitReadable,
} from '../../ffi/libc-fd.ts';
import { pinnedCount, stableBytes } from '../../ffi/pins.ts';
import { WaylandConnection } from '../../src/desktop/wayland/connection.ts';
import { WL_OUTPUT, WL_SHM } from '../../src/desktop/wayland/protocols/core.ts';
import { seededRandom } from '../support/random.ts';
import { eventBytes, FakeCompositor } from './fake-compositor.ts';

function socketPair(): [number, number] {
  const pair = stableBytes(8);
  if (libc().socketpair(1, 1, 0, pair) !== 0) throw new Error('socketpair');
  const view = new DataView(pair.buffer);
  return [view.getInt32(0, true), view.getInt32(4, true)];
}

describe('descriptors over a Unix socket', () => {
  test('a memory descriptor arrives with its bytes and shows the same memory', () => {
    const [left, right] = socketPair();
    const { fd, mapping } = createSharedMemory('test', 4096);
    mapping.bytes.set([1, 2, 3], 100);
    const fds: number[] = [];
    const into = stableBytes(16);

    const sent = sendWithFds(left, stableBytes(8), 0, 8, [fd]);
    const received = receiveWithFds(right, into, 0, 16, fds);
    const arrived = fds[0] ?? -1;
    const seen = mapDescriptor(arrived, 4096, 'private');

    expect([sent, received, fds.length]).toEqual([8, 8, 1]);
    expect(arrived).not.toBe(fd);
    expect([...seen.bytes.subarray(99, 104)]).toEqual([0, 1, 2, 3, 0]);
    const read = new Uint8Array(3);
    expect(readSync(arrived, read, 0, 3, 100)).toBe(3);
    for (const one of [left, right, fd, arrived]) closeFd(one);
    seen.close();
    mapping.close();
  });

  test('28 descriptors fit one message and nothing is lost on the way', () => {
    const [left, right] = socketPair();
    const { fd, mapping } = createSharedMemory('test', 64);
    const fds: number[] = [];

    sendWithFds(left, stableBytes(4), 0, 4, Array(28).fill(fd));
    const received = receiveWithFds(right, stableBytes(4), 0, 4, fds);

    expect(received).toBe(4);
    expect(new Set(fds).size).toBe(28);
    for (const one of [...fds, fd, left, right]) closeFd(one);
    mapping.close();
  });

  test('an empty socket says EAGAIN, a closed one 0, a dead one EPIPE', () => {
    const [left, right] = socketPair();

    expect(receiveWithFds(left, stableBytes(8), 0, 8, [])).toBe(-ERRNO.EAGAIN);
    expect(waitReadable(left, 0)).toBe('timeout');
    closeFd(right);
    expect(waitReadable(left, 0)).toBe('readable');
    expect(receiveWithFds(left, stableBytes(8), 0, 8, [])).toBe(0);
    expect(sendWithFds(left, stableBytes(8), 0, 8, [])).toBe(-ERRNO.EPIPE);
    closeFd(left);
  });

  test('a path that nobody serves is ENOENT, one too long EINVAL', () => {
    expect(() => connectUnix('/nonexistent/wayland-0')).toThrow(SystemCallError);
    expect(() => connectUnix(`/${'x'.repeat(107)}`)).toThrow('EINVAL');
  });

  test('closed shared memory is empty instead of unmapped under its reader', () => {
    const { fd, mapping } = createSharedMemory('test', 8192);
    const late = mapping.bytes.subarray(0, 100);

    mapping.close();
    mapping.close();
    closeFd(fd);

    expect([late.length, late[0], mapping.bytes.length]).toEqual([0, undefined, 0]);
  });

  test('500 mappings leave no memory behind', () => {
    const before = mappedFrames();
    for (let round = 0; round < 500; round += 1) {
      const { fd, mapping } = createSharedMemory('punktfunk-leak', 65_536);
      mapping.bytes[0] = 1;
      mapping.close();
      closeFd(fd);
    }

    expect(mappedFrames()).toBe(before);
  });
});

function mappedFrames(): number {
  return readFileSync('/proc/self/maps', 'utf8').split('punktfunk-leak').length;
}

const SYNC_DONE = eventBytes(3, 0, 'u', [1]);
const REGISTRY_ID = 2;

describe('a Wayland connection', () => {
  let compositor: FakeCompositor | null = null;
  let connection: WaylandConnection | null = null;

  afterEach(() => {
    connection?.close();
    compositor?.close();
  });

  async function connectTo(onConnect: (socket: Socket) => void): Promise<WaylandConnection> {
    compositor = new FakeCompositor(onConnect);
    await compositor.listen();
    connection = new WaylandConnection(compositor.path);
    return connection;
  }

  test('globals are known after the first round trip, also byte by byte', async () => {
    const bytes = [
      ...eventBytes(REGISTRY_ID, 0, 'usu', [5, 'wl_shm', 1]),
      ...eventBytes(REGISTRY_ID, 0, 'usu', [6, 'wl_output', 9]),
      ...SYNC_DONE,
    ];
    const client = await connectTo((socket) => {
      socket.setNoDelay?.(true);
      for (const byte of bytes) socket.write(new Uint8Array([byte]));
    });

    expect(await client.roundtripAsync(2000)).toBe(true);
    expect([...client.globals.values()]).toEqual([
      { name: 5, interface: 'wl_shm', version: 1 },
      { name: 6, interface: 'wl_output', version: 9 },
    ]);
    expect(client.peer?.pid).toBe(process.pid);
  });

  test('a global is bound at the highest version both sides know', async () => {
    const client = await connectTo((socket) => {
      socket.write(eventBytes(REGISTRY_ID, 0, 'usu', [6, 'wl_output', 9]));
      socket.write(SYNC_DONE);
    });
    await client.roundtripAsync(2000);

    expect(client.bindFirst(WL_OUTPUT)?.version).toBe(WL_OUTPUT.version);
    expect(client.bindFirst(WL_SHM)).toBeNull();
  });

  test('a protocol error ends it with the compositor`s words, once', async () => {
    const causes: string[] = [];
    const client = await connectTo((socket) => {
      socket.write(eventBytes(1, 0, 'ous', [3, 2, 'no such thing']));
      socket.write(eventBytes(1, 0, 'ous', [3, 2, 'again']));
    });
    client.onFailure = (cause) => causes.push(cause);

    expect(await client.roundtripAsync(2000)).toBe(false);
    expect(causes).toEqual(['the compositor refused a request: no such thing (object 3, code 2)']);
    expect(client.failure).toBe(causes[0] ?? '');
  });

  test('a compositor that closes is noticed by the poll of the main thread', async () => {
    const client = await connectTo((socket) => {
      setTimeout(() => socket.destroy(), 20);
    });
    const cause = await new Promise<string>((resolve) => {
      client.onFailure = resolve;
      client.keepReading(10);
    });

    expect(cause).toContain('the compositor is gone');
  });

  test('one that never answers lets a round trip end after its time', async () => {
    const client = await connectTo(() => {});
    const started = performance.now();

    expect(await client.roundtripAsync(50)).toBe(false);
    expect(client.roundtrip(50)).toBe(false);
    expect(performance.now() - started).toBeLessThan(2000);
    expect(client.failure).toBeNull();
  });

  test('requests after the end are ignored and their descriptors closed', async () => {
    const client = await connectTo((socket) => {
      socket.write(eventBytes(REGISTRY_ID, 0, 'usu', [5, 'wl_shm', 1]));
      socket.write(SYNC_DONE);
    });
    await client.roundtripAsync(2000);
    const shm = client.bindFirst(WL_SHM);
    if (!shm) throw new Error('no wl_shm');
    const { fd, mapping } = createSharedMemory('test', 64);
    client.close();

    client.request(shm, 'create_pool', 77, fd, 64);

    expect(libc().fcntl(fd, 1, 0)).toBe(-1);
    mapping.close();
  });

  test.each([
    ['a size of 4', [3, 0, 0, 0, 0, 0, 4, 0]],
    ['a size that is no multiple of 4', [3, 0, 0, 0, 0, 0, 9, 0, 0]],
    ['a done without its number', [3, 0, 0, 0, 0, 0, 8, 0]],
    ['an endless name', [2, 0, 0, 0, 0, 0, 20, 0, 1, 0, 0, 0, 255, 255, 255, 127, 0, 0, 0, 0]],
  ])('%s ends it with a reason', async (_, bytes) => {
    const client = await connectTo((socket) => {
      socket.write(new Uint8Array(bytes));
    });

    expect(await client.roundtripAsync(2000)).toBe(false);
    expect(client.failure).toMatch(/the compositor sent/);
  });

  test('more globals than any desktop has end it', async () => {
    const client = await connectTo((socket) => {
      for (let name = 0; name < 1100; name += 1) {
        socket.write(eventBytes(REGISTRY_ID, 0, 'usu', [name + 1, 'x', 1]));
      }
    });

    expect(await client.roundtripAsync(2000)).toBe(false);
    expect(client.failure).toContain('globals');
  });

  test('300 connections to a compositor of random bytes end or wait, and leave nothing pinned', async () => {
    const random = seededRandom('random compositor');
    const pinned = pinnedCount();
    compositor = new FakeCompositor((socket) => {
      const bytes = random.bytes(random.int(0, 400));
      // Mostly plausible ids, opcodes and sizes, so that arguments are read as well.
      for (let at = 0; at + 8 <= bytes.length; at += 24) {
        bytes.set([random.int(1, 3), 0, 0, 0, random.int(0, 1), 0, 24, 0], at);
      }
      socket.end(bytes);
    });
    await compositor.listen();
    for (let round = 0; round < 300; round += 1) {
      const client = new WaylandConnection(compositor.path);
      await client.roundtripAsync(200);
      client.close();
    }

    expect(pinnedCount()).toBe(pinned);
  });
});
