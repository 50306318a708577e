/**
 * Peers that misbehave while a good device streams: each sin once, and the good stream must not
 * notice.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { createSocket, type Socket } from 'node:dgram';
import { connect } from 'node:net';
import { concatBytes, viewOf } from '../peers/moonlight/bytes.ts';
import type { MoonlightDevice } from '../peers/moonlight/client.ts';
import { ControlLink } from '../peers/moonlight/control.ts';
import { sealControl } from '../peers/moonlight/control-seal.ts';
import { httpGet } from '../peers/moonlight/http.ts';
import { pingDatagram } from '../peers/moonlight/media-socket.ts';
import { exchange, parseRtspReply, requestText } from '../peers/moonlight/rtsp.ts';
import { type RunningStream, rtspOf } from '../peers/moonlight/stream.ts';
import { seededRandom } from '../support/random.ts';
import { HostProcess, LOOPBACK } from './host-process.ts';
import { crowdedKeys, encoderRestarts } from './key-spacing.ts';

const random = seededRandom('hostile peers');
/** A stall that a person sees; a busy machine alone causes less. */
const STALL_MS_MAX = 1000;
const GROWTH_MIB_MAX = 64;
const FPS = 30;

let host: HostProcess;
let device: MoonlightDevice;
let stream: RunningStream;
let residentMibBefore: number;

beforeAll(async () => {
  host = await HostProcess.start();
  device = await host.pairedDevice();
  stream = await device.stream({ width: 640, height: 360, fps: FPS });
  expect(await stream.untilFrames(30, 10_000)).toBe(true);
  residentMibBefore = host.residentMib();
});

afterAll(async () => {
  stream?.vanish();
  await host?.dispose();
});

let framesBefore: number;
beforeEach(() => {
  framesBefore = stream.video.frames.length;
});

/** Pictures went on during and after what was done, none lost, none late. */
async function expectUndisturbed(): Promise<void> {
  const seen = stream.video.frames.length;
  expect(await stream.untilFrames(seen + 10, 5000)).toBe(true);
  expect(stream.end).toBeNull();
  expect(stream.video.lostFrames).toBe(0);
  expect(stream.audio.inOrder().filter((packet) => packet === null)).toHaveLength(0);
  const times = stream.video.frames.slice(framesBefore).map((frame) => frame.receivedAtMs);
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  expect(Math.max(...gaps)).toBeLessThan(STALL_MS_MAX);
  expect(host.residentMib() - residentMibBefore).toBeLessThan(GROWTH_MIB_MAX);
}

async function withUdp(act: (send: (port: number, bytes: Uint8Array) => void) => Promise<void>) {
  const socket: Socket = createSocket('udp4');
  socket.on('error', () => undefined);
  await new Promise<void>((resolve) => socket.bind(0, LOOPBACK, () => resolve()));
  await act((port, bytes) => socket.send(bytes, port, LOOPBACK, () => undefined));
  socket.close();
}

describe('datagrams to the media ports', () => {
  const ports = () => [stream.handshake.videoPort, stream.handshake.audioPort];

  test('of any length and content change nothing', async () => {
    await withUdp(async (send) => {
      for (let round = 0; round < 500; round += 1) {
        for (const port of ports()) send(port, random.bytes(random.int(0, 64)));
        if (round % 50 === 0) for (const port of ports()) send(port, random.bytes(60_000));
        if (round % 100 === 0) await Bun.sleep(1);
      }
    });
    await expectUndisturbed();
  });

  test('with the ping of old from the same address do not steal the stream', async () => {
    await withUdp(async (send) => {
      for (let round = 0; round < 20; round += 1) {
        for (const port of ports()) {
          send(port, pingDatagram(null, round));
          send(port, pingDatagram('0123456789ABCDEF', round));
        }
        await Bun.sleep(5);
      }
      await expectUndisturbed();
    });
  });
});

