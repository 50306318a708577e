import { describe, expect, test } from 'bun:test';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { ConnectionDoor } from '../../src/net/connection-door.ts';

class ScriptedSocket extends EventEmitter {
  destroyed = false;
  readonly remoteAddress: string;

  constructor(remoteAddress: string) {
    super();
    this.remoteAddress = remoteAddress;
  }

  destroy(): this {
    if (!this.destroyed) queueMicrotask(() => this.emit('close'));
    this.destroyed = true;
    return this;
  }
}

function connect(door: ConnectionDoor, address: string): Socket {
  const socket = new ScriptedSocket(address) as unknown as Socket;
  door.admit(socket);
  return socket;
}

function connectMany(door: ConnectionDoor, address: string, count: number): Socket[] {
  return Array.from({ length: count }, () => connect(door, address));
}

function openOf(sockets: readonly Socket[]): boolean[] {
  return sockets.map((socket) => !socket.destroyed);
}

const LIMITS = { requestMs: 60_000, connectionsPerAddress: 4, connections: 8 };

describe('one address', () => {
  test('that opens one connection too many loses its oldest idle one', () => {
    const door = new ConnectionDoor(LIMITS);
    const sockets = connectMany(door, '10.0.0.1', 4);

    const next = connect(door, '10.0.0.1');

    expect(openOf(sockets)).toEqual([false, true, true, true]);
    expect(next.destroyed).toBe(false);
    expect(door.openCount).toBe(4);
    expect(door.refusedCount).toBe(1);
    door.destroyAll();
  });

  test('keeps the connections that wait for our answer, and is refused when all do', () => {
    const door = new ConnectionDoor(LIMITS);
    const sockets = connectMany(door, '10.0.0.1', 4);
    for (const socket of sockets) door.answering(socket, 60_000);

    expect(connect(door, '10.0.0.1').destroyed).toBe(true);
    expect(openOf(sockets)).toEqual([true, true, true, true]);

    door.waiting(sockets[2] as Socket, 60_000);
    expect(connect(door, '10.0.0.1').destroyed).toBe(false);
    expect(openOf(sockets)).toEqual([true, true, false, true]);
    door.destroyAll();
  });

  test('is the same one when its IPv4 address is written inside IPv6', () => {
    const door = new ConnectionDoor(LIMITS);
    const first = connect(door, '::ffff:10.0.0.1');
    connectMany(door, '10.0.0.1', 4);

    expect(first.destroyed).toBe(true);
    door.destroyAll();
  });
});

describe('a full house', () => {
  test('makes room for a newcomer at the cost of the address that holds the most', () => {
    const door = new ConnectionDoor(LIMITS);
    const modest = connectMany(door, '10.0.0.1', 1);
    const greedy = connectMany(door, '10.0.0.2', 4);
    const other = connectMany(door, '10.0.0.3', 3);

    const newcomer = connect(door, '10.0.0.4');

    expect(newcomer.destroyed).toBe(false);
    expect(openOf(modest)).toEqual([true]);
    expect(openOf(greedy)).toEqual([false, true, true, true]);
    expect(openOf(other)).toEqual([true, true, true]);
    door.destroyAll();
  });

  test('refuses who holds as many as everybody else', () => {
    const door = new ConnectionDoor(LIMITS);
    for (const last of [1, 2, 3, 4]) connectMany(door, `10.0.0.${last}`, 2);

    expect(connect(door, '10.0.0.1').destroyed).toBe(true);
    expect(connect(door, '10.0.0.9').destroyed).toBe(false);
    expect(door.openCount).toBe(8);
    door.destroyAll();
  });

  test('of connections that all wait for our answer takes nobody in', () => {
    const door = new ConnectionDoor(LIMITS);
    for (const last of [1, 2]) {
      for (const socket of connectMany(door, `10.0.0.${last}`, 4)) door.answering(socket, 60_000);
    }

    expect(connect(door, '10.0.0.9').destroyed).toBe(true);
    door.destroyAll();
  });

  test('is empty again when all are gone, whatever order they came and went in', async () => {
    const door = new ConnectionDoor(LIMITS);
    for (let round = 0; round < 500; round += 1) {
      const socket = connect(door, `10.0.0.${round % 13}`);
      if (round % 3 === 0) door.answering(socket, 60_000);
      if (round % 5 === 0) socket.destroy();
      expect(door.openCount).toBeLessThanOrEqual(8);
      await Promise.resolve();
    }

    door.destroyAll();
    await Bun.sleep(0);

    expect(door.openCount).toBe(0);
    const fresh = connectMany(door, '10.0.0.1', 4);
    expect(openOf(fresh)).toEqual([true, true, true, true]);
    door.destroyAll();
  });
});

describe('a connection', () => {
  test('that never makes a request is ended in time', async () => {
    const door = new ConnectionDoor({ ...LIMITS, requestMs: 20 });
    const silent = connect(door, '10.0.0.1');
    const asking = connect(door, '10.0.0.2');
    door.answering(asking, 60_000);

    await Bun.sleep(60);

    expect(silent.destroyed).toBe(true);
    expect(asking.destroyed).toBe(false);
    door.destroyAll();
  });

  test('has the time it was given last', async () => {
    const door = new ConnectionDoor({ ...LIMITS, requestMs: 20 });
    const socket = connect(door, '10.0.0.1');
    door.answering(socket, 60_000);
    door.waiting(socket, 20);

    await Bun.sleep(60);

    expect(socket.destroyed).toBe(true);
  });
});
