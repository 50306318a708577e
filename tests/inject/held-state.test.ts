import { describe, expect, test } from 'bun:test';
import { CONTACTS_MAX, HeldState, type KeyStroke } from '../../src/inject/held-state.ts';
import type { PenSample, TouchContact } from '../../src/inject/port.ts';
import { seededRandom } from '../support/random.ts';

const A = 30;
const B = 48;
const LEFT_SHIFT = 42;
const RIGHT_SHIFT = 54;
const LEFT_CTRL = 29;
const RIGHT_ALT = 100;
const SHIFT = 1;
const CTRL = 2;
const ALT = 4;

const down = (evdevCode: number): KeyStroke => ({ evdevCode, isDown: true });
const up = (evdevCode: number): KeyStroke => ({ evdevCode, isDown: false });

describe('keys', () => {
  test('a repeated press and the release of a key that is not held inject nothing', () => {
    const held = new HeldState();

    expect(held.key(A, true, 0)).toEqual([down(A)]);
    expect(held.key(A, true, 0)).toEqual([]);
    expect(held.key(A, false, 0)).toEqual([up(A)]);
    expect(held.key(A, false, 0)).toEqual([]);
  });

  test('a flagged modifier that is not held is pressed around the key', () => {
    const held = new HeldState();

    expect(held.key(A, true, SHIFT | CTRL)).toEqual([down(LEFT_SHIFT), down(LEFT_CTRL), down(A)]);
    expect(held.key(A, false, 0)).toEqual([up(A), up(LEFT_SHIFT), up(LEFT_CTRL)]);
    expect(held.isEmpty).toBe(true);
  });

  test('a modifier that is held, on either side, is not pressed again', () => {
    const held = new HeldState();
    held.key(RIGHT_SHIFT, true, SHIFT);

    expect(held.key(A, true, SHIFT)).toEqual([down(A)]);
    expect(held.key(RIGHT_SHIFT, false, 0)).toEqual([up(RIGHT_SHIFT)]);
    expect(held.key(A, false, 0)).toEqual([up(A)]);
  });

  test('a modifier key borrows nothing for itself', () => {
    const held = new HeldState();

    expect(held.key(LEFT_SHIFT, true, SHIFT | CTRL)).toEqual([down(LEFT_SHIFT)]);
  });

  test('the next key without the flag gives a borrowed modifier back first', () => {
    const held = new HeldState();
    held.key(A, true, SHIFT);

    expect(held.key(B, true, 0)).toEqual([up(LEFT_SHIFT), down(B)]);
    expect(held.key(A, false, 0)).toEqual([up(A)]);
  });

  test('two keys share a borrowed modifier and the later one gives it back', () => {
    const held = new HeldState();
    held.key(A, true, SHIFT);

    expect(held.key(B, true, SHIFT)).toEqual([down(B)]);
    expect(held.key(A, false, SHIFT)).toEqual([up(A)]);
    expect(held.key(B, false, SHIFT)).toEqual([up(B), up(LEFT_SHIFT)]);
  });

  test('a borrowed modifier whose key is then really pressed stays until it is released', () => {
    const held = new HeldState();
    held.key(A, true, SHIFT);

    expect(held.key(LEFT_SHIFT, true, SHIFT)).toEqual([]);
    expect(held.key(A, false, SHIFT)).toEqual([up(A)]);
    expect(held.key(LEFT_SHIFT, false, 0)).toEqual([up(LEFT_SHIFT)]);
  });

  test('AltGr flagged as ctrl and alt borrows no ctrl', () => {
    const held = new HeldState();
    held.key(RIGHT_ALT, true, ALT);

    expect(held.key(A, true, CTRL | ALT)).toEqual([down(A)]);
  });
});

describe('letting go', () => {
  const contact = (pointerId: number, phase: TouchContact['phase']): TouchContact => ({
    pointerId,
    phase,
    x: 0.5,
    y: 0.5,
    pressure: 1,
    contactMajor: 0,
    contactMinor: 0,
    rotationDeg: null,
  });
  const pen = (phase: PenSample['phase']): PenSample => ({
    phase,
    tool: 'pen',
    buttons: 1,
    x: 0,
    y: 0,
    pressure: 1,
    rotationDeg: null,
    tiltDeg: null,
  });

  test('all that is held is released once', () => {
    const held = new HeldState();
    held.key(A, true, SHIFT);
    held.button('left', true);
    held.touch(contact(7, 'down'));
    held.pen(pen('down'));

    expect(held.releaseAll()).toEqual([
      { kind: 'touch', contact: { ...contact(7, 'cancel'), pressure: 0 } },
      { kind: 'pen', sample: { ...pen('cancel'), buttons: 0, pressure: 0 } },
      { kind: 'button', button: 'left' },
      { kind: 'key', evdevCode: A },
      { kind: 'key', evdevCode: LEFT_SHIFT },
    ]);
    expect(held.releaseAll()).toEqual([]);
    expect(held.isEmpty).toBe(true);
    expect(held.key(A, false, 0)).toEqual([]);
  });

  test('a hovering pen leaves, a pen that is away does not', () => {
    const held = new HeldState();
    held.pen(pen('hover'));
    expect(held.releaseAll()).toMatchObject([{ sample: { phase: 'hover-leave' } }]);

    held.pen(pen('hover'));
    held.pen(pen('hover-leave'));
    expect(held.releaseAll()).toEqual([]);
  });

  test('moves and lifts of fingers that are not down are not injected, nor a 33rd finger', () => {
    const held = new HeldState();

    expect(held.touch(contact(1, 'move'))).toBe(false);
    expect(held.touch(contact(1, 'up'))).toBe(false);
    for (let id = 0; id < CONTACTS_MAX; id += 1) expect(held.touch(contact(id, 'down'))).toBe(true);
    expect(held.touch(contact(99, 'down'))).toBe(false);
    expect(held.touch(contact(5, 'down'))).toBe(true);
    expect(held.touch(contact(5, 'up'))).toBe(true);
    expect(held.touch(contact(99, 'down'))).toBe(true);
    expect(held.touch(contact(0, 'cancel-all'))).toBe(true);
    expect(held.isEmpty).toBe(true);
  });

  test('100000 random events never leave a key, button or finger behind', () => {
    const random = seededRandom('held state');
    const held = new HeldState();
    const keys = new Map<number, boolean>();
    const codes = [A, B, LEFT_SHIFT, RIGHT_SHIFT, LEFT_CTRL, RIGHT_ALT, 125];
    for (let step = 0; step < 100_000; step += 1) {
      const code = codes[random.int(0, codes.length - 1)] ?? A;
      const strokes = held.key(code, random.int(0, 1) === 1, random.int(0, 15));
      for (const { evdevCode, isDown } of strokes) {
        // A key is never pressed while down nor released while up.
        if ((keys.get(evdevCode) ?? false) === isDown) throw new Error(`step ${step}`);
        keys.set(evdevCode, isDown);
      }
      if (random.int(0, 99) > 0) continue;
      for (const release of held.releaseAll()) {
        if (release.kind === 'key') keys.set(release.evdevCode, false);
      }
      expect([...keys.values()]).not.toContain(true);
    }
  });
});