describe('datagrams to the control port', () => {
  const port = () => stream.handshake.controlPort;

  test('that connect a thousand times with wrong data get no peer', async () => {
    await withUdp(async (send) => {
      for (let round = 0; round < 1000; round += 1) {
        send(port(), connectDatagram(random.next(), random.next()));
        if (round % 100 === 0) await Bun.sleep(1);
      }
    });
    const stranger = ControlLink.open(
      {
        address: LOOPBACK,
        port: port(),
        connectData: (stream.handshake.connectData ^ 0x5555) >>> 0,
        key: random.bytes(16),
        form: 'v2',
      },
      1000,
    );
    expect(stranger).rejects.toThrow('did not accept');
    await stranger.catch(() => undefined);
    await expectUndisturbed();
  });

  test('that are noise, cut or forged for the running peer are dropped', async () => {
    const { enet } = stream.control;
    const word = 0x8000 | (enet.outgoingSession << 12) | enet.hostPeerIndex;
    await withUdp(async (send) => {
      for (let round = 0; round < 1000; round += 1) {
        const noise = random.bytes(random.int(0, 80));
        send(port(), noise);
        // Right peer index and session, then anything.
        const forged = concatBytes(new Uint8Array(4), noise);
        viewOf(forged).setUint16(0, word);
        send(port(), forged);
        if (round % 100 === 0) {
          send(port(), random.bytes(60_000));
          await Bun.sleep(1);
        }
      }
    });
    await expectUndisturbed();
  });

  test('that say goodbye in the name of the device do not end it while it goes on', async () => {
    await withUdp(async (send) => {
      for (const command of [0x84, 0x44]) {
        send(port(), goodbyeDatagram(command));
        // As from a forged source address.
        stream.control.transmit(goodbyeDatagram(command));
      }
      await Bun.sleep(100);
    });
    await expectUndisturbed();
  });
});

describe('control messages of a device that is let in', () => {
  test('of unknown type, empty, or longer than they say are ignored', async () => {
    const { control } = stream;
    control.sendPlain(new Uint8Array());
    control.sendPlain(Uint8Array.of(6));
    for (const type of [0, 0x0999, 0x3000, 0x3001, 0x3002, 0x5503, 0xffff]) {
      control.send(type, random.bytes(random.int(0, 64)));
    }
    control.sendPlain(Uint8Array.of(0x06, 0x02, 0xff, 0xff, 1, 2, 3));
    for (let length = 0; length < 24; length += 1) {
      control.send(0x0206, random.bytes(length), 3);
      control.send(0x0301, random.bytes(length), 1);
      control.send(0x5502, random.bytes(length), 0, 'unsequenced');
    }
    await expectUndisturbed();
  });

  test('that are not sealed, altered or sealed with another key are dropped', async () => {
    const { control } = stream;
    control.sendRaw(Uint8Array.of(0x02, 0x03, 0, 0, 0, 0));
    control.sendRaw(Uint8Array.of(1));
    control.sendRaw(Uint8Array.of(1, 0, 4, 0, 0, 0, 0, 0));
    for (let round = 0; round < 200; round += 1) {
      const plain = Uint8Array.of(0x02, 0x03, 2, 0, 0, 0);
      control.sendRaw(sealControl(random.bytes(16), 'v2', 'C', 100_000 + round, plain));
      control.sendRaw(random.bytes(random.int(0, 200)), 0, 'unsequenced');
    }
    control.sendRaw(random.bytes(4000));
    await expectUndisturbed();
    expect(stream.video.frames.slice(framesBefore).filter((frame) => frame.isKey).length).toBe(0);
  });

  test('that ask for an IDR a thousand times get no more than one in two frames', async () => {
    const keysBefore = stream.video.frames.filter((frame) => frame.isKey).length;
    for (let round = 0; round < 1000; round += 1) {
      stream.requestIdr();
      if (round % 50 === 0) await Bun.sleep(20);
    }
    await expectUndisturbed();
    expect(stream.video.frames.filter((frame) => frame.isKey).length).toBeGreaterThan(keysBefore);
    expect(crowdedKeys(stream, FPS)).toBeLessThanOrEqual(encoderRestarts(host));
  });
});

describe('connections to the RTSP port', () => {
  const where = () => ({ address: LOOPBACK, port: stream.launch.rtspPort });

  test('that stay silent, stop in the middle or claim huge bodies do not fill it', async () => {
    const sockets = Array.from({ length: 150 }, (_, index) => {
      const socket = connect({ host: LOOPBACK, port: where().port });
      socket.on('error', () => undefined);
      if (index % 3 === 1) socket.write('ANNOUNCE streamid=control/13/0 RTSP/1.0\r\nCSeq: 1\r\n');
      if (index % 3 === 2) {
        socket.write('ANNOUNCE / RTSP/1.0\r\nCSeq: 1\r\nContent-length: 4294967295\r\n\r\n');
      }
      return socket;
    });
    await expectUndisturbed();
    for (const socket of sockets) socket.destroy();
  });

  test('with noise, other keys or no launch behind them get no session', async () => {
    const noise = Array.from({ length: 40 }, () => random.bytes(random.int(1, 400)));
    await Promise.all(noise.map((wire) => exchange(where(), wire, 1000).catch(() => undefined)));
    const announce = { method: 'ANNOUNCE', target: 'streamid=control/13/0' };
    const plain = new TextEncoder().encode(requestText(announce, 1, '0.0.0.0'));
    const reply = parseRtspReply(
      await exchange(where(), plain, 2000).catch(() => new Uint8Array()),
    );
    expect(reply?.status ?? 0).not.toBe(200);
    const foreign = rtspOf({ ...stream.launch, key: random.bytes(16) }, { isHighAudio: false });
    const described = await foreign
      .request({ method: 'DESCRIBE', target: foreign.url })
      .then((answer) => answer.status)
      .catch(() => 0);
    expect(described).not.toBe(200);
    await expectUndisturbed();
  });
});

