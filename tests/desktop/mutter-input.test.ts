/** Input through a real Mutter, as programs on its virtual monitor see it. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import type { Capturer } from '../../src/capture/port.ts';
import type { Injector, TouchContact } from '../../src/inject/port.ts';
import type { DisplayLease } from '../../src/vdisplay/port.ts';
import { type MutterDesktop, mutterSkipReason, startMutter } from './harness-mutter.ts';
import { missingPrograms, type SessionProcess, waitUntil } from './harness-session.ts';
import { captureOf, nextFrame, takeScreen } from './mutter-rig.ts';

setDefaultTimeout(30_000);

const skipReason = mutterSkipReason(['wev']);
if (skipReason) console.log(`skipped: input through Mutter: ${skipReason}`);
const textSkipReason = skipReason ?? missingPrograms(['zenity']);
if (textSkipReason && !skipReason) console.log(`skipped: text through Mutter: ${textSkipReason}`);
const touchSkipReason = skipReason ?? missingPrograms(['weston-simple-touch']);
if (touchSkipReason && !skipReason)
  console.log(`skipped: touch through Mutter: ${touchSkipReason}`);

const TIMEOUT_MS = 30_000;
/** Where the middle of the 1280x720 screen lies in wev's 640x480 window, below its title bar. */
const CENTRE = '320.500000, 280.500000';

