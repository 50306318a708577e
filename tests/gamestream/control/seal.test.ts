import { describe, expect, test } from 'bun:test';
import { createCipheriv } from 'node:crypto';
import {
  encodeAdaptiveTriggers,
  encodeHdrMode,
  encodeLight,
  encodeMotion,
  encodeRumble,
  encodeTermination,
  encodeTriggerRumble,
  TERMINATION,
} from '../../../src/gamestream/control/feedback.ts';
import { decodeClientMessage } from '../../../src/gamestream/control/messages.ts';
import { openControl, sealControl } from '../../../src/gamestream/control/seal.ts';
import vectors from '../../fixtures/gamestream-crypto.json' with { type: 'json' };
import { seededRandom } from '../../support/random.ts';

const FUZZ_COUNT = 100_000;
const key = Buffer.from(vectors.rikey, 'hex');
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const CASES = (['controlV2', 'controlLegacy'] as const).flatMap((name) =>
  (['clientToHost', 'hostToClient'] as const).flatMap((direction) =>
    vectors[name][direction].map((vector) => ({
      variant: name === 'controlV2' ? ('v2' as const) : ('legacy' as const),
      sender: direction === 'clientToHost' ? ('client' as const) : ('host' as const),
      ...vector,
    })),
  ),
);

describe('sealed control messages', () => {
  test.each(CASES)('$variant $sender $type #$sequence matches its vector', (vector) => {
    const message = { type: Number(vector.type), payload: Buffer.from(vector.payload, 'hex') };

    const wire = sealControl(key, vector.variant, vector.sender, vector.sequence, message);
    const opened = openControl(key, vector.variant, vector.sender, Buffer.from(vector.wire, 'hex'));

    expect(hex(wire)).toBe(vector.wire);
    expect(opened).toEqual({ ok: true, sequence: vector.sequence, message });
  });

  test('the other direction, another key and every flipped byte are not authentic', () => {
    const wire = sealControl(key, 'v2', 'client', 3, { type: 0x302, payload: new Uint8Array(2) });

    expect(openControl(key, 'v2', 'host', wire)).toMatchObject({ reason: 'unauthentic' });
    expect(openControl(key, 'legacy', 'client', wire)).toMatchObject({ reason: 'unauthentic' });
    expect(openControl(new Uint8Array(16), 'v2', 'client', wire).ok).toBe(false);
    for (let index = 0; index < wire.length; index += 1) {
      const damaged = Uint8Array.from(wire);
      damaged[index] = (damaged[index] ?? 0) ^ 0x55;
      expect(openControl(key, 'v2', 'client', damaged).ok).toBe(false);
    }
  });

  test('every cut is refused; bytes behind the message are not read', () => {
    const wire = sealControl(key, 'v2', 'client', 3, { type: 0x302, payload: new Uint8Array(2) });

    for (let length = 0; length < wire.length; length += 1) {
      expect(openControl(key, 'v2', 'client', wire.subarray(0, length)).ok).toBe(false);
    }
    expect(openControl(key, 'v2', 'client', Buffer.concat([wire, Buffer.alloc(9, 9)])).ok).toBe(
      true,
    );
  });

  test('an unsealed message is told apart', () => {
    expect(openControl(key, 'v2', 'client', Buffer.from('020302000000', 'hex'))).toEqual({
      ok: false,
      reason: 'unsealed',
    });
  });

  test('an authentic message whose inner length says too much is malformed', () => {
    const iv = new Uint8Array(12);
    iv.set([0x43, 0x43], 10);
    const cipher = createCipheriv('aes-128-gcm', key, iv);
    const ciphertext = cipher.update(Uint8Array.of(0x02, 0x03, 3, 0, 1, 2));
    cipher.final();
    const head = Uint8Array.of(1, 0, 26, 0, 0, 0, 0, 0);

    const wire = Buffer.concat([head, cipher.getAuthTag(), ciphertext]);

    expect(openControl(key, 'v2', 'client', wire)).toEqual({ ok: false, reason: 'malformed' });
  });

  test(`${FUZZ_COUNT} random and damaged messages are refused without an exception`, () => {
    const random = seededRandom('control');
    let opened = 0;
    for (let index = 0; index < FUZZ_COUNT; index += 1) {
      const vector = CASES[random.int(0, CASES.length - 1)];
      let bytes: Uint8Array = random.bytes(Math.min(index >> 6, random.int(0, 300)));
      if (vector && index % 2 === 0) {
        bytes = Buffer.from(vector.wire, 'hex').subarray(0, random.int(0, 200));
        for (let damage = random.int(1, 3); damage > 0 && bytes.length > 0; damage -= 1) {
          bytes[random.int(0, bytes.length - 1)] = random.int(0, 255);
        }
      } else if (bytes.length > 1) {
        bytes[0] = 1;
        bytes[1] = 0;
      }
      const variant = index % 3 === 0 ? 'legacy' : 'v2';
      if (openControl(key, variant, 'client', bytes).ok) opened += 1;
      // Damage that restores the byte it hit opens a vector again; noise never opens.
    }
    expect(opened).toBeLessThan(FUZZ_COUNT / 50);
  });
});

