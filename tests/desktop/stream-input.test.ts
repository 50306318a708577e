/**
 * What a device's user does reaches the programs on the streamed screen: keys, text, pointer,
 * buttons and wheel, from the device's packets to what `wev` prints, on real compositors.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import {
  type InputPacket,
  key,
  mouseButton,
  moveMouse,
  placeMouse,
  scroll,
  scrollSideways,
  text,
} from '../peers/moonlight/input.ts';
import { missingPrograms, type SessionProcess, waitUntil } from './harness-session.ts';
import { type StreamDesktop, startDesktop, streamSkipReason } from './stream-desktop.ts';
import { StreamHost } from './stream-host.ts';
import { type Mode, Recording } from './stream-recording.ts';

const MODE: Mode = { width: 1922, height: 1082, fps: 60 };
const CENTRE = { x: 961, y: 541 };
const SEEN_TIMEOUT_MS = 8_000;
/** A device that falls silent is given up after 10 s. */
const DEATH_TIMEOUT_MS = 20_000;

/** Windows virtual key codes, as devices send them. */
const VK = {
  a: 0x41,
  b: 0x42,
  f5: 0x74,
  left: 0x25,
  leftShift: 0xa0,
  enter: 0x0d,
  super: 0x5b,
  up: 0x26,
} as const;
const LEFT_BUTTON = 1;
const BUTTONS = [
  [1, 272],
  [2, 274],
  [3, 273],
  [4, 275],
  [5, 276],
] as const;

/** One notch of the wheel in each compositor's units; Mutter 43 knows whole notches only. */
const NOTCH = { sway: 15, mutter: 10 } as const;

interface Point {
  readonly x: number;
  readonly y: number;
}

