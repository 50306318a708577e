/** Screens of a real Mutter: exactly the asked mode, every picture of a moving pattern, and their end. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { monotonicNs } from '../../ffi/libc-time.ts';
import { pinnedCount } from '../../ffi/pins.ts';
import { logger } from '../../src/platform/log.ts';
import { formatMode } from '../../src/session/mode.ts';
import { createMutterBackend } from '../../src/vdisplay/mutter/backend.ts';
import { startPattern } from './harness.ts';
import { type MutterDesktop, mutterSkipReason, startMutter } from './harness-mutter.ts';
import {
  backendOn,
  captureOf,
  counterOf,
  expectNoMonitors,
  modeOf,
  monitorNames,
  nextFrame,
  readUntilLost,
  takeScreen,
  whileCapturing,
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
      const lease = await takeScreen(desktop, modeText);
      const capturer = captureOf(lease);
      const first = nextFrame(capturer);
      expect([first.width, first.height]).toEqual([lease.mode.width, lease.mode.height]);

      expect(formatMode(await lease.readBack())).toBe(modeText);
      expect(await monitorNames(desktop)).toEqual([lease.outputName]);

      const pattern = await whileCapturing(capturer, () =>
        startPattern(desktop.session, join(desktop.runtimeDir, desktop.displayName), {
          output: lease.outputName,
        }),
      );
      expect([pattern.width, pattern.height]).toEqual([first.width, first.height]);
      const counters: number[] = [];
      const agesMs: number[] = [];
      let exactCount = 0;
      while (counters.length < 40) {
        const frame = nextFrame(capturer);
        const counter = counterOf(frame);
        if (counter === null) continue;
        counters.push(counter);
        agesMs.push((monotonicNs() - frame.captureNs) / 1e6);
        if (counters.length % 10 === 0) {
          expect(Buffer.compare(visible(frame), expectedPixels(frame, counter))).toBe(0);
          exactCount += 1;
        }
      }
      await pattern.process.stop();
      capturer.close();
      await lease.release();

      expect(exactCount).toBe(4);
      expect([...counters].sort((a, b) => a - b)).toEqual(counters);
      expect(new Set(counters).size).toBeGreaterThan(30);
      expect(Math.min(...agesMs)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...agesMs)).toBeLessThan(1_000);
      await expectNoMonitors(desktop);
    },
    TIMEOUT_MS,
  );

  test('a still screen gives none, not old pictures', async () => {
    const lease = await takeScreen(desktop, '1280x720@60');
    const capturer = captureOf(lease);
    nextFrame(capturer);
    while (capturer.next(300).kind === 'frame');

    const startedMs = performance.now();
    const result = capturer.next(200);

    expect(result).toEqual({ kind: 'none' });
    expect(performance.now() - startedMs).toBeGreaterThan(190);
    capturer.close();
    await lease.release();
    await expectNoMonitors(desktop);
  });

  test(
    'a consumer that stalled until every buffer was full gets new pictures again',
    async () => {
      const lease = await takeScreen(desktop, '1280x720@60');
      const capturer = captureOf(lease);
      nextFrame(capturer);
      await lease.readBack();
      const pattern = await whileCapturing(capturer, () =>
        startPattern(desktop.session, join(desktop.runtimeDir, desktop.displayName), {
          output: lease.outputName,
        }),
      );
      const before = counterOf(nextFrame(capturer)) ?? 0;

      await Bun.sleep(1_500);
      const stale = counterOf(nextFrame(capturer)) ?? 0;
      const counters: number[] = [];
      while (counters.length < 30) counters.push(counterOf(nextFrame(capturer)) ?? 0);

      // Sixteen buffers fill in a quarter of a second; what came after the stall is newer than that.
      expect(stale - before).toBeLessThanOrEqual(20);
      expect((counters[0] ?? 0) - before).toBeGreaterThan(40);
      expect(new Set(counters).size).toBeGreaterThan(20);
      await pattern.process.stop();
      capturer.close();
      await lease.release();
      await expectNoMonitors(desktop);
    },
    TIMEOUT_MS,
  );

  test(
    'a capturer takes over from a worker that was ended without closing',
    async () => {
      const lease = await takeScreen(desktop, '1280x720@60');
      const worker = new Worker(new URL('./mutter-capture-worker.ts', import.meta.url).href);
      const seen = Promise.withResolvers<void>();
      worker.onmessage = () => seen.resolve();
      worker.postMessage(lease.source);
      await seen.promise;
      worker.terminate();

      const capturer = captureOf(lease);
      nextFrame(capturer);
      await lease.readBack();
      const pattern = await whileCapturing(capturer, () =>
        startPattern(desktop.session, join(desktop.runtimeDir, desktop.displayName), {
          output: lease.outputName,
        }),
      );
      // A consumer that lives on unseen would keep all 16 buffers after as many pictures.
      const counters = new Set<number>();
      while (counters.size < 60) counters.add(counterOf(nextFrame(capturer)) ?? 0);

      expect(counters.size).toBe(60);
      await pattern.process.stop();
      capturer.close();
      await lease.release();
      await expectNoMonitors(desktop);
    },
    TIMEOUT_MS,
  );

  test('two leases get two monitors with their own modes', async () => {
    const first = await takeScreen(desktop, '1280x720@60');
    const firstCapture = captureOf(first);
    nextFrame(firstCapture);
    await first.readBack();
    const second = await takeScreen(desktop, '800x600@75', { identity: 'another' });
    const secondCapture = captureOf(second);
    nextFrame(secondCapture);

    expect(formatMode(await second.readBack())).toBe('800x600@75');
    expect(formatMode(await first.readBack())).toBe('1280x720@60');
    expect([...(await monitorNames(desktop))].sort()).toEqual(
      [first.outputName, second.outputName].sort(),
    );

    secondCapture.close();
    await second.release();
    expect(firstCapture.next(0).kind).not.toBe('lost');
    expect(await monitorNames(desktop)).toEqual([first.outputName]);
    firstCapture.close();
    await first.release();
    await expectNoMonitors(desktop);
  });

  test('a released screen tells its capturer, and releasing twice is one release', async () => {
    const lease = await takeScreen(desktop, '1280x720@60');
    const capturer = captureOf(lease);
    nextFrame(capturer);

    await Promise.all([lease.release(), lease.release()]);
    const { cause, afterMs } = readUntilLost(capturer);

    expect(cause).toMatch(/node \d+ was removed|stream/);
    expect(afterMs).toBeLessThan(1_000);
    expect(capturer.next(0)).toEqual({ kind: 'lost', cause });
    capturer.close();
  });

  test('a node that does not exist is refused with its number', async () => {
    const lease = await takeScreen(desktop, '1280x720@60');
    if (lease.source.kind !== 'pipewire') throw new Error(lease.source.kind);

    expect(() =>
      captureOf({ ...lease, source: { ...lease.source, nodeId: 9999 } as never }),
    ).toThrow('there is no node 9999');

    await lease.release();
  });

  test('twenty captures in a row all get their first picture and leave nothing pinned', async () => {
    const lease = await takeScreen(desktop, '640x480@60');
    const before = pinnedCount();

    for (let i = 0; i < 20; i++) {
      const capturer = captureOf(lease);
      nextFrame(capturer);
      capturer.close();
      capturer.close();
    }

    expect(pinnedCount()).toBe(before);
    await lease.release();
    await expectNoMonitors(desktop);
  });

  test('a host that is killed leaves no monitor behind', async () => {
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
  });
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

describe.skipIf(skipReason !== null)('losing Mutter', () => {
  test(
    'a compositor that dies is noticed within a second by lease and capturer',
    async () => {
      const desktop = await startMutter();
      const lease = await takeScreen(desktop, '1280x720@60');
      const capturer = captureOf(lease);
      nextFrame(capturer);

      const startedMs = performance.now();
      desktop.process.kill('SIGKILL');
      const cause = await lease.lost;
      const leaseMs = performance.now() - startedMs;
      const capture = readUntilLost(capturer);

      expect(cause).toBe('GNOME Shell (Mutter) left the session bus');
      expect(leaseMs).toBeLessThan(1_000);
      expect(capture.cause).toMatch(/was removed|stream/);
      expect(leaseMs + capture.afterMs).toBeLessThan(1_000);
      capturer.close();
      await lease.release();
      await desktop.stop();
    },
    TIMEOUT_MS,
  );

  test(
    'a stream that nobody links is lost with the session manager as the suspect',
    async () => {
      const desktop = await startMutter({ withoutSessionManager: true });
      const lease = await takeScreen(desktop, '1280x720@60');
      const capturer = captureOf(lease, 400);

      const { cause, afterMs } = readUntilLost(capturer);

      expect(cause).toContain('check that a session manager (WirePlumber) runs');
      expect(afterMs).toBeGreaterThan(300);
      capturer.close();
      await lease.release();
      await desktop.stop();
    },
    TIMEOUT_MS,
  );

  test(
    'a PipeWire daemon that dies is a loss with its own words',
    async () => {
      const desktop = await startMutter({ withoutSessionManager: true });
      const lease = await takeScreen(desktop, '1280x720@60');
      const capturer = captureOf(lease);
      capturer.next(50);

      desktop.pipewire?.kill('SIGKILL');
      const { cause, afterMs } = readUntilLost(capturer);

      expect(cause).toMatch(/daemon ended the connection|disconnected/);
      expect(afterMs).toBeLessThan(1_000);
      capturer.close();
      expect(() => captureOf(lease)).toThrow('no daemon at');
      await lease.release();
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
