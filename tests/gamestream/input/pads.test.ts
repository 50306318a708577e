import { describe, expect, test } from 'bun:test';
import { PadRegistry } from '../../../src/gamestream/input/pads.ts';
import type { PadCapabilities, PadEvent, PadState } from '../../../src/inject/dispatch-events.ts';

const NOTHING: PadCapabilities = {
  analogueTriggers: false,
  rumble: false,
  triggerRumble: false,
  touchpad: false,
  accelerometer: false,
  gyro: false,
  battery: false,
  light: false,
  dualTouchpad: false,
};
const RESTING: PadState = {
  buttons: 0,
  leftTrigger: 0,
  rightTrigger: 0,
  leftX: 0,
  leftY: 0,
  rightX: 0,
  rightY: 0,
};
const state = (pad: number, activeMask: number): PadEvent => ({
  kind: 'pad-state',
  pad,
  activeMask,
  state: RESTING,
});
const arrival = (pad: number, padKind: 'playstation' | 'xbox'): PadEvent => ({
  kind: 'pad-arrival',
  pad,
  padKind,
  capabilities: { ...NOTHING, gyro: true },
  supportedButtons: 1,
});

describe('PadRegistry', () => {
  test('an announced pad appears once and then changes', () => {
    const pads = new PadRegistry();

    expect(pads.apply(arrival(2, 'playstation'))).toMatchObject([{ kind: 'appeared', pad: 2 }]);
    expect(pads.state(2)).toBeNull();
    expect(pads.apply(state(2, 4))).toEqual([{ kind: 'changed', pad: 2, state: RESTING }]);
    expect(pads.describe(2)?.padKind).toBe('playstation');
    expect(pads.describe(2)?.capabilities.gyro).toBe(true);
    expect(pads.mask).toBe(4);
  });

  test('a pad that was never announced appears as an Xbox pad with its first state', () => {
    const pads = new PadRegistry();

    const changes = pads.apply(state(0, 1));

    expect(changes.map((change) => change.kind)).toEqual(['appeared', 'changed']);
    expect(pads.describe(0)).toMatchObject({
      padKind: 'xbox',
      capabilities: { analogueTriggers: true, rumble: true, gyro: false },
    });
  });

  test('a state whose mask lacks its own bit unplugs the pad', () => {
    const pads = new PadRegistry();
    pads.apply(state(0, 1));

    expect(pads.apply(state(0, 0))).toEqual([{ kind: 'gone', pad: 0 }]);
    expect(pads.apply(state(0, 0))).toEqual([]);
    expect(pads.mask).toBe(0);
  });

  test('a state of one pad unplugs the others that its mask lacks', () => {
    const pads = new PadRegistry();
    pads.apply(state(0, 1));
    pads.apply(state(1, 3));
    pads.apply(state(15, 0x8003));

    expect(pads.apply(state(1, 2)).map(({ kind, pad }) => [kind, pad])).toEqual([
      ['gone', 0],
      ['gone', 15],
      ['changed', 1],
    ]);
  });

  test('a pad announced again is replaced', () => {
    const pads = new PadRegistry();
    pads.apply(arrival(0, 'xbox'));

    expect(pads.apply(arrival(0, 'playstation')).map((change) => change.kind)).toEqual([
      'gone',
      'appeared',
    ]);
  });

  test('reports pass for pads that are there and end for those that are not', () => {
    const pads = new PadRegistry();
    const motion: PadEvent = { kind: 'pad-motion', pad: 0, sensor: 'gyro', x: 0, y: 0, z: 0 };

    expect(pads.apply(motion)).toEqual([]);
    pads.apply(arrival(0, 'xbox'));
    expect(pads.apply(motion)).toEqual([motion]);
    expect(pads.clear()).toEqual([{ kind: 'gone', pad: 0 }]);
    expect(pads.clear()).toEqual([]);
  });
});
