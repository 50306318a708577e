import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { portFamily } from '../../src/config/ports.ts';
import type { Settings } from '../../src/config/rows.ts';
import { type PendingLaunch, PendingLaunches } from '../../src/gamestream/rtsp-launches.ts';
import { type MediaSockets, openMediaSockets } from '../../src/host/media-sockets.ts';
import { Session } from '../../src/host/session.ts';
import { unpackSocketAddress } from '../../src/net/socket-address.ts';
import { StreamControl } from '../../src/pipeline/stream-control.ts';
import { OperatorError } from '../../src/platform/operator-error.ts';
import { planSession } from '../../src/session/plan-session.ts';
import { CAPABILITIES, FORMAT, offerOf, SOFA, until } from './desk-rig.ts';

const LOOPBACK = '127.0.0.1';
const settingsOf = (portBase: number, bind = LOOPBACK) => ({ bind, portBase }) as Settings;

let media: MediaSockets;
let ports = portFamily(47_989);
let device: Socket;

beforeEach(async () => {
  for (let tries = 0; ; tries += 1) {
    const portBase = 34_000 + Math.floor(Math.random() * 600) * 40;
    ports = portFamily(portBase);
    try {
      media = await openMediaSockets(settingsOf(portBase));
      break;
    } catch (error) {
      if (tries === 20) throw error;
    }
  }
  device = await deviceSocket();
});
afterEach(() => {
  media.close();
  device.close();
});

async function deviceSocket(): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(0, LOOPBACK);
  await once(socket, 'listening');
  return socket;
}

function launchOf(): PendingLaunch {
  const launches = new PendingLaunches((size) => crypto.getRandomValues(new Uint8Array(size)));
  const parties = {
    request: { key: new Uint8Array(16) } as PendingLaunch['request'],
    device: { fingerprint: SOFA, name: 'sofa' },
    peerAddress: LOOPBACK,
    sealedRtsp: false,
  };
  return launches.add(parties, performance.now());
}

function streaming(): { session: Session; control: StreamControl } {
  const policy = { source: 'virtual', maxBitrateKbps: 100_000, audio: false } as const;
  const planned = planSession(offerOf(SOFA), CAPABILITIES, policy, 's1');
  if (!planned.ok) throw new Error(planned.reason);
  const session = new Session({
    plan: planned.plan,
    format: FORMAT,
    launchId: 'l1',
    peerAddress: LOOPBACK,
    appTitle: 'Desktop',
    onEnd: async () => {},
  });
  const control = new StreamControl();
  session.stream = { control } as Session['stream'];
  return { session, control };
}

const pingOf = (payload: string): Buffer => Buffer.from(`${payload}\0\0\0\x01`, 'latin1');
const send = (bytes: Buffer, port: number, from = device): Promise<unknown> =>
  new Promise((resolve) => from.send(bytes, port, LOOPBACK, resolve));
const destination = (control: StreamControl, plane: 'video' | 'audio') =>
  unpackSocketAddress(control.address(plane));
const portOf = (socket: Socket): number => socket.address().port;

describe('media sockets', () => {
  test('a sound ping from before ANNOUNCE directs the sound at once, the video follows its ping', async () => {
    const launch = launchOf();
    await send(pingOf(launch.pingPayload), ports.audio);
    await Bun.sleep(20);
    const { session, control } = streaming();

    media.expect(session, launch, true);

    expect(destination(control, 'audio')).toMatchObject({
      address: LOOPBACK,
      port: portOf(device),
    });
    expect(control.get('videoAddressVersion')).toBe(0);
    await send(pingOf(launch.pingPayload), ports.video);
    await until(() => control.get('videoAddressVersion') === 1);
    expect(destination(control, 'video')).toMatchObject({ port: portOf(device) });
  });

  test('a device that moves is followed; its repeated pings change nothing', async () => {
    const launch = launchOf();
    const { session, control } = streaming();
    media.expect(session, launch, true);
    for (let count = 0; count < 5; count += 1) await send(pingOf(launch.pingPayload), ports.video);
    await until(() => control.get('videoAddressVersion') === 1);
    const moved = await deviceSocket();

    await send(pingOf(launch.pingPayload), ports.video, moved);

    await until(() => control.get('videoAddressVersion') === 2);
    expect(destination(control, 'video')).toMatchObject({ port: portOf(moved) });
    moved.close();
  });

  test('pings of nobody, and the older form beside a payload, direct nothing', async () => {
    const launch = launchOf();
    const { session, control } = streaming();
    media.expect(session, launch, true);
    for (const bytes of [pingOf('0123456789ABCDEF'), Buffer.from('PING'), Buffer.alloc(0)]) {
      await send(bytes, ports.video);
    }
    await send(Buffer.alloc(1400, 7), ports.video);
    await Bun.sleep(30);

    expect(control.get('videoAddressVersion')).toBe(0);
  });

  test('an older device is found by its address, but not by what it pinged before its launch', async () => {
    await send(Buffer.from('PING'), ports.video);
    await Bun.sleep(20);
    const launch = launchOf();
    const { session, control } = streaming();
    media.expect(session, launch, false);
    expect(control.get('videoAddressVersion')).toBe(0);

    await send(Buffer.from('PING'), ports.video);

    await until(() => control.get('videoAddressVersion') === 1);
    expect(destination(control, 'video')).toMatchObject({ port: portOf(device) });
  });

  test('a session that is forgotten is directed no more', async () => {
    const launch = launchOf();
    const { session, control } = streaming();
    media.expect(session, launch, true);
    const other = streaming();
    media.forget(other.session);
    media.forget(session);

    await send(pingOf(launch.pingPayload), ports.video);
    await Bun.sleep(30);

    expect(control.get('videoAddressVersion')).toBe(0);
  });

  test('a taken port is an operator’s sentence and leaves none of the sockets open', async () => {
    const portBase = ports.http;
    await expect(openMediaSockets(settingsOf(portBase))).rejects.toThrow(OperatorError);
    await expect(openMediaSockets(settingsOf(portBase, '192.0.2.99'))).rejects.toThrow(
      'cannot be had on 192.0.2.99 (EADDRNOTAVAIL)',
    );
    media.close();
    const blocker = createSocket('udp4');
    blocker.bind(ports.audio, LOOPBACK);
    await once(blocker, 'listening');

    await expect(openMediaSockets(settingsOf(portBase))).rejects.toThrow(`UDP port ${ports.audio}`);

    blocker.close();
    await once(blocker, 'close');
    media = await openMediaSockets(settingsOf(portBase));
  });
});
