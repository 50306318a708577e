/** Screens of a real Mutter: exactly the asked mode, every pixel of a moving pattern, and their end. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { monotonicNs } from '../../ffi/libc-time.ts';
import { logger } from '../../src/platform/log.ts';
import { formatMode } from '../../src/session/mode.ts';
import { createMutterBackend } from '../../src/vdisplay/mutter/backend.ts';
import { type MutterDesktop, mutterSkipReason, startMutter } from './harness-mutter.ts';
import { waitUntil } from './harness-session.ts';
import {
  backendOn,
  captureOf,
  counterOf,
  expectNoMonitors,
  modeOf,
  monitorNames,
  nextFrame,
  onScreen,
  takeScreen,
  withPattern,
} from './mutter-rig.ts';
import { drawPatternFrame, drawStillFields } from './pattern.ts';

const skipReason = mutterSkipReason();
if (skipReason) console.log(`skipped: screens on Mutter: ${skipReason}`);

const TIMEOUT_MS = 30_000;

describe('the mutter backend without a desktop', () => {
  test('is missing with a remedy', async () => {
    const backend = createMutterBackend({ environment: {}, log: logger('test') });

    const availability = await backend.probe();

    expect(availability).toMatchObject({ available: false, remedy: expect.any(String) });
    const acquired = backend.acquire({
      mode: modeOf('1280x720@60'),
      identity: 'device',
      kind: 'virtual',
    });
    expect(acquired).rejects.toThrow();
    await acquired.catch(() => {});
  });
});

describe.skipIf(skipReason !== null)('screens on Mutter', () => {
  let desktop: MutterDesktop;
  beforeAll(async () => {
    desktop = await startMutter();
  }, TIMEOUT_MS);
  afterAll(() => desktop?.stop());

  test('the probe names the interface and changes nothing', async () => {
    const availability = await backendOn(desktop).probe();

    expect(availability).toEqual({ available: true, detail: 'Mutter, ScreenCast version 4' });
    expect(await monitorNames(desktop)).toEqual([]);
  });

  test.each(['1280x720@60', '1922x1082@120', '1281x721@59.94'])(
    '%s is read back exactly, shows every pixel of a program and is gone after release',
    async (modeText) => {
      const counters: number[] = [];
      const agesMs: number[] = [];
      let exactCount = 0;

      await onScreen(desktop, modeText, async (lease, capturer) => {
        expect(formatMode(await lease.readBack())).toBe(modeText);
        expect(await monitorNames(desktop)).toEqual([lease.outputName]);
        await withPattern(desktop, lease, capturer, (pattern) => {
          expect([pattern.width, pattern.height]).toEqual([lease.mode.width, lease.mode.height]);
          while (counters.length < 40) {
            const frame = nextFrame(capturer);
            expect([frame.width, frame.height]).toEqual([lease.mode.width, lease.mode.height]);
            const counter = counterOf(frame);
            if (counter === null) continue;
            counters.push(counter);
            agesMs.push((monotonicNs() - frame.captureNs) / 1e6);
            if (counters.length % 10 !== 0) continue;
            expect(Buffer.compare(visible(frame), expectedPixels(frame, counter))).toBe(0);
            exactCount += 1;
          }
        });
        expect(formatMode(await lease.readBack())).toBe(modeText);
      });

      expect(exactCount).toBe(4);
      expect([...counters].sort((a, b) => a - b)).toEqual(counters);
      expect(new Set(counters).size).toBeGreaterThan(30);
      expect(Math.min(...agesMs)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...agesMs)).toBeLessThan(2_000);
      await expectNoMonitors(desktop);
    },
    TIMEOUT_MS,
  );

  test(
    'two leases get two monitors with their own modes',
    async () => {
      await onScreen(desktop, '1280x720@60', async (first, firstCapture) => {
        await first.readBack();
        await onScreen(desktop, '800x600@75', async (second) => {
          expect(formatMode(await second.readBack())).toBe('800x600@75');
          expect(formatMode(await first.readBack())).toBe('1280x720@60');
          expect([...(await monitorNames(desktop))].sort()).toEqual(
            [first.outputName, second.outputName].sort(),
          );
        });
        expect(firstCapture.next(0).kind).not.toBe('lost');
        await waitUntil(
          async () => (await monitorNames(desktop)).length === 1,
          'the second monitor goes away',
        );
        expect(await monitorNames(desktop)).toEqual([first.outputName]);
      });
      await expectNoMonitors(desktop);
    },
    TIMEOUT_MS,
  );

  test(
    'a host that is killed leaves no monitor behind',
    async () => {
      const host = Bun.spawn([process.execPath, join(import.meta.dir, 'mutter-host.ts')], {
        env: { ...desktop.env },
        stdout: 'pipe',
        stderr: 'inherit',
      });
      try {
        const { value } = await host.stdout.getReader().read();
        expect(new TextDecoder().decode(value)).toMatch(/^ready Meta-\d+ 1280x720@60\n$/);
        expect((await monitorNames(desktop)).length).toBe(1);
      } finally {
        host.kill('SIGKILL');
      }
      await host.exited;

      await expectNoMonitors(desktop);
    },
    TIMEOUT_MS,
  );
});

describe.skipIf(skipReason !== null)('mirroring on Mutter', () => {
  test(
    'takes the main monitor as it is, or the named one, and nothing else',
    async () => {
      const desktop = await startMutter({ monitors: ['1024x768@60', '800x600@60'] });
      const names = await monitorNames(desktop);
      const main = await takeScreen(desktop, '1280x720@60', { kind: 'mirror' });
      const other = await takeScreen(desktop, '1280x720@60', {
        kind: 'mirror',
        outputName: names[1] ?? '',
      });

      expect(formatMode(main.mode)).toBe('1024x768@60');
      expect(main.outputName).toBe(names[0] ?? '');
      expect(formatMode(other.mode)).toBe('800x600@60');
      for (const lease of [main, other]) {
        const capturer = captureOf(lease);
        const frame = nextFrame(capturer);
        expect([frame.width, frame.height]).toEqual([lease.mode.width, lease.mode.height]);
        expect(await lease.readBack()).toEqual(lease.mode);
        capturer.close();
        await lease.release();
      }
      expect(await monitorNames(desktop)).toEqual(names);
      const unknown = takeScreen(desktop, '1280x720@60', { kind: 'mirror', outputName: 'DP-9' });
      expect(unknown).rejects.toThrow(`there is no monitor DP-9 to mirror`);
      await unknown.catch(() => {});
      await desktop.stop();
    },
    TIMEOUT_MS,
  );
});

/** The picture's colour bytes; the fourth byte of BGRx means nothing. */
function visible(frame: { data: Uint8Array; strideBytes: number; width: number; height: number }) {
  const { data, strideBytes, width, height } = frame;
  const pixels = Buffer.alloc(width * height * 4);
  for (let y = 0; y < height; y++) {
    pixels.set(data.subarray(y * strideBytes, y * strideBytes + width * 4), y * width * 4);
  }
  for (let i = 3; i < pixels.length; i += 4) pixels[i] = 0xff;
  return pixels;
}

function expectedPixels({ width, height }: { width: number; height: number }, counter: number) {
  const pixels = new Uint32Array(width * height);
  const target = { pixels, width, height, strideWords: width };
  drawStillFields(target);
  drawPatternFrame(target, counter);
  return Buffer.from(pixels.buffer);
}
