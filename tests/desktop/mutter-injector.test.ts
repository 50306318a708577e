/** What the Mutter injector says to the bus, without a Mutter. */
import { describe, expect, test } from 'bun:test';
import { openMutterInjector } from '../../src/inject/mutter/injector.ts';
import { strokesOf } from '../../src/inject/mutter/keysym.ts';
import { axisEvents } from '../../src/inject/mutter/scroll.ts';
import type { TouchContact } from '../../src/inject/port.ts';
import { logger } from '../../src/platform/log.ts';
import { modeOf } from './mutter-rig.ts';

const STREAM = '/stream/1';

function scriptedInjector() {
  const calls: unknown[][] = [];
  const injector = openMutterInjector({
    notify: (member, signature, body) => calls.push([member, signature, ...body]),
    streamPath: STREAM,
    mode: () => modeOf('1281x721@60'),
    log: logger('test'),
  });
  calls.length = 0;
  return { injector, calls };
}

function finger(pointerId: number, phase: TouchContact['phase'], x = 0.5): TouchContact {
  const still = { y: 0.5, pressure: 1, contactMajor: 0, contactMinor: 0, rotationDeg: null };
  return { pointerId, phase, x, ...still };
}

describe('the Mutter injector', () => {
  test('absolute positions are stream pixels and never leave the screen', () => {
    const { injector, calls } = scriptedInjector();

    for (const [x, y] of [
      [0, 0],
      [1, 1],
      [0.5, 0.5],
      [-3, 7],
      [Number.NaN, Number.POSITIVE_INFINITY],
    ] as const) {
      injector.moveAbsolute(x, y);
    }

    expect(calls.map((call) => call.slice(2))).toEqual([
      [STREAM, 0, 0],
      [STREAM, 1280, 720],
      [STREAM, 640, 360],
      [STREAM, 0, 720],
      [STREAM, 0, 0],
    ]);
  });

  test('a seventeenth finger is ignored until one is lifted', () => {
    const { injector, calls } = scriptedInjector();

    for (let id = 0; id < 17; id++) injector.touch(finger(id, 'down'));
    expect(calls.length).toBe(16);
    injector.touch(finger(16, 'move'));
    expect(calls.length).toBe(16);
    injector.touch(finger(3, 'up'));
    injector.touch(finger(16, 'down'));

    expect(calls.slice(16).map(([member, , ...rest]) => [member, ...rest])).toEqual([
      ['NotifyTouchUp', 3],
      ['NotifyTouchDown', STREAM, 3, 640, 360],
    ]);
  });

  test('at most 256 keys are held, each is released once, and nothing follows the close', () => {
    const { injector, calls } = scriptedInjector();
    for (let code = 1; code <= 300; code++) injector.key(code, true);
    injector.button('left', true);
    injector.touch(finger(9, 'down'));
    expect(calls.length).toBe(258);
    calls.length = 0;

    injector.close();
    injector.close();
    injector.key(1, true);
    injector.text('x');

    expect(calls.filter(([member]) => member === 'NotifyKeyboardKeycode').length).toBe(256);
    expect(calls.slice(256)).toEqual([
      ['NotifyPointerButton', 'ib', 0x110, false],
      ['NotifyTouchUp', 'u', 0],
    ]);
  });

  test('a release without a press is not passed on', () => {
    const { injector, calls } = scriptedInjector();

    injector.key(30, false);
    injector.button('left', false);
    injector.touch(finger(1, 'up'));
    injector.touch(finger(1, 'move'));
    injector.touch(finger(1, 'hover'));

    expect(calls).toEqual([]);
  });

  test('text is cut at 1024 characters', () => {
    const { injector, calls } = scriptedInjector();

    injector.text('a'.repeat(2_000));

    expect(calls.length).toBe(2 * 1024);
  });

  test.each([
    [120, 0, [{ kind: 'notches', axis: 'vertical', steps: -1 }]],
    [-360, 0, [{ kind: 'notches', axis: 'vertical', steps: 3 }]],
    [0, -120, [{ kind: 'notches', axis: 'horizontal', steps: -1 }]],
    [60, 0, [{ kind: 'distance', dx: 0, dy: -5 }]],
    [120, 12, [{ kind: 'distance', dx: 1, dy: -10 }]],
    [0, 0, []],
  ] as const)('%d up and %d right scroll as told', (vertical, horizontal, events) => {
    expect(axisEvents(vertical, horizontal)).toEqual([...events]);
  });

  test('ASCII is one key, other characters are their code point, control characters are keys', () => {
    const downs = (text: string) =>
      strokesOf(text.codePointAt(0) ?? 0)
        .filter(({ isDown }) => isDown)
        .map(({ keysym }) => keysym);

    expect(downs('A')).toEqual([0x41]);
    expect(downs('\n')).toEqual([0xff0d]);
    expect(downs('\u0001')).toEqual([]);
    expect(downs('\ud800')).toEqual([]);
    expect(downs('€')).toEqual([0xffe3, 0xffe1, 0x75, ...[...'20ac '].map((c) => c.charCodeAt(0))]);
  });

  test('every stroke that goes down comes up', () => {
    for (const character of 'a€😀\t') {
      const held = new Set<number>();
      for (const { keysym, isDown } of strokesOf(character.codePointAt(0) ?? 0)) {
        expect(held.has(keysym)).toBe(!isDown);
        if (isDown) held.add(keysym);
        else held.delete(keysym);
      }
      expect(held.size).toBe(0);
    }
  });
});
