import { describe, expect, test } from 'bun:test';
import { recoverDataShards } from '../../src/fec/cauchy.ts';
import audioVectors from '../fixtures/gamestream-audio-fec.json';
import cryptoVectors from '../fixtures/gamestream-crypto.json';
import fecVectors from '../fixtures/gamestream-fec.json';
import videoVectors from '../fixtures/gamestream-video-packets.json';
import { seededRandom } from '../support/random.ts';
import { AudioPlane } from './moonlight/audio.ts';
import { bytesOfHex, concatBytes, hexOf } from './moonlight/bytes.ts';
import type { ParityStatus } from './moonlight/control-messages.ts';
import { sealGcm } from './moonlight/gcm.ts';
import { readPictureStart } from './moonlight/key-picture.ts';
import { pingDatagram } from './moonlight/media-socket.ts';
import type { RecoveryRequest } from './moonlight/recovery.ts';
import { VideoPlane, type VideoSins } from './moonlight/video.ts';

const bytes = (hex: string): Uint8Array => bytesOfHex(hex) ?? new Uint8Array();
const PACKET_SIZE = 64;
const recorded = videoVectors.frames.map((frame) => ({
  index: frame.frame,
  accessUnit: frame.au,
  type: frame.idr ? 2 : 1,
  packets: frame.blocks.flatMap((block) => block.packets.map(bytes)),
}));

function openPlane(options: { sins?: VideoSins; key?: Uint8Array } = {}) {
  const pictures: string[] = [];
  const statuses: ParityStatus[] = [];
  const requests: RecoveryRequest[] = [];
  const plane = new VideoPlane({
    codec: 'av1',
    packetSize: PACKET_SIZE,
    key: options.key ?? null,
    canInvalidate: true,
    onRequest: (request) => requests.push(request),
    onParityStatus: (status) => statuses.push(status),
    onPicture: (accessUnit) => pictures.push(hexOf(accessUnit)),
    ...(options.sins ? { sins: options.sins } : {}),
  });
  return { plane, pictures, statuses, requests };
}

describe('the recorded video datagrams', () => {
  test('become the recorded access units, nothing found against the rules', () => {
    const { plane, pictures } = openPlane();
    for (const packet of recorded.flatMap((frame) => frame.packets)) plane.take(packet, 1);
    expect(pictures).toEqual(recorded.map((frame) => frame.accessUnit));
    expect(plane.frames.map((frame) => frame.type)).toEqual(recorded.map((frame) => frame.type));
    expect([...plane.lint]).toEqual([]);
    expect(plane.lostFrames).toBe(0);
  });

  test('survive the loss of any two shards of every block through parity', () => {
    const shards = videoVectors.frames.map((frame) =>
      frame.blocks.map((block) => block.packets.map(bytes)),
    );
    const tries = shards.flatMap((blocks) => blocks.map((packets) => packets.length));
    for (let a = 0; a < Math.min(...tries); a += 1) {
      for (let b = a + 1; b < Math.min(...tries); b += 1) {
        const { plane, pictures, statuses } = openPlane();
        for (const packets of shards.flat()) {
          packets.forEach((packet, index) => {
            if (index !== a && index !== b) plane.take(packet, 1);
          });
        }
        expect(pictures).toEqual(recorded.map((frame) => frame.accessUnit));
        expect([...plane.lint]).toEqual([]);
        if (a < 4) expect(statuses.length).toBeGreaterThan(0);
      }
    }
  });

  test('sealed as the wire says, they are opened; altered, they are dropped', () => {
    const key = bytes(cryptoVectors.rikey);
    const { plane, pictures } = openPlane({ key });
    recorded
      .flatMap((frame) => frame.packets)
      .forEach((packet, counter) => {
        const nonce = new Uint8Array(12);
        nonce[0] = counter;
        nonce[11] = 'V'.charCodeAt(0);
        const { tag, sealed } = sealGcm(key, nonce, packet);
        const wire = concatBytes(nonce, new Uint8Array(4), tag, sealed);
        plane.take(
          wire.map((byte, at) => (at === 50 ? byte ^ 1 : byte)),
          1,
        );
        plane.take(wire, 1);
      });
    expect(pictures).toEqual(recorded.map((frame) => frame.accessUnit));
    expect(plane.unopenedCount).toBe(recorded.flatMap((frame) => frame.packets).length);
  });

  test('without parity a lost shard is a lost frame, reported and asked for', () => {
    const { plane, pictures, requests, statuses } = openPlane({ sins: { ignoreParity: true } });
    const [first, second] = recorded;
    for (const packet of (first?.packets ?? []).slice(1)) plane.take(packet, 1);
    for (const packet of second?.packets ?? []) plane.take(packet, 2);
    expect(pictures).toEqual([]);
    expect(plane.lostFrames).toBe(1);
    expect(statuses[0]).toMatchObject({
      frameIndex: 1,
      dataShards: 4,
      parityShards: 2,
      receivedData: 3,
      receivedParity: 0,
      nextContiguousSequence: 0,
      highestSequence: 3,
      missingBeforeHighest: 1,
    });
    expect(requests).toEqual([{ kind: 'idr' }]);
  });

  test('cut or altered at random they raise nothing and keep the memory of one frame', () => {
    const random = seededRandom('video plane');
    const { plane } = openPlane();
    const packets = recorded.flatMap((frame) => frame.packets);
    for (let round = 0; round < 20_000; round += 1) {
      const packet = (packets[random.int(0, packets.length - 1)] ?? new Uint8Array()).slice();
      for (let count = random.int(0, 3); count > 0; count -= 1) {
        packet[random.int(0, packet.length - 1)] = random.int(0, 255);
      }
      plane.take(packet.subarray(0, random.int(0, packet.length)), round);
    }
    expect(plane.datagramCount).toBe(20_000);
  });
});

