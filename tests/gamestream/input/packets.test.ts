import { describe, expect, test } from 'bun:test';
import { decodeInput } from '../../../src/gamestream/input/packets.ts';
import type { InputEvent } from '../../../src/inject/dispatch-events.ts';
import vectors from '../../fixtures/gamestream-input.json' with { type: 'json' };
import { seededRandom } from '../../support/random.ts';

const FUZZ_COUNT = 150_000;
const f32 = Math.fround;
const ALL_CAPABILITIES = {
  analogueTriggers: true,
  rumble: true,
  triggerRumble: true,
  touchpad: true,
  accelerometer: true,
  gyro: true,
  battery: true,
  light: true,
  dualTouchpad: false,
};
const RESTING = {
  buttons: 0,
  leftTrigger: 0,
  rightTrigger: 0,
  leftX: 0,
  leftY: 0,
  rightX: 0,
  rightY: 0,
};

/** What each captured packet means, in the order of the vector file. */
const MEANINGS: readonly InputEvent[] = [
  { kind: 'haptics', isEnabled: true },
  { kind: 'pointer-move', dxPixels: 10, dyPixels: -20 },
  { kind: 'pointer-position', x: 320 / 639, y: 240 / 479 },
  { kind: 'pointer-button', button: 'left', isDown: true },
  { kind: 'pointer-button', button: 'left', isDown: false },
  { kind: 'scroll', verticalUnits: 120, horizontalUnits: 0 },
  { kind: 'scroll', verticalUnits: -33, horizontalUnits: 0 },
  { kind: 'scroll', verticalUnits: 0, horizontalUnits: -120 },
  { kind: 'key', virtualKey: 0x41, isDown: true, modifiers: 1, isDeviceLayout: false },
  { kind: 'key', virtualKey: 0x41, isDown: false, modifiers: 1, isDeviceLayout: true },
  { kind: 'text', text: 'h' },
  { kind: 'text', text: 'é' },
  { kind: 'text', text: '€' },
  {
    kind: 'pad-arrival',
    pad: 0,
    padKind: 'playstation',
    capabilities: ALL_CAPABILITIES,
    supportedButtons: 4_194_303,
  },
  { kind: 'pad-state', pad: 0, activeMask: 1, state: RESTING },
  {
    kind: 'pad-state',
    pad: 0,
    activeMask: 1,
    state: {
      buttons: 0x1000 | (17 << 16),
      leftTrigger: 17,
      rightTrigger: 34,
      leftX: 4660,
      leftY: -4660,
      rightX: 32_767,
      rightY: -32_768,
    },
  },
  { kind: 'pad-state', pad: 0, activeMask: 0, state: RESTING },
  {
    kind: 'pad-touch',
    pad: 0,
    touchpad: 0,
    phase: 'down',
    pointerId: 7,
    x: 0.25,
    y: 0.5,
    pressure: 1,
  },
  { kind: 'pad-motion', pad: 0, sensor: 'gyro', x: 1.5, y: -2.5, z: 3.5 },
  { kind: 'pad-motion', pad: 0, sensor: 'accelerometer', x: 0, y: f32(9.8), z: 0 },
  { kind: 'pad-battery', pad: 0, state: 'charging', chargePct: 77 },
  {
    kind: 'touch',
    contact: {
      pointerId: 42,
      phase: 'down',
      x: f32(0.1),
      y: f32(0.2),
      pressure: 0.5,
      contactMajor: f32(0.01),
      contactMinor: f32(0.02),
      rotationDeg: 90,
    },
  },
  {
    kind: 'pen',
    sample: {
      phase: 'hover',
      tool: 'pen',
      buttons: 1,
      x: f32(0.3),
      y: f32(0.4),
      pressure: f32(0.9),
      rotationDeg: null,
      tiltDeg: 45,
    },
  },
];

describe('captured packets', () => {
  test.each(vectors.messages.map((vector, index) => ({ ...vector, index })))(
    '$index: $name means what its client meant',
    ({ hex, index }) => {
      const meaning = MEANINGS[index];
      if (!meaning) throw new Error('the vector file has grown');

      expect(decodeInput(Buffer.from(hex, 'hex'))).toEqual({ ok: true, event: meaning });
    },
  );

  test('every cut is refused, every longer packet means the same', () => {
    for (const [index, { hex, name }] of vectors.messages.entries()) {
      const packet = Buffer.from(hex, 'hex');
      for (let length = 0; length < packet.length; length += 1) {
        expect(decodeInput(packet.subarray(0, length)).ok).toBe(false);
      }
      if (name === 'utf-8 text') continue;
      const longer = Buffer.concat([packet, Buffer.alloc(8, 0xff)]);
      longer.writeUInt32BE(packet.readUInt32BE(0) + 8, 0);
      expect(decodeInput(longer)).toEqual({ ok: true, event: MEANINGS[index] as InputEvent });
    }
  });
});