describe.skipIf(skipReason !== null)('input through Mutter', () => {
  let desktop: MutterDesktop;
  let lease: DisplayLease;
  let capturer: Capturer;
  let pump: ReturnType<typeof setInterval>;
  let injector: Injector;

  beforeAll(async () => {
    desktop = await startMutter();
    lease = await takeScreen(desktop, '1280x720@60');
    capturer = captureOf(lease);
    nextFrame(capturer);
    // Windows are drawn, and so get their input, only while somebody takes the pictures.
    pump = setInterval(() => capturer.next(0), 5);
    await lease.readBack();
    injector = await lease.openInjector();
  }, TIMEOUT_MS);

  afterAll(async () => {
    clearInterval(pump);
    injector?.close();
    capturer?.close();
    await lease?.release();
    await desktop?.stop();
  });

  /** wev with keyboard focus and the pointer in it; what it said before is not returned. */
  async function startWev(): Promise<SessionProcess> {
    const wev = desktop.spawn(['stdbuf', '-oL', 'wev']);
    await wev.waitFor(/wl_keyboard\] enter/);
    // The window grows into its place; until then its coordinates are stretched.
    await waitUntil(
      () => {
        injector.moveAbsolute(0.5, 0.5);
        return wev.output().includes(`x, y: ${CENTRE}`);
      },
      'the window stands still',
      50,
    );
    return wev;
  }

  test('the first key after the injector opened is not lost', async () => {
    const wev = await startWev();

    injector.key(30, true);
    injector.key(30, false);

    await wev.waitFor(/key: 38; state: 1 \(pressed\)\s+sym: a /);
    await wev.waitFor(/key: 38; state: 0 \(released\)/);
    await wev.stop();
  });

  test('a key held twice is pressed once, and close releases what is held', async () => {
    const wev = await startWev();
    const own = await lease.openInjector();

    own.key(42, true);
    own.key(42, true);
    own.key(48, true);
    own.button('right', true);
    await wev.waitFor(/key: 56; state: 1 \(pressed\)\s+sym: B /);
    await wev.waitFor(/button: 273 \(right\), state: 1/);
    own.close();

    await wev.waitFor(/key: 50; state: 0 \(released\)/);
    await wev.waitFor(/key: 56; state: 0 \(released\)/);
    await wev.waitFor(/button: 273 \(right\), state: 0/);
    expect(count(wev, /key: 50; state: 1/g)).toBe(1);
    own.key(30, true);
    injector.key(31, true);
    injector.key(31, false);
    await wev.waitFor(/key: 39; state: 0/);
    expect(count(wev, /key: 38;/g)).toBe(0);
    await wev.stop();
  });

  test('the pointer moves by pixels, absolutely and relatively', async () => {
    const wev = await startWev();

    injector.moveRelative(10, -5);
    await wev.waitFor(/motion: [^\n]*x, y: 330\.500000, 275\.500000/);
    injector.moveRelative(-0.25, 0);
    await wev.waitFor(/motion: [^\n]*x, y: 330\.250000, 275\.500000/);
    injector.moveAbsolute(0.5, 0.5);
    await waitUntil(
      () => wev.output().lastIndexOf(CENTRE) > wev.output().indexOf('330.250000'),
      'the pointer is back in the middle',
    );

    await wev.stop();
  });

  test.each([
    ['left', 272],
    ['right', 273],
    ['middle', 274],
    ['side', 275],
    ['extra', 276],
  ] as const)('button %s is code %d', async (button, code) => {
    const wev = await startWev();

    injector.button(button, true);
    injector.button(button, false);

    await wev.waitFor(new RegExp(`button: ${code} [^\\n]*state: 1 \\(pressed\\)`));
    await wev.waitFor(new RegExp(`button: ${code} [^\\n]*state: 0 \\(released\\)`));
    await wev.stop();
  });

  test('notches scroll in steps, up and right being positive', async () => {
    const wev = await startWev();

    injector.scroll(120, 0);
    await wev.waitFor(/axis: 0 \(vertical\), value: -10\.0/);
    injector.scroll(-240, 0);
    await waitUntil(
      () => count(wev, /axis: 0 \(vertical\), value: 10\.0/g) === 2,
      'two steps down',
    );
    injector.scroll(0, 120);

    await wev.waitFor(/axis: 1 \(horizontal\), value: 10\.0/);
    await wev.stop();
  });

  test('four quarter notches make one step', async () => {
    const wev = await startWev();

    for (let i = 0; i < 4; i++) injector.scroll(30, 0);

    await wev.waitFor(/axis: 0 \(vertical\), value: -10\.0/);
    await Bun.sleep(100);
    expect(count(wev, /axis: 0 \(vertical\), value/g)).toBe(1);
    await wev.stop();
  });

  test.skipIf(textSkipReason !== null)(
    'text arrives past the layout: ASCII by key, the rest by code point',
    async () => {
      const entry = desktop.spawn(['zenity', '--entry', '--text=type'], {
        env: { LC_ALL: 'C.UTF-8', GDK_BACKEND: 'wayland', WAYLAND_DEBUG: 'client' },
      });
      await entry.waitFor(/wl_keyboard@\d+\.enter/);

      injector.text('Hi "~é€ß😀!\n');

      await entry.waitFor(/^Hi "~é€ß😀!$/m);
      expect(await entry.exited).toBe(0);
    },
  );

  test('a pen is a pointer whose tip is the left button', async () => {
    const wev = await startWev();
    const pen = { tool: 'pen', pressure: 1, rotationDeg: null, tiltDeg: null, buttons: 0 } as const;

    injector.pen({ ...pen, phase: 'hover', x: 0.45, y: 0.5 });
    injector.pen({ ...pen, phase: 'down', x: 0.45, y: 0.5 });
    await wev.waitFor(/button: 272 [^\n]*state: 1/);
    injector.pen({ ...pen, phase: 'move', x: 0.46, y: 0.5 });
    injector.pen({ ...pen, phase: 'up', x: 0.46, y: 0.5 });

    await wev.waitFor(/button: 272 [^\n]*state: 0/);
    expect(count(wev, /button: 272 [^\n]*state: 1/g)).toBe(1);
    await wev.stop();
  });

  test.skipIf(touchSkipReason !== null)('two fingers touch, move and lift apart', async () => {
    // The programs of Debian draw touches but do not print them; the protocol trace does.
    const touch = desktop.spawn(['stdbuf', '-oL', 'weston-simple-touch'], {
      env: { WAYLAND_DEBUG: 'client' },
    });
    await touch.waitFor(/xdg_surface@\d+\.ack_configure|wl_surface@\d+\.commit/);
    await Bun.sleep(300);
    const finger = (pointerId: number, phase: TouchContact['phase'], x: number): TouchContact => ({
      pointerId,
      phase,
      x,
      y: 0.5,
      pressure: 1,
      contactMajor: 0,
      contactMinor: 0,
      rotationDeg: null,
    });
    // The first touch makes Mutter's touchscreen; programs hear of it only then. It is beside the
    // program's window, which may or may not be in time to hear of this very touch.
    injector.touch({ ...finger(1, 'down', 0.99), y: 0.99 });
    injector.touch({ ...finger(1, 'up', 0.99), y: 0.99 });
    await touch.waitFor(/get_touch/);
    await Bun.sleep(100);

    injector.touch(finger(7, 'down', 0.3));
    const [, first] = await touch.waitFor(/wl_touch@\d+\.down\(\d+, \d+, wl_surface@\d+, (\d+), /);
    injector.touch(finger(4_000_000_000, 'down', 0.35));
    const second = Number(first) + 1;
    await touch.waitFor(new RegExp(`\\.down\\(\\d+, \\d+, wl_surface@\\d+, ${second}, `));
    injector.touch(finger(7, 'move', 0.32));
    await touch.waitFor(new RegExp(`\\.motion\\(\\d+, ${first}, `));
    injector.touch(finger(99, 'move', 0.5));
    injector.touch(finger(0, 'cancel-all', 0));

    await touch.waitFor(new RegExp(`\\.up\\(\\d+, \\d+, ${first}\\)`));
    await touch.waitFor(new RegExp(`\\.up\\(\\d+, \\d+, ${second}\\)`));
    expect(count(touch, /wl_touch@\d+\.down\(/g)).toBe(2);
    await touch.stop();
  });
});

function count(process: SessionProcess, pattern: RegExp): number {
  return [...process.output().matchAll(pattern)].length;
}