describe('requests to the HTTP ports', () => {
  const get = (target: string, tls = false) =>
    httpGet({
      address: LOOPBACK,
      port: tls ? host.portBase - 5 : host.portBase,
      target,
      timeoutMs: 3000,
      ...(tls ? { tls: { identity: null, pinned: null } } : {}),
    });

  test('without a known certificate launch, cancel and list nothing', async () => {
    for (const path of ['/launch', '/resume', '/cancel', '/applist', '/appasset']) {
      const query = '?uniqueid=0123456789ABCDEF&appid=1&rikey=00112233445566778899aabbccddeeff';
      for (const tls of [false, true]) {
        const reply = await get(`${path}${query}&rikeyid=1`, tls).catch(() => null);
        const document = new TextDecoder().decode(reply?.body);
        expect(document).not.toContain('status_code="200"');
        expect(document).not.toContain('sessionUrl0');
      }
    }
    await expectUndisturbed();
  });

  test('that climb out of the pictures, never end, or are longer than any get nothing', async () => {
    const art = await device.http
      .secure('/appasset', { appid: '../../../etc/passwd' })
      .catch(() => null);
    expect(art?.document ?? '').not.toContain('root:');
    await get(`/serverinfo?uniqueid=${'A'.repeat(200_000)}`).catch(() => undefined);
    const sockets = Array.from({ length: 100 }, () => {
      const socket = connect({ host: LOOPBACK, port: host.portBase });
      socket.on('error', () => undefined);
      socket.write('GET /serverinfo?uniqueid=1 HTTP/1.1\r\nHost: x\r\n');
      return socket;
    });
    await expectUndisturbed();
    for (const socket of sockets) socket.destroy();
    expect((await device.serverInfo()).isBusy).toBe(true);
  });

  test('that start pairing again and again leave the good device paired and streaming', async () => {
    const leaving = new AbortController();
    const strangers = Array.from({ length: 12 }, async () => {
      const stranger = host.newDevice();
      await stranger.pair({ pin: '1111', signal: leaving.signal }).catch(() => undefined);
    });
    await Bun.sleep(300);
    leaving.abort();
    await Promise.all(strangers);
    expect((await host.ctl('devices')).data).toHaveLength(1);
    await expectUndisturbed();
  });
});

test('the same goodbye is believed once the device falls silent with it, and the app stays', async () => {
  const from = host.log.length;
  stream.control.transmit(goodbyeDatagram(0x44));
  await Bun.sleep(5);
  stream.vanish();
  await host.waitForLog(/session ended/, 3000, from);
  expect(await host.sessions()).toEqual([]);
  expect((await device.serverInfo()).isBusy).toBe(true);
  expect(await device.quit()).toBe(true);
  expect(host.log).not.toMatch(/uncaught|TypeError|RangeError/i);
});

/** An ENet disconnect in the name of the streaming device. */
function goodbyeDatagram(command: number): Uint8Array {
  const { enet } = stream.control;
  const datagram = new Uint8Array(12);
  viewOf(datagram).setUint16(0, 0x8000 | (enet.outgoingSession << 12) | enet.hostPeerIndex);
  datagram.set([command, 0xff, 0, 2], 4);
  return datagram;
}

/** An ENet connect with the identity and the data given. */
function connectDatagram(connectId: number, data: number): Uint8Array {
  const datagram = new Uint8Array(4 + 48);
  const view = viewOf(datagram);
  view.setUint16(0, 0x8fff);
  datagram.set([0x82, 0xff, 0, 1, 0, 0, 0xff, 0xff], 4);
  view.setUint32(4 + 8, 900);
  view.setUint32(4 + 12, 65_536);
  view.setUint32(4 + 16, 48);
  view.setUint32(4 + 40, connectId);
  view.setUint32(4 + 44, data);
  return datagram;
}