describe('packets without meaning', () => {
  const packet = (magic: number, body: string, size?: number): Buffer => {
    const bytes = Buffer.concat([Buffer.alloc(8), Buffer.from(body, 'hex')]);
    bytes.writeUInt32BE(size ?? bytes.length - 4, 0);
    bytes.writeUInt32LE(magic, 4);
    return bytes;
  };
  const floats = (...values: number[]): string => {
    const bytes = Buffer.alloc(values.length * 4);
    for (const [index, value] of values.entries()) bytes.writeFloatLE(value, index * 4);
    return bytes.toString('hex');
  };

  test.each([
    ['nothing', Buffer.alloc(0), 'short'],
    ['seven bytes', Buffer.alloc(7), 'short'],
    ['an unknown magic', packet(0x06, '0000'), 'unknown'],
    ['a size beyond the message', packet(0x07, '00000000', 9), 'size'],
    ['a size of 4 GiB', packet(0x07, '00000000', 0xffff_ffff), 'size'],
    ['a size below the packet’s own', packet(0x07, '00000000', 7), 'size'],
    ['a size of zero', packet(0x07, '00000000', 0), 'size'],
    ['button 0', packet(0x08, '00'), 'range'],
    ['button 6', packet(0x08, '06'), 'range'],
    ['a position on a surface without width', packet(0x05, '00010001000000000100'), 'range'],
    ['a position on a surface of negative size', packet(0x05, '000100010000ffffffff'), 'range'],
    ['key code 0', packet(0x03, '000080000000'), 'range'],
    ['text with a cut code point', packet(0x17, 'e282'), 'range'],
    ['text with a surrogate', packet(0x17, 'eda080'), 'range'],
    ['text with a NUL', packet(0x17, '00'), 'range'],
    ['33 bytes of text', packet(0x17, '61'.repeat(33)), 'range'],
    ['pad 16', packet(0x5500_0007, '10034d00'), 'range'],
    ['the state of pad 16', packet(0x0c, `1a001000${'00'.repeat(22)}`), 'range'],
    ['motion of an unknown sensor', packet(0x5500_0006, `00030000${floats(0, 0, 0)}`), 'range'],
    [
      'motion that is not a number',
      packet(0x5500_0006, `00010000${floats(0, Number.NaN, 0)}`),
      'range',
    ],
    ['endless motion', packet(0x5500_0006, `00010000${floats(0, Infinity, 0)}`), 'range'],
    ['touch event 5', packet(0x5500_0002, `0500000000000000${floats(0, 0, 0, 0, 0)}`), 'range'],
    ['touch event 8', packet(0x5500_0002, `0800000000000000${floats(0, 0, 0, 0, 0)}`), 'range'],
    [
      'touch nowhere',
      packet(0x5500_0002, `0100000000000000${floats(Number.NaN, 0, 0, 0, 0)}`),
      'range',
    ],
  ])('%s', (_name, bytes, reason) => {
    expect(decodeInput(bytes)).toEqual({ ok: false, reason: reason as 'range' });
  });

  test('coordinates outside of the surface are brought to its edge', () => {
    const touch = decodeInput(packet(0x5500_0002, `0100000000000000${floats(-3, 7, 9, 0, 0)}`));
    const mouse = decodeInput(packet(0x05, 'fff000640000000a000a'));

    expect(touch).toMatchObject({ event: { contact: { x: 0, y: 1, pressure: 1 } } });
    expect(mouse).toMatchObject({ event: { x: 0, y: 1 } });
  });

  test('a pen without rotation or tilt says so, and only pens report buttons alone', () => {
    const pen = packet(0x5500_0003, `05020900${floats(0, 0, 0)}ffffff00${floats(0, 0)}`);

    expect(decodeInput(pen)).toMatchObject({
      event: {
        sample: {
          phase: 'button-only',
          tool: 'eraser',
          buttons: 1,
          rotationDeg: null,
          tiltDeg: null,
        },
      },
    });
  });

  test(`${FUZZ_COUNT} random and damaged packets raise nothing`, () => {
    const random = seededRandom('input');
    const kinds = new Map<string, number>();
    for (let index = 0; index < FUZZ_COUNT; index += 1) {
      let bytes: Buffer = Buffer.from(random.bytes(Math.min(index >> 6, random.int(0, 64))));
      if (index % 2 === 0) {
        const vector = vectors.messages[random.int(0, vectors.messages.length - 1)];
        bytes = Buffer.from(vector?.hex ?? '', 'hex');
        for (let damage = random.int(1, 4); damage > 0; damage -= 1) {
          bytes[random.int(0, bytes.length - 1)] = random.int(0, 255);
        }
        if (random.int(0, 3) === 0) bytes = bytes.subarray(0, random.int(0, bytes.length));
      }
      const decoded = decodeInput(bytes);
      const kind = decoded.ok ? decoded.event.kind : decoded.reason;
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      if (decoded.ok && decoded.event.kind === 'touch') {
        const { x, y, pressure } = decoded.event.contact;
        if (!(x >= 0 && x <= 1 && y >= 0 && y <= 1 && pressure >= 0 && pressure <= 1)) {
          throw new Error(bytes.toString('hex'));
        }
      }
    }
    for (const kind of ['short', 'size', 'range', 'unknown', 'touch', 'pad-state', 'key']) {
      expect(kinds.get(kind) ?? 0).toBeGreaterThan(100);
    }
  });
});
