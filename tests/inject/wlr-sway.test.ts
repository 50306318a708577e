/** Keys, text, pointer and wheel as a program on a real sway sees them (`wev`). */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createSharedMemory } from '../../ffi/libc-fd.ts';
import { WaylandConnection } from '../../src/desktop/wayland/connection.ts';
import { WL_SEAT } from '../../src/desktop/wayland/protocols/core.ts';
import {
  VIRTUAL_KEYBOARD,
  VIRTUAL_KEYBOARD_MANAGER,
} from '../../src/desktop/wayland/protocols/wlr.ts';
import type { Injector } from '../../src/inject/port.ts';
import { openWlrInjector } from '../../src/inject/wlr/injector.ts';
import { logger } from '../../src/platform/log.ts';
import {
  type SessionProcess,
  type SwayDesktop,
  startSway,
  swaySkipReason,
  waitUntil,
} from '../desktop/harness.ts';

/** Below the runner's limit for one test, so that a failure says what was missing. */
const SEEN_TIMEOUT_MS = 12_000;
setDefaultTimeout(30_000);

const skipReason = swaySkipReason(['wev', 'xkbcli']);
if (skipReason) console.log(`skipped: input on sway: ${skipReason}`);

describe.skipIf(skipReason !== null)('input on sway', () => {
  let sway: SwayDesktop;
  let wev: SessionProcess;
  let injector: Injector;

  /** What wev printed since the last call, once it printed the last of `patterns`. */
  async function seen(...patterns: RegExp[]): Promise<string> {
    const text = () => wev.output().slice(mark);
    await waitUntil(
      () => patterns.every((pattern) => pattern.test(text())),
      `wev prints ${patterns.join(' and ')}`,
      10,
      SEEN_TIMEOUT_MS,
    );
    const found = text();
    mark = wev.output().length;
    return found;
  }
  let mark = 0;

  beforeAll(async () => {
    sway = await startSway({
      outputs: 2,
      config: [
        'output HEADLESS-2 mode --custom 1922x1082@60Hz position 1280 0',
        'bindsym Mod4+Return exec touch $XDG_RUNTIME_DIR/shortcut',
        'focus output HEADLESS-2',
      ].join('\n'),
    });
    await sway.message('focus output HEADLESS-2');
    wev = sway.spawn(['stdbuf', '-oL', 'wev']);
    await wev.waitFor(/configure: width: 1922; height: 1082/);
    injector = await openWlrInjector({
      socketPath: sway.socketPath,
      outputName: 'HEADLESS-2',
      log: logger('test'),
    });
    // A pointer that was there before the window is told no motion, so it moves until it is heard.
    let step = 0;
    await waitUntil(
      () => {
        step += 1;
        injector.moveAbsolute(0.25 + (step % 2) / 100, 0.25);
        return [/wl_pointer\] motion/, /wl_keyboard\] enter/].every((said) =>
          said.test(wev.output()),
        );
      },
      'wev has pointer and keyboard',
      100,
      SEEN_TIMEOUT_MS,
    );
    injector.moveAbsolute(0.3, 0.25);
    await seen(/x, y: 57[67]\./);
  });

  afterAll(async () => {
    injector?.close();
    await sway?.stop();
  });

  test('the middle of the session`s screen is the middle of that output', async () => {
    injector.moveAbsolute(0.5, 0.5);

    const text = await seen(/motion: time: \d+; x, y: 961\.\d+, 541\.\d+/);
    expect(text).not.toContain('wl_pointer] leave');
  });

  test('a relative move is as many pixels, fractions included', async () => {
    injector.moveAbsolute(0.4, 0.5);
    injector.moveAbsolute(0.5, 0.5);
    await seen(/x, y: 961\./);
    injector.moveRelative(10.5, -5.25);

    const [, x, y] = /x, y: ([\d.]+), ([\d.]+)/.exec(await seen(/x, y: 97/)) ?? [];
    expect(Number(x) - 961).toBeWithin(10.3, 10.7);
    expect(Number(y) - 541).toBeWithin(-5.45, -5.05);
  });

  test('a move far beyond the edge stays on the session`s screen', async () => {
    injector.moveRelative(-30_000, 30_000);

    await seen(/x, y: 0\.\d+, 108[12]\.\d+/);
  });

  test('buttons arrive by their own codes, and a repeated press only once', async () => {
    for (const button of ['left', 'right', 'middle', 'side', 'extra'] as const) {
      injector.button(button, true);
      injector.button(button, true);
      injector.button(button, false);
    }

    const text = await seen(/button: 276[^\n]*state: 0/);
    // wev holds two pointers, so each event is printed twice.
    const events = [...text.matchAll(/button: (\d+)[^\n]*state: (\d)/g)].map(
      (m) => `${m[1]}:${m[2]}`,
    );
    expect([...new Set(events)]).toEqual([
      ...['272:1', '272:0', '273:1', '273:0', '274:1', '274:0', '275:1', '275:0', '276:1', '276:0'],
    ]);
    expect(events.length).toBe(20);
  });

  test('one notch up is -15 with one step, a quarter notch -3.75 without', async () => {
    injector.scroll(120, 0);
    const notch = await seen(/axis: 0 \(vertical\), value: -15\.0/);
    injector.scroll(30, 0);
    const quarter = await seen(/axis: 0 \(vertical\), value: -3\.75/);

    expect(notch).toContain('axis_source: 0 (wheel)');
    // Steps are counted in 120ths for programs of the newer protocol.
    expect(notch).toMatch(/discrete: -1|value120: -120/);
    expect(quarter).toContain('axis_source: 0 (wheel)');
    expect(quarter).not.toMatch(/discrete|value120/);
  });

  test('a notch to the right is +15 on the horizontal axis', async () => {
    injector.scroll(0, 120);

    expect(await seen(/axis: 1 \(horizontal\), value: 15\.0/)).toMatch(/discrete: 1|value120: 120/);
  });

  test('a held Shift makes a capital and is gone afterwards', async () => {
    injector.key(42, true);
    injector.key(30, true);
    injector.key(30, false);
    injector.key(42, false);
    injector.key(30, true);
    injector.key(30, false);

    const text = await seen(/sym: a +\(97\), utf8: 'a'/);
    expect(text).toMatch(/depressed: 00000001: Shift/);
    expect(text).toMatch(/sym: A +\(65\), utf8: 'A'/);
  });

  test('keypad keys are digits', async () => {
    injector.key(79, true);
    injector.key(79, false);

    await seen(/sym: KP_1 +\(\d+\), utf8: '1'/);
  });

  test.each([
    ['é', 'eacute'],
    ['€', 'U?20AC|EuroSign'],
    ['😀', 'U[0]*1F600'],
    ['ß', 'ssharp'],
    ['日', 'U[0]*65E5'],
  ])('text %s arrives as that character', async (character, symbol) => {
    injector.text(character);

    await seen(new RegExp(`sym: (?:${symbol}) +\\(\\d+\\), utf8: '${character}'`));
  });

  test('a line of text arrives whole and in order, while Shift is held for a game', async () => {
    const line = 'Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich! 0123456789';
    injector.key(42, true);
    injector.text(line);
    injector.key(42, false);
    injector.key(1, true);
    injector.key(1, false);

    const text = await seen(/sym: Escape[^\n]*\n[\s\S]*sym: Escape/);
    const typed = [...text.matchAll(/pressed\)\n +sym: \S+ +\(\d+\), utf8: '(.+)'/g)].map(
      (m) => m[1],
    );
    expect(typed.join('').replace(/\\e$|\u001b$/, '')).toBe(line);
  });

  test('200 different characters go through more than one keymap', async () => {
    const line = Array.from({ length: 200 }, (_, index) =>
      String.fromCodePoint(0x4e00 + index),
    ).join('');
    injector.text(line);

    const last = line.at(-1) ?? '';
    await waitUntil(() => wev.output().includes(`utf8: '${last}'`), 'the last character');
    const text = await seen(new RegExp(`utf8: '${last}'`));
    const typed = [...text.matchAll(/pressed\)\n +sym: \S+ +\(\d+\), utf8: '(.+)'/g)].map(
      (m) => m[1],
    );
    expect(typed.join('')).toBe(line);
  });

  test('a shortcut of the compositor works', async () => {
    injector.key(125, true);
    injector.key(28, true);
    injector.key(28, false);
    injector.key(125, false);

    await waitUntil(
      () => existsSync(join(sway.session.runtimeDir, 'shortcut')),
      'sway ran the command',
    );
  });

  test('the first finger clicks where it touches', async () => {
    const still = { pressure: 1, contactMajor: 0, contactMinor: 0, rotationDeg: null, y: 0.5 };
    injector.touch({ ...still, pointerId: 9, phase: 'down', x: 0.75 });
    injector.touch({ ...still, pointerId: 9, phase: 'up', x: 0.75 });

    const text = await seen(/button: 272[^\n]*state: 0/);
    expect(text).toMatch(/x, y: 1441\.\d+, 541\.\d+/);
  });

  test('closing lets go of everything that is held', async () => {
    const other = await openWlrInjector({
      socketPath: sway.socketPath,
      outputName: 'HEADLESS-2',
      log: logger('test'),
    });
    other.key(29, true);
    other.key(31, true);
    other.button('left', true);
    await seen(/sym: s/, /button: 272[^\n]*state: 1/);
    other.close();

    const text = await seen(/key: 39; state: 0/, /key: 37; state: 0/, /button: 272[^\n]*state: 0/);
    expect(text).toMatch(/depressed: 00000000/);
  });

  test('an output that is not there is refused by name', async () => {
    const opening = openWlrInjector({
      socketPath: sway.socketPath,
      outputName: 'DP-9',
      log: logger('test'),
    });

    await expect(opening).rejects.toThrow('the compositor has no output DP-9');
  });

  test('keys give what the desktop`s own keyboard layout gives', async () => {
    const german = Bun.spawnSync(['xkbcli', 'compile-keymap', '--layout', 'de']).stdout;
    const desk = new WaylandConnection(sway.socketPath);
    await desk.roundtripAsync(2000);
    const seat = desk.bindFirst(WL_SEAT);
    const manager = desk.bindFirst(VIRTUAL_KEYBOARD_MANAGER);
    if (!seat || !manager) throw new Error('no seat or virtual keyboard');
    const keyboard = desk.construct(
      manager,
      'create_virtual_keyboard',
      VIRTUAL_KEYBOARD,
      {},
      seat.id,
    );
    const { fd, mapping } = createSharedMemory('keymap', german.length + 1);
    mapping.bytes.set(german);
    mapping.close();
    desk.request(keyboard, 'keymap', 1, fd, german.length + 1);
    desk.request(keyboard, 'key', 1, 44, 1);
    desk.request(keyboard, 'key', 2, 44, 0);
    await desk.roundtripAsync(2000);
    await seen(/sym: y/);

    const own = await openWlrInjector({
      socketPath: sway.socketPath,
      outputName: 'HEADLESS-2',
      log: logger('test'),
    });
    // AltGr + Q, then the key right of P.
    own.key(100, true);
    own.key(16, true);
    own.key(16, false);
    own.key(100, false);
    own.key(26, true);
    own.key(26, false);

    const text = await seen(/sym: udiaeresis +\(\d+\), utf8: 'ü'/);
    expect(text).toMatch(/sym: at +\(64\), utf8: '@'/);
    own.close();
    desk.close();
  });

  test('a compositor that hangs does not hold up the host; input ends with a reason', async () => {
    const hung = await startSway();
    const reasons: string[] = [];
    const one = await openWlrInjector({
      socketPath: hung.socketPath,
      outputName: 'HEADLESS-1',
      log: { ...logger('test'), warn: (_, fields) => reasons.push(String(fields?.['cause'])) },
    });
    hung.process.kill('SIGSTOP');
    const started = performance.now();
    // More than the kernel and the queue hold together.
    for (let move = 0; move < 50_000; move += 1) one.moveRelative(1, 1);
    one.close();

    expect(performance.now() - started).toBeLessThan(1000);
    expect(reasons).toEqual(['the compositor does not read its socket']);
    hung.process.kill('SIGCONT');
    await hung.stop();
  });
});