for (const kind of ['sway', 'mutter'] as const) {
  const skipReason = streamSkipReason(kind, ['wev']);
  if (skipReason) console.log(`skipped: input streamed to ${kind}: ${skipReason}`);
  const entryReason = skipReason ?? missingPrograms(['zenity']);

  describe.skipIf(skipReason !== null)(`input to ${kind}`, () => {
    let desktop: StreamDesktop;
    let host: StreamHost;
    let recording: Recording;
    let wev: SessionProcess;
    let mark = 0;

    const send = (...packets: readonly InputPacket[]) => {
      for (const packet of packets) recording.stream.control.sendInput(packet);
    };
    const place = ({ x, y }: Point) => send(placeMouse(x, y, MODE.width, MODE.height));

    /** What wev printed since the last call, once it printed every one of `patterns`. */
    async function seen(...patterns: readonly RegExp[]): Promise<string> {
      const fresh = () => wev.output().slice(mark);
      await waitUntil(
        () => patterns.every((pattern) => pattern.test(fresh())),
        `wev prints ${patterns.join(' and ')}; it printed ${fresh().slice(-1500)}`,
        10,
        SEEN_TIMEOUT_MS,
      );
      const found = fresh();
      mark = wev.output().length;
      return found;
    }

    /** Where the pointer comes to rest in the window after what was sent. */
    async function pointerAfter(action: () => void): Promise<Point> {
      await Bun.sleep(50);
      mark = wev.output().length;
      action();
      await seen(/motion: [^\n]*x, y: /);
      await Bun.sleep(50);
      const last = [...wev.output().matchAll(/motion: [^\n]*x, y: ([\d.-]+), ([\d.-]+)/g)].at(-1);
      return { x: Number(last?.[1]), y: Number(last?.[2]) };
    }

    beforeAll(async () => {
      desktop = await startDesktop(kind);
      host = await StreamHost.start(desktop.session, { env: desktop.env });
      recording = await Recording.start(desktop, host, MODE);
      await desktop.focus(recording.output);
      wev = desktop.session.spawn(['stdbuf', '-oL', 'wev'], { env: desktop.env });
      await wev.waitFor(/wl_keyboard\] enter/);
      // sway gives a single window the whole screen, GNOME on its shortcut.
      if (kind === 'mutter') {
        send(key(VK.super, true), key(VK.up, true), key(VK.up, false), key(VK.super, false));
      }
      await wev.waitFor(/configure: width: 1922; height: 1082/);
      await waitUntil(
        async () => {
          place({ x: CENTRE.x - 40, y: CENTRE.y });
          place(CENTRE);
          await Bun.sleep(100);
          return /x, y: 96[01]\.\d+, 54[01]\.\d+/.test(wev.output());
        },
        `the window fills the screen: ${wev.output()}`,
        10,
      );
      await Bun.sleep(100);
      mark = wev.output().length;
    }, 40_000);

    afterAll(async () => {
      recording?.close();
      await host?.stop();
      await desktop?.stop();
    });

    test('keys arrive by what is on them, held keys change others', async () => {
      send(key(VK.a, true), key(VK.a, false));
      await seen(/sym: a +\(97\), utf8: 'a'/, /key: 38; state: 0/);
      send(key(VK.leftShift, true), key(VK.a, true), key(VK.a, false), key(VK.leftShift, false));
      await seen(/sym: A +\(65\), utf8: 'A'/, /key: 50; state: 0/);
      send(key(VK.f5, true), key(VK.f5, false), key(VK.left, true), key(VK.left, false));
      await seen(/sym: F5 /, /sym: Left /, /key: 113; state: 0/);
    });

    test('the pointer goes where the device puts it, and as far as it moves it', async () => {
      const centre = await pointerAfter(() => {
        place({ x: CENTRE.x + 1, y: CENTRE.y });
        place(CENTRE);
      });
      const placed = await pointerAfter(() => place({ x: CENTRE.x + 192, y: CENTRE.y - 108 }));
      const moved = await pointerAfter(() => send(moveMouse(-30, 20)));

      expect(Math.abs(centre.x - CENTRE.x)).toBeLessThan(1.1);
      expect(Math.abs(centre.y - CENTRE.y)).toBeLessThan(1.1);
      expect(placed.x - centre.x).toBeWithin(191, 193.01);
      expect(placed.y - centre.y).toBeWithin(-109, -106.99);
      expect(moved.x - placed.x).toBeWithin(-30.5, -29.49);
      expect(moved.y - placed.y).toBeWithin(19.5, 20.51);
    });

    test('all five buttons arrive, each pressed and then released', async () => {
      place(CENTRE);
      for (const [button] of BUTTONS) send(mouseButton(button, true), mouseButton(button, false));
      const log = await seen(/button: 276[^\n]*state: 0/);

      const events = [...log.matchAll(/button: (\d+)[^\n]*state: (\d)/g)].map(
        ([, code, state]) => `${code}:${state}`,
      );
      expect([...new Set(events)]).toEqual(
        BUTTONS.flatMap(([, code]) => [`${code}:1`, `${code}:0`]),
      );
    });

    test('the wheel turns by notches and parts of them, both ways and sideways', async () => {
      const value = (amount: number) => `value: ${amount.toFixed(1)}`;
      const notch = NOTCH[kind];
      send(scroll(120));
      await seen(new RegExp(`axis: 0 \\(vertical\\), ${value(-notch)}`));
      send(scroll(-120));
      await seen(new RegExp(`axis: 0 \\(vertical\\), ${value(notch)}`));
      for (let part = 0; part < 4; part += 1) send(scroll(30));
      await seen(
        kind === 'sway'
          ? /axis: 0 \(vertical\), value: -3\.75/
          : /axis: 0 \(vertical\), value: -10\.0/,
      );
      send(scrollSideways(120));
      await seen(new RegExp(`axis: 1 \\(horizontal\\), ${value(notch)}`));
    });

    if (kind === 'sway') {
      test('text arrives as its characters, whatever the layout', async () => {
        send(...text('é€😀'));

        await seen(/utf8: 'é'/, /utf8: '€'/, /utf8: '😀'/);
      });
    }

    if (kind === 'mutter') {
      if (entryReason && !skipReason)
        console.log(`skipped: text streamed to mutter: ${entryReason}`);
      test.skipIf(entryReason !== null)('text arrives as its characters in an entry', async () => {
        const entry = desktop.session.spawn(['zenity', '--entry', '--text=type'], {
          env: { ...desktop.env, GDK_BACKEND: 'wayland', WAYLAND_DEBUG: 'client' },
        });
        await entry.waitFor(/wl_keyboard@\d+\.enter/);
        send(...text('é€😀'), key(VK.enter, true), key(VK.enter, false));

        await entry.waitFor(/^é€😀$/m, SEEN_TIMEOUT_MS);
        await entry.exited;
        mark = wev.output().length;
      });
    }

    const ending = kind === 'sway' ? 'falls silent' : 'leaves';
    test(
      `what is held when the device ${ending} is let go`,
      async () => {
        place(CENTRE);
        send(mouseButton(LEFT_BUTTON, true), key(VK.b, true));
        await seen(/key: 56; state: 1/, /button: 272[^\n]*state: 1/);
        if (kind === 'sway') recording.stream.vanish();
        else await recording.stream.stop();

        const isReleased = () => {
          const log = wev.output().slice(mark);
          return /key: 56; state: 0/.test(log) && /button: 272[^\n]*state: 0/.test(log);
        };
        await waitUntil(isReleased, 'key and button are released', 20, DEATH_TIMEOUT_MS);
        expect(await host.ctl('sessions')).toEqual([]);
      },
      DEATH_TIMEOUT_MS + 5_000,
    );
  });
}