test('recorded parity brings back erased shards', () => {
  for (const vector of fecVectors.cases) {
    if (!vector.data || !vector.parity) continue;
    const data = vector.data.map(bytes);
    const shards: (Uint8Array | null)[] = [...data, ...vector.parity.map(bytes)];
    for (const index of vector.erased) shards[index] = null;
    recoverDataShards(shards, vector.dataShards, vector.parityShards);
    for (const index of vector.erased) {
      expect(hexOf(shards[index] ?? new Uint8Array())).toBe(vector.data[index] ?? '');
    }
  }
});

describe('a key picture', () => {
  const unit = (...types: number[]): Uint8Array =>
    Uint8Array.from(types.flatMap((type) => [0, 0, 0, 1, type, 0x80, 0x11]));

  test('is known by its parameter sets and its key slice at the front', () => {
    expect(readPictureStart('h264', unit(0x67, 0x68, 0x65), 2).isKey).toBe(true);
    expect(readPictureStart('h264', unit(0x09, 0x06, 0x67, 0x68, 0x06, 0x65), 2).isKey).toBe(true);
    expect(readPictureStart('h264', unit(0x65), 2).isKey).toBe(false);
    expect(readPictureStart('h264', unit(0x67, 0x68), 2).isKey).toBe(false);
    expect(readPictureStart('h264', unit(0x41), 1)).toEqual({ hasStartCode: true, isKey: false });
    expect(readPictureStart('hevc', unit(0x40, 0x42, 0x44, 0x26), 2).isKey).toBe(true);
    expect(readPictureStart('hevc', unit(0x42, 0x44, 0x26), 2).isKey).toBe(false);
  });

  test('begins with a start code', () => {
    expect(readPictureStart('h264', Uint8Array.of(9, 0, 0, 1, 0x65), 2).hasStartCode).toBe(false);
    expect(readPictureStart('h264', new Uint8Array(), 2).hasStartCode).toBe(false);
  });
});

describe('the recorded sound', () => {
  const data = audioVectors.packets.data.map(bytes);
  const parity = audioVectors.packets.parity.map(bytes);

  test('any two packets of a block come back through parity, bit by bit', () => {
    for (let a = 0; a < 4; a += 1) {
      for (let b = a + 1; b < 4; b += 1) {
        const plane = new AudioPlane({ packetDurationMs: 5, sealing: null });
        for (const [index, packet] of [...data, ...parity].entries()) {
          if (index !== a && index !== b) plane.take(packet, 1);
        }
        const heard = [...plane.packets].sort(([x], [y]) => x - y);
        expect(heard.map(([number]) => number)).toEqual([260, 261, 262, 263]);
        expect(heard.map(([, packet]) => hexOf(packet))).toEqual(
          data.map((packet) => hexOf(packet.subarray(12))),
        );
        expect(plane.recoveredCount).toBe(2);
        expect([...plane.lint]).toEqual([]);
      }
    }
  });

  test('numbers run on past 65535, and what is missing is named', () => {
    const plane = new AudioPlane({ packetDurationMs: 5, sealing: null });
    for (const sequence of [65_534, 65_535, 1]) {
      const packet = Uint8Array.from([0x80, 97, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]);
      new DataView(packet.buffer).setUint16(2, sequence);
      plane.take(packet, 1);
    }
    expect([...plane.packets.keys()]).toEqual([65_534, 65_535, 65_537]);
    expect(plane.inOrder().map((packet) => packet !== null)).toEqual([true, true, false, true]);
  });

  test('a size that changes and a timestamp in samples are against the rules', () => {
    const plane = new AudioPlane({ packetDurationMs: 5, sealing: null });
    plane.take(Uint8Array.from([0x80, 97, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), 1);
    plane.take(Uint8Array.from([0x80, 97, 0, 1, 0, 0, 0, 240, 0, 0, 0, 0, 1, 2]), 1);
    expect([...plane.lint.keys()].sort()).toEqual([
      'size is not constant',
      'timestamp is not number times duration',
    ]);
  });
});

test('pings carry 16 characters and a counter, or the four letters of old', () => {
  expect(hexOf(pingDatagram('0123456789ABCDEF', 2))).toBe(
    '3031323334353637383941424344454600000002',
  );
  expect(hexOf(pingDatagram(null, 7))).toBe('50494e47');
});
