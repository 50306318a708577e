import { afterEach, describe, expect, test } from 'bun:test';
import { connect, type Socket } from 'node:net';
import { listenRtsp, type RtspServer } from '../../../src/gamestream/rtsp-server.ts';
import { DEVICE_ADDRESS, deviceRequests, launchRequest, RtspRig, requestText } from './rtsp-rig.ts';

let server: RtspServer | null = null;

afterEach(async () => {
  await server?.close();
  server = null;
});

describe('the RTSP listener', () => {
  test('seven connections, one request each in small writes, start a session', async () => {
    const { rig, port } = await start();

    const replies: string[] = [];
    for (const request of deviceRequests()) replies.push(await exchange(port, request, 40));

    expect(replies.every((reply) => reply.startsWith('RTSP/1.0 200 OK'))).toBe(true);
    expect(rig.orders).toEqual(['announce', 'play']);
  });

  test('the reply ends with an orderly close, even over bytes behind the request', async () => {
    const { port } = await start();
    const request = requestText('OPTIONS', 'x', 1) + 'x'.repeat(10_000);

    const reply = await exchange(port, request, 2000);

    expect(reply).toStartWith('RTSP/1.0 200 OK');
  });

  test('a connection without a byte leaves no trace', async () => {
    const { rig, port } = await start();

    for (let index = 0; index < 20; index += 1) {
      const socket = await open(port);
      await new Promise<void>((resolve) => {
        socket.once('close', () => resolve());
        socket.end();
      });
    }

    expect(rig.notices).toEqual([]);
    expect(server?.service.counters).toEqual({
      answered: 0,
      strangers: 0,
      unauthentic: 0,
      malformed: 0,
    });
    expect(rig.launches.size).toBe(1);
  });

  test('the ninth connection of an address is closed at once, and places come back', async () => {
    const { port } = await start();
    const held: Socket[] = [];
    for (let index = 0; index < 8; index += 1) held.push(await open(port));
    await until(() => server?.admission.openCount === 8);

    const ninth = await open(port);
    await new Promise<void>((resolve) => ninth.once('close', () => resolve()));
    expect(server?.admission.refusedCount).toBe(1);

    for (const socket of held) socket.destroy();
    await until(() => server?.admission.openCount === 0);
    expect(await exchange(port, requestText('OPTIONS', 'x', 1), 100)).toContain('200 OK');
  });

  test('a peer that resets the connection in the middle harms nobody', async () => {
    const { port } = await start();
    for (let index = 0; index < 20; index += 1) {
      const socket = await open(port);
      socket.write('OPTIONS x RT');
      socket.resetAndDestroy();
    }

    expect(await exchange(port, requestText('OPTIONS', 'x', 1), 100)).toContain('200 OK');
  });

  test('a taken port is reported by the system’s own code', async () => {
    const { rig, port } = await start();

    const second = listenRtsp({
      bindAddress: '127.0.0.1',
      port,
      host: rig.host,
      nowMs: () => 0,
      notice: () => undefined,
    });

    expect(second).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

async function start(): Promise<{ rig: RtspRig; port: number }> {
  const rig = new RtspRig();
  rig.launches.add(
    {
      request: launchRequest(),
      device: { fingerprint: 'ab', name: DEVICE_ADDRESS },
      peerAddress: '::ffff:127.0.0.1',
      sealedRtsp: false,
    },
    0,
  );
  server = await listenRtsp({
    bindAddress: '127.0.0.1',
    port: 0,
    host: rig.host,
    nowMs: () => rig.nowMs,
    notice: (notice) => rig.notices.push(notice),
  });
  return { rig, port: server.port };
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => resolve(socket));
    socket.once('error', reject);
    socket.on('error', () => undefined);
  });
}

/** Sends `request` in pieces and reads to the end of the stream; rejects on a reset. */
async function exchange(port: number, request: string, pieceBytes: number): Promise<string> {
  const socket = await open(port);
  const reply = new Promise<string>((resolve, reject) => {
    let text = '';
    socket.on('data', (piece) => {
      text += piece.toString('latin1');
    });
    socket.once('end', () => {
      socket.end();
      resolve(text);
    });
    socket.once('error', reject);
  });
  for (let at = 0; at < request.length; at += pieceBytes) {
    socket.write(request.slice(at, at + pieceBytes));
    await Bun.sleep(0);
  }
  return reply;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(1);
}
