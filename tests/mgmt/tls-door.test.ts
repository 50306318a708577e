import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { openTlsDoor, type TlsDoor } from '../../src/mgmt/tls-door.ts';
import { makeIdentity } from './identity-fixture.ts';

const TIMES = { headerMs: 150, answerMs: 400, idleMs: 150 };
const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\n';

let dir = '';
let door: TlsDoor;
let answerAfterMs = 0;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'pf-tls-door-'));
  const { certificatePem, privateKeyPem } = makeIdentity(dir, 'host');
  door = await openTlsDoor(
    {
      certificatePem,
      privateKeyPem,
      bind: '127.0.0.1',
      port: 0,
      respond: async () => {
        await Bun.sleep(answerAfterMs);
        return new Response('{}');
      },
    },
    TIMES,
  );
});
afterAll(async () => {
  await door.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Resolves with what came and how long the door kept the connection. */
function watch(socket: Socket, say: (socket: Socket) => void): Promise<[string, number]> {
  const startedAtMs = performance.now();
  let answer = '';
  return new Promise((resolve) => {
    const end = (): void => resolve([answer, performance.now() - startedAtMs]);
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('end', () => socket.destroy());
    socket.on('close', end);
    say(socket);
  });
}

function overTcp(say: (socket: Socket) => void): Promise<[string, number]> {
  return watch(connectTcp({ host: '127.0.0.1', port: door.port }), say);
}

function overTls(say: (socket: Socket) => void): Promise<[string, number]> {
  const target = { host: '127.0.0.1', port: door.port, rejectUnauthorized: false };
  return watch(
    connectTls(target, function (this: Socket) {
      say(this);
    }) as Socket,
    () => {},
  );
}

function drip(piece: string): (socket: Socket) => void {
  return (socket) => {
    const timer = setInterval(() => socket.write(piece), 20);
    socket.on('close', () => clearInterval(timer));
  };
}

describe('a connection is ended in time', () => {
  test('without a byte', async () => {
    const [, heldMs] = await overTcp(() => {});
    expect(heldMs).toBeLessThan(2000);
  });

  test('in the middle of its handshake, even when it goes on byte by byte', async () => {
    const hello = Buffer.from('1603010200010001fc0303', 'hex');
    const [, heldMs] = await overTcp((socket) => {
      socket.write(hello);
      drip('A')(socket);
    });
    expect(heldMs).toBeLessThan(2000);
  });

  test('after the handshake without a request', async () => {
    const [answer, heldMs] = await overTls(() => {});
    expect(answer).toBe('');
    expect(heldMs).toBeLessThan(2000);
  });

  test('in the middle of a header that goes on line by line', async () => {
    const [answer, heldMs] = await overTls((socket) => {
      socket.write(REQUEST);
      drip('X-More: 1\r\n')(socket);
    });
    expect(answer).toBe('');
    expect(heldMs).toBeLessThan(2000);
  });

  test('when it asks nothing more after an answer', async () => {
    const [answer, heldMs] = await overTls((socket) => socket.write(`${REQUEST}\r\n`));
    expect(answer).toContain('200 OK');
    expect(heldMs).toBeLessThan(2000);
  });
});

test('an answer may take longer than a header', async () => {
  answerAfterMs = 250;
  const [answer] = await overTls((socket) => socket.write(`${REQUEST}\r\n`));
  answerAfterMs = 0;
  expect(answer).toContain('200 OK');
});
