import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { readEndpoint } from '../../src/mgmt/endpoint-file.ts';
import { type Management, startManagement } from '../../src/mgmt/server.ts';
import { readToken } from '../../src/mgmt/token.ts';
import type { HostIdentity } from '../../src/trust/identity.ts';
import { makeIdentity } from './identity-fixture.ts';
import { FINGERPRINT_A, type ScriptedHost, scriptedHost } from './scripted-host.ts';

let dir = '';
let identity: HostIdentity;
let device: HostIdentity;
let stranger: HostIdentity;
let host: ScriptedHost;
let management: Management;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'pf-door-'));
  identity = makeIdentity(dir, 'host');
  device = makeIdentity(dir, 'device');
  stranger = makeIdentity(dir, 'stranger');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

beforeEach(async () => {
  host = scriptedHost();
  host.certificates.set(device.fingerprint, FINGERPRINT_A);
  management = await start(0);
});
afterEach(async () => {
  await management.close();
});

function start(port: number): Promise<Management> {
  return startManagement({
    host,
    certificatePem: identity.certificatePem,
    privateKeyPem: identity.privateKeyPem,
    stateDir: dir,
    bind: '127.0.0.1',
    port,
    hostName: 'gaming-pc',
  });
}

function open(client?: HostIdentity): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: '127.0.0.1',
      port: management.port,
      rejectUnauthorized: false,
      ...(client && { cert: client.certificatePem, key: client.privateKeyPem }),
    });
    socket.once('secureConnect', () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Everything the host sends until it closes or `until` is seen. */
function answerOf(socket: TLSSocket, text: string, until = /\r\n\r\n[\s\S]*\}$/): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
      if (until.test(answer)) resolve(answer);
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', () => resolve(answer));
    socket.write(text);
  });
}

const get = (path: string, extra = '') =>
  `GET /api/v1${path} HTTP/1.1\r\nHost: localhost\r\n${extra}\r\n`;

describe('the management listener', () => {
  test('a paired certificate reads, and may not change anything', async () => {
    const socket = await open(device);

    expect(await answerOf(socket, get('/sessions'), /\]$/)).toStartWith('HTTP/1.1 200');
    expect(await answerOf(socket, get('/devices'))).toStartWith('HTTP/1.1 403');

    socket.destroy();
  });

  test('an unknown certificate and none at all are nobody', async () => {
    for (const client of [stranger, undefined]) {
      const socket = await open(client);
      expect(await answerOf(socket, get('/sessions'))).toStartWith('HTTP/1.1 401');
      expect(await answerOf(socket, get('/health'))).toContain('"status":"ok"');
      socket.destroy();
    }
  });

  test('the next request of a connection is refused once its device is gone', async () => {
    const socket = await open(device);
    expect(await answerOf(socket, get('/sessions'), /\]$/)).toStartWith('HTTP/1.1 200');

    host.certificates.clear();

    expect(await answerOf(socket, get('/sessions'))).toStartWith('HTTP/1.1 401');
    socket.destroy();
  });

  test('the token of the file administers from this machine', async () => {
    const socket = await open();
    const token = `Authorization: Bearer ${readToken(dir)}\r\n`;

    expect(await answerOf(socket, get('/devices', token), /\]$/)).toStartWith('HTTP/1.1 200');

    socket.destroy();
  });

  test('forwarding headers change nothing', async () => {
    const socket = await open();
    const forged = 'X-Forwarded-For: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\nX-Real-IP: ::1\r\n';

    expect(await answerOf(socket, get('/devices', forged))).toStartWith('HTTP/1.1 401');

    socket.destroy();
  });

  test('the endpoint file names port and certificate while the host runs, and no longer', async () => {
    expect(readEndpoint(dir)).toEqual({
      address: '127.0.0.1',
      port: management.port,
      certificateSha256: identity.fingerprint,
    });
    expect(statSync(join(dir, 'mgmt-endpoint')).mode & 0o777).toBe(0o600);

    await management.close();

    expect(readEndpoint(dir)).toBeNull();
  });

  test('a port in use is one sentence that names who holds it', async () => {
    const second = start(management.port);

    expect(second).rejects.toThrow(
      new RegExp(`TCP port ${management.port} is in use by .*\\(process ${process.pid}\\)`),
    );
    await second.catch(() => {});
    // The refused one must not have touched the endpoint of the one that runs.
    expect(readEndpoint(dir)?.port).toBe(management.port);
  });

  test('a body over the limit is 413 and ends the connection, announced or not', async () => {
    const token = `Authorization: Bearer ${readToken(dir)}\r\nContent-Type: application/json\r\n`;
    const post = `POST /api/v1/session/idr HTTP/1.1\r\nHost: localhost\r\n${token}`;
    const announced = await answerOf(await open(), `${post}Content-Length: 99999999\r\n\r\nx`);
    expect(announced).toStartWith('HTTP/1.1 413');

    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    const chunked = await answerOf(
      await open(),
      `${post}Transfer-Encoding: chunked\r\n\r\n${chunk}${chunk}`,
    );
    expect(chunked).toStartWith('HTTP/1.1 413');
    expect(chunked).toMatch(/\r\nConnection: close\r\n/i);
  });

  test('a body that stops half way is not answered as if it were whole', async () => {
    const token = `Authorization: Bearer ${readToken(dir)}\r\nContent-Type: application/json\r\n`;
    const socket = await open();
    socket.write(
      `DELETE /api/v1/session HTTP/1.1\r\nHost: localhost\r\n${token}Content-Length: 9\r\n\r\n{`,
    );
    const answer = answerOf(socket, '');
    socket.end();
    await answer;

    expect(host.calls).toEqual([]);
  });

  test.each([
    ['empty lines', '\r\n\r\n'],
    ['a method alone', 'GET\r\n\r\n'],
    ['an unknown version', 'GET / HTTP/9.9\r\n\r\n'],
    ['a broken URL', 'GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['bytes that are no text', 'GET /%ff%00 HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['a path of 20000 bytes', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
    ['a header of 20000 bytes', `GET / HTTP/1.1\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`],
    [
      'a negative length',
      'POST /api/v1/session/idr HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n',
    ],
    [
      'two lengths',
      'POST /api/v1/session/idr HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
  ] as const)('%s leaves the host answering others', async (_, bytes) => {
    const hostile = await open();
    hostile.on('error', () => {});
    hostile.write(bytes);
    hostile.end();

    const socket = await open();
    expect(await answerOf(socket, get('/health'))).toContain('"status":"ok"');
    socket.destroy();
    hostile.destroy();
    expect(host.calls).toEqual([]);
  });

  test('of 80 connections the last 64 stay open, so that silent ones keep nobody out', async () => {
    const closed: Promise<unknown>[] = [];
    const sockets: TLSSocket[] = [];
    for (let index = 0; index < 80; index += 1) {
      const socket = await open();
      socket.on('error', () => {});
      closed.push(new Promise((resolve) => socket.once('close', resolve)));
      socket.resume();
      sockets.push(socket);
    }
    await Promise.all(closed.slice(0, 16));

    expect(sockets.filter((socket) => !socket.destroyed)).toHaveLength(64);
    const asking = await open();
    expect(await answerOf(asking, get('/health'))).toContain('"status":"ok"');
    asking.destroy();

    for (const socket of sockets) socket.destroy();
  });

  test('closing ends open connections at once', async () => {
    const socket = await open();
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();

    await management.close();

    await ended;
    expect(open()).rejects.toThrow();
  });
});
