import { describe, expect, test } from 'bun:test';
import type { PenSample, PointerButton, TouchContact } from '../../src/inject/port.ts';
import { baseKeymapText } from '../../src/inject/wlr/base-keymap.ts';
import { MODIFIER, modifiersOfKeymap } from '../../src/inject/wlr/keymap-modifiers.ts';
import { ModifierState } from '../../src/inject/wlr/modifier-state.ts';
import { penAsPointer, TouchAsPointer } from '../../src/inject/wlr/pointer-emulation.ts';
import { usableKeymap } from '../../src/inject/wlr/seat-keymap.ts';
import { codePointsOf, TEXT_SLOTS_MAX, TextKeymap } from '../../src/inject/wlr/text-keymap.ts';
import { WheelCounter } from '../../src/inject/wlr/wheel.ts';
import { seededRandom } from '../support/random.ts';

const NUM = MODIFIER.mod2;

describe('wheel steps', () => {
  test('one notch is distance 15 and one step', () => {
    expect(new WheelCounter().step(120)).toEqual({ distance: 15, notches: 1 });
  });

  test('a quarter notch moves a quarter; the fourth completes the step', () => {
    const wheel = new WheelCounter();

    const steps = [30, 30, 30, 30].map((units) => wheel.step(units));

    expect(steps.map(({ distance }) => distance)).toEqual([3.75, 3.75, 3.75, 3.75]);
    expect(steps.map(({ notches }) => notches)).toEqual([0, 0, 0, 1]);
  });

  test('turning back drops the started notch', () => {
    const wheel = new WheelCounter();
    wheel.step(90);

    expect(wheel.step(-90)).toEqual({ distance: -11.25, notches: 0 });
    expect(wheel.step(-30)).toEqual({ distance: -3.75, notches: -1 });
  });

  test('over 10 000 random turns one way the notches are the whole turns', () => {
    const random = seededRandom('wheel');
    const wheel = new WheelCounter();
    let units = 0;
    let notches = 0;
    for (let turn = 0; turn < 10_000; turn += 1) {
      const step = random.int(1, 500);
      units += step;
      notches += wheel.step(step).notches;
    }
    expect(notches).toBe(Math.trunc(units / 120));
  });

  test('an absurd turn is cut to 100 notches', () => {
    expect(new WheelCounter().step(1e9)).toEqual({ distance: 1500, notches: 100 });
  });
});

describe('modifiers of a keymap', () => {
  test('the host`s keymap has both of each modifier and Caps Lock', () => {
    const { held, locking } = modifiersOfKeymap(baseKeymapText());

    expect([...held]).toEqual([
      [29, MODIFIER.control],
      [42, MODIFIER.shift],
      [54, MODIFIER.shift],
      [56, MODIFIER.mod1],
      [97, MODIFIER.control],
      [100, MODIFIER.mod1],
      [125, MODIFIER.mod4],
      [126, MODIFIER.mod4],
    ]);
    expect([...locking]).toEqual([[58, MODIFIER.lock]]);
  });

  test('AltGr of another layout is the fifth modifier, a swapped Caps Lock is Control', () => {
    const text = `xkb_keycodes "x" { <RALT> = 108; <CAPS> = 66; <AC01> = 38; };
      xkb_symbols "x" {
        key <RALT> { type= "ONE_LEVEL", symbols[Group1]= [ ISO_Level3_Shift ] };
        key <CAPS> { [ Control_L ] };
        key <AC01> { type= "ALPHABETIC", symbols[Group1]= [ a, A ], symbols[Group2]= [ Shift_L ] };
      };`;

    expect([...modifiersOfKeymap(text).held]).toEqual([
      [100, MODIFIER.mod5],
      [58, MODIFIER.control],
    ]);
  });

  test('symbols written as numbers are the same modifiers', () => {
    const text = `xkb_keycodes "x" { <RALT> = 108; <CAPS> = 66; <LFSH> = 50; };
      xkb_symbols "x" {
        key <RALT> { type= "ONE_LEVEL", symbols[1]= [ 0xfe03 ] };
        key <CAPS> {\t[ 0xffe5 ] };
        key <LFSH> {\t[ 0xffe1 ] };
      };`;
    const { held, locking } = modifiersOfKeymap(text);

    expect([...held]).toEqual([
      [100, MODIFIER.mod5],
      [42, MODIFIER.shift],
    ]);
    expect([...locking]).toEqual([[58, MODIFIER.lock]]);
  });

  test('text that is no keymap has none', () => {
    const { held, locking } = modifiersOfKeymap('key <A> { [ Shift_L ] }; <B> = ;'.repeat(1000));

    expect([held.size, locking.size]).toEqual([0, 0]);
  });

  test('a modifier ends with the last of its keys', () => {
    const state = new ModifierState(modifiersOfKeymap(baseKeymapText()));

    expect(state.update(42, true)).toBe(true);
    expect(state.update(54, true)).toBe(false);
    expect(state.update(42, false)).toBe(false);
    expect(state.depressed).toBe(MODIFIER.shift);
    expect(state.update(54, false)).toBe(true);
    expect(state.depressed).toBe(0);
  });

  test('Caps Lock locks with each press; Num Lock stays on', () => {
    const state = new ModifierState(modifiersOfKeymap(baseKeymapText()));

    const locked = [58, 58, 69].map((code) => {
      state.update(code, true);
      state.update(code, false);
      return state.locked;
    });

    expect(locked).toEqual([MODIFIER.lock | NUM, NUM, NUM]);
  });

  test('a keymap of our own on the seat is not taken for the desktop`s', () => {
    expect(usableKeymap(baseKeymapText())).toBeNull();
    expect(usableKeymap('xkb_keymap { xkb_symbols "pc+de" {}; };')).not.toBeNull();
    expect(usableKeymap(null)).toBeNull();
  });
});