describe('messages of the device', () => {
  const decode = (type: number, payloadHex: string): unknown =>
    decodeClientMessage({ type, payload: Buffer.from(payloadHex, 'hex') });

  test.each([
    [0x0302, '0000', { kind: 'idr' }],
    [0x0302, '', { kind: 'idr' }],
    [0x0307, '00', { kind: 'start' }],
    [0x0305, '0000', { kind: 'start' }],
    [0x0200, '0400000000000000', { kind: 'ping' }],
    [
      0x0301,
      '640000000000000065000000000000000000000000000000',
      { kind: 'rfi', first: 100, last: 101 },
    ],
    [0x0350, '2a00000000000000', { kind: 'ltr-ack', frame: 42 }],
    [
      0x5502,
      '0000006400100009000200050001000400010014000104'.slice(0, 42),
      {
        kind: 'fec-status',
        status: {
          frame: 100,
          highestReceivedSequence: 16,
          nextContiguousSequence: 9,
          missingBeforeHighest: 2,
          dataShards: 5,
          parityShards: 1,
          receivedDataShards: 4,
          receivedParityShards: 1,
          parityPct: 0,
          blockIndex: 20,
          blockCount: 0,
        },
      },
    ],
    [
      0x0201,
      '0300000032000000e803000064000000000000000000000000000000140000',
      { kind: 'loss-stats', stats: { lostCount: 3, intervalMs: 50, lastGoodFrame: 100 } },
    ],
  ])('type %d with %s', (type, payloadHex, message) => {
    expect(decode(type, payloadHex)).toEqual({ ok: true, message });
  });

  test.each([
    [0x0301, 11],
    [0x0350, 3],
    [0x5502, 20],
    [0x0201, 15],
  ])('type %d with %d bytes is too short, from the empty payload up', (type, bytes) => {
    for (let length = 0; length <= bytes; length += 1) {
      expect(decode(type, '00'.repeat(length))).toEqual({ ok: false, reason: 'short' });
    }
    expect(decode(type, '00'.repeat(bytes + 1))).toMatchObject({ ok: true });
  });

  test('a range that ends before it begins has no meaning; unknown types are told apart', () => {
    expect(decode(0x0301, '650000000000000064000000')).toEqual({ ok: false, reason: 'range' });
    expect(decode(0x3001, '00')).toEqual({ ok: false, reason: 'unknown' });
  });
});

describe('messages of the host', () => {
  test.each([
    ['termination', encodeTermination(TERMINATION.graceful), 0x0109, '80030023'],
    ['rumble', encodeRumble(0, 0x1111, 0x2222), 0x010b, '00000000000011112222'],
    ['rumble, clamped', encodeRumble(1, -4, 70_000), 0x010b, '0000000001000000ffff'],
    ['trigger rumble', encodeTriggerRumble(1, 2, 0xffff), 0x5500, '01000200ffff'],
    ['motion on', encodeMotion(0, 100, 'gyro'), 0x5501, '0000640002'],
    ['motion off', encodeMotion(3, 0, 'accelerometer'), 0x5501, '0300000001'],
    ['light', encodeLight(2, 255, 0, 300), 0x5502, '0200ff00ff'],
    [
      'adaptive triggers',
      encodeAdaptiveTriggers(1, null, { type: 0x21, parameters: Uint8Array.of(1, 2, 3) }),
      0x5503,
      `0100040021${'00'.repeat(10)}010203${'00'.repeat(7)}`,
    ],
    [
      'adaptive triggers, both',
      encodeAdaptiveTriggers(
        0,
        { type: 1, parameters: new Uint8Array(12).fill(7) },
        { type: 2, parameters: new Uint8Array() },
      ),
      0x5503,
      `00000c0102${'07'.repeat(10)}${'00'.repeat(10)}`,
    ],
    ['HDR off', encodeHdrMode(false, null), 0x010e, '00'.repeat(27)],
  ])('%s', (_name, message, type, payloadHex) => {
    expect(message.type).toBe(type);
    expect(hex(message.payload)).toBe(payloadHex);
  });

  test('HDR metadata is the payload of the vector', () => {
    const vector = vectors.controlV2.hostToClient[2]?.payload ?? '';
    const words = Buffer.from(vector, 'hex');
    const word = (index: number): number => words.readUInt16LE(1 + index * 2);
    const point = (index: number): { x: number; y: number } => ({
      x: word(index),
      y: word(index + 1),
    });

    const message = encodeHdrMode(true, {
      red: point(0),
      green: point(2),
      blue: point(4),
      white: point(6),
      maxDisplayNits: 1000,
      minDisplayTenThousandthNits: 50,
      maxContentNits: 1000,
      maxFrameAverageNits: 400,
      maxFullFrameNits: 800,
    });

    expect(hex(message.payload)).toBe(vector);
  });
});
