import { describe, expect, test } from 'bun:test';
import { InputDispatcher } from '../../src/inject/dispatch.ts';
import type { InputEvent } from '../../src/inject/dispatch-events.ts';
import type { Injector } from '../../src/inject/port.ts';

function scripted(): { injector: Injector; calls: unknown[][] } {
  const calls: unknown[][] = [];
  const note =
    (name: string) =>
    (...values: unknown[]): void => {
      calls.push([name, ...values]);
    };
  return {
    calls,
    injector: {
      description: 'scripted',
      moveRelative: note('moveRelative'),
      moveAbsolute: note('moveAbsolute'),
      button: note('button'),
      scroll: note('scroll'),
      key: note('key'),
      text: note('text'),
      touch: note('touch'),
      pen: note('pen'),
      close: note('close'),
    },
  };
}

const key = (virtualKey: number, isDown: boolean, modifiers = 0): InputEvent => ({
  kind: 'key',
  virtualKey,
  isDown,
  modifiers,
  isDeviceLayout: false,
});

describe('InputDispatcher', () => {
  test('every kind of event reaches its call', () => {
    const { injector, calls } = scripted();
    const dispatcher = new InputDispatcher(injector);

    dispatcher.handle({ kind: 'pointer-move', dxPixels: 1, dyPixels: -2 });
    dispatcher.handle({ kind: 'pointer-position', x: 0.25, y: 1 });
    dispatcher.handle({ kind: 'pointer-button', button: 'right', isDown: true });
    dispatcher.handle({ kind: 'pointer-button', button: 'right', isDown: true });
    dispatcher.handle({ kind: 'scroll', verticalUnits: 120, horizontalUnits: 0 });
    dispatcher.handle(key(0x41, true, 1));
    dispatcher.handle({ kind: 'text', text: '€' });
    dispatcher.handle({ kind: 'haptics', isEnabled: true });

    expect(calls).toEqual([
      ['moveRelative', 1, -2],
      ['moveAbsolute', 0.25, 1],
      ['button', 'right', true],
      ['scroll', 120, 0],
      ['key', 42, true],
      ['key', 30, true],
      ['text', '€'],
    ]);
  });

  test('releaseAll lets go of keys, borrowed modifiers and buttons, once', () => {
    const { injector, calls } = scripted();
    const dispatcher = new InputDispatcher(injector);
    dispatcher.handle(key(0x41, true, 1));
    dispatcher.handle({ kind: 'pointer-button', button: 'left', isDown: true });
    calls.length = 0;

    dispatcher.releaseAll();
    dispatcher.releaseAll();

    expect(calls).toEqual([
      ['button', 'left', false],
      ['key', 30, false],
      ['key', 42, false],
    ]);
    expect(dispatcher.holdsNothing).toBe(true);
  });

  test('a key that no keyboard has is counted', () => {
    const { injector, calls } = scripted();
    const dispatcher = new InputDispatcher(injector);

    dispatcher.handle(key(0xff, true));

    expect(calls).toEqual([]);
    expect(dispatcher.unknownKeyCount).toBe(1);
  });
});