describe('keymaps for text', () => {
  test('each different character gets one key, in the order typed', () => {
    const keymap = new TextKeymap();

    const { codes, changed } = keymap.assign(codePointsOf('abba', 100));

    expect(changed).toBe(true);
    expect(codes[0]).toBe(codes[3] ?? -1);
    expect(codes[1]).toBe(codes[2] ?? -1);
    expect(codes[0]).not.toBe(codes[1] ?? -1);
    expect(keymap.assign(codePointsOf('ba', 100)).changed).toBe(false);
  });

  test('line end, tab and backspace are the keys of that name', () => {
    expect(new TextKeymap().assign([0x0a, 0x0d, 0x09, 0x08])).toEqual({
      codes: [28, 28, 15, 14],
      changed: false,
    });
  });

  test('other control characters and halves of surrogate pairs are left out', () => {
    expect(codePointsOf('a\ud800b', 100)).toEqual([0x61, 0x62]);
    expect(new TextKeymap().assign([0x00, 0x07, 0x85, 0x9f]).codes).toEqual([]);
  });

  test('a character is named by its code point', () => {
    const keymap = new TextKeymap();
    keymap.assign(codePointsOf('é€😀', 100));

    expect(keymap.text()).toContain('[U00E9]');
    expect(keymap.text()).toContain('[U20AC]');
    expect(keymap.text()).toContain('[U1F600]');
  });

  test('no character lies on Escape, Tab, Enter, a modifier or a navigation key', () => {
    const keymap = new TextKeymap();
    const points = Array.from({ length: TEXT_SLOTS_MAX }, (_, index) => 0x4e00 + index);

    const { codes } = keymap.assign(points);

    expect(new Set(codes).size).toBe(TEXT_SLOTS_MAX);
    const kept = [1, 14, 15, 28, 29, 42, 54, 56, 58, 97, 100, 103, 105, 106, 108, 111, 125, 126];
    expect(codes.filter((code) => kept.includes(code) || code > 247)).toEqual([]);
  });

  test('when all keys are lent it begins anew with what is typed now', () => {
    const keymap = new TextKeymap();
    keymap.assign(Array.from({ length: TEXT_SLOTS_MAX }, (_, index) => 0x4e00 + index));

    const { codes, changed } = keymap.assign([0x61, 0x4e00]);

    expect(changed).toBe(true);
    expect(new Set(codes).size).toBe(2);
    expect(keymap.text().match(/\[U/g)?.length).toBe(2);
  });

  test('text is cut at the given count', () => {
    expect(codePointsOf('x'.repeat(10_000), 4096).length).toBe(4096);
  });
});

describe('touch and pen on a pointer', () => {
  function recorder() {
    const calls: string[] = [];
    return {
      calls,
      moveAbsolute: (x: number, y: number) => calls.push(`to ${x} ${y}`),
      button: (button: PointerButton, isDown: boolean) =>
        calls.push(`${button} ${isDown ? 'down' : 'up'}`),
    };
  }

  function contact(pointerId: number, phase: TouchContact['phase'], x = 0.5): TouchContact {
    const size = { pressure: 1, contactMajor: 0, contactMinor: 0, rotationDeg: null };
    return { pointerId, phase, x, y: 0.25, ...size };
  }

  function sample(phase: PenSample['phase'], buttons = 0): PenSample {
    const still = { tool: 'pen', pressure: 1, rotationDeg: null, tiltDeg: null } as const;
    return { ...still, phase, buttons, x: 0.5, y: 0.25 };
  }

  test('the first finger is the left button; a second one does nothing', () => {
    const touch = new TouchAsPointer();
    const target = recorder();

    touch.apply(contact(1, 'down'), target);
    touch.apply(contact(2, 'down', 0.9), target);
    touch.apply(contact(2, 'move', 0.8), target);
    touch.apply(contact(1, 'move', 0.6), target);
    touch.apply(contact(1, 'up', 0.6), target);

    expect(target.calls).toEqual([
      'to 0.5 0.25',
      'left down',
      'to 0.6 0.25',
      'to 0.6 0.25',
      'left up',
    ]);
  });

  test('cancelling all lifts the finger and frees the next', () => {
    const touch = new TouchAsPointer();
    const target = recorder();

    touch.apply(contact(1, 'down'), target);
    touch.apply(contact(0, 'cancel-all'), target);
    touch.apply(contact(0, 'cancel-all'), target);
    touch.apply(contact(7, 'down'), target);

    expect(target.calls.filter((call) => call.startsWith('left'))).toEqual([
      'left down',
      'left up',
      'left down',
    ]);
  });

  test('the pen`s tip is the left button, its barrel buttons right and middle', () => {
    const target = recorder();

    penAsPointer(sample('down', 1), target);
    penAsPointer(sample('up', 2), target);

    expect(target.calls).toEqual([
      ...['to 0.5 0.25', 'left down', 'right down', 'middle up'],
      ...['to 0.5 0.25', 'left up', 'right up', 'middle down'],
    ]);
  });

  test('a pen that leaves lets every button go without moving', () => {
    const target = recorder();

    penAsPointer(sample('hover-leave', 3), target);

    expect(target.calls).toEqual(['left up', 'right up', 'middle up']);
  });
});
