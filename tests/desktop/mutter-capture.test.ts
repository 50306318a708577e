/** Pictures of a real Mutter over time: still screens, stalls, successors, and every kind of loss. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { pinnedCount } from '../../ffi/pins.ts';
import { type MutterDesktop, mutterSkipReason, startMutter } from './harness-mutter.ts';
import {
  captureOf,
  counterOf,
  expectNoMonitors,
  nextFrame,
  onScreen,
  readUntilLost,
  takeScreen,
  withPattern,
} from './mutter-rig.ts';

setDefaultTimeout(30_000);

const skipReason = mutterSkipReason();
if (skipReason) console.log(`skipped: capture on Mutter: ${skipReason}`);

const TIMEOUT_MS = 30_000;

describe.skipIf(skipReason !== null)('capture on Mutter', () => {
  let desktop: MutterDesktop;
  beforeAll(async () => {
    desktop = await startMutter();
  }, TIMEOUT_MS);
  afterAll(() => desktop?.stop());

  test(
    'a still screen gives none, not old pictures',
    async () => {
      await onScreen(desktop, '1280x720@60', async (_lease, capturer) => {
        while (capturer.next(300).kind === 'frame');

        const startedMs = performance.now();
        const result = capturer.next(200);

        expect(result).toEqual({ kind: 'none' });
        expect(performance.now() - startedMs).toBeGreaterThan(190);
      });
    },
    TIMEOUT_MS,
  );

  test(
    'a consumer that stalled until every buffer was full gets new pictures again',
    async () => {
      await onScreen(desktop, '1280x720@60', async (lease, capturer) => {
        await withPattern(desktop, lease, capturer, async () => {
          nextFrame(capturer);

          await Bun.sleep(1_500);
          const stale = counterOf(nextFrame(capturer)) ?? 0;
          const counters = new Set<number>();
          while (counters.size < 60) counters.add(counterOf(nextFrame(capturer)) ?? 0);

          expect(Math.min(...counters)).toBeGreaterThan(stale);
        });
      });
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
      try {
        nextFrame(capturer);
        await withPattern(desktop, lease, capturer, () => {
          // A consumer that lives on unseen would keep all 16 buffers after as many pictures.
          const counters = new Set<number>();
          while (counters.size < 60) counters.add(counterOf(nextFrame(capturer)) ?? 0);
          expect(counters.size).toBe(60);
        });
      } finally {
        capturer.close();
        await lease.release();
      }
    },
    TIMEOUT_MS,
  );

  test(
    'twenty captures in a row all get their first picture and leave nothing pinned',
    async () => {
      const lease = await takeScreen(desktop, '640x480@60');
      const before = pinnedCount();
      try {
        for (let i = 0; i < 20; i++) {
          const capturer = captureOf(lease);
          nextFrame(capturer);
          capturer.close();
          capturer.close();
        }
        expect(pinnedCount()).toBe(before);
      } finally {
        await lease.release();
      }
    },
    TIMEOUT_MS,
  );

  test(
    'a released screen tells its capturer, and releasing twice is one release',
    async () => {
      await onScreen(desktop, '1280x720@60', async (lease, capturer) => {
        await Promise.all([lease.release(), lease.release()]);
        const { cause, afterMs } = readUntilLost(capturer);

        expect(cause).toMatch(/node \d+ was removed|stream/);
        expect(afterMs).toBeLessThan(1_000);
        expect(capturer.next(0)).toEqual({ kind: 'lost', cause });
      });
      await expectNoMonitors(desktop);
    },
    TIMEOUT_MS,
  );

  test('a node that does not exist is refused with its number', async () => {
    const lease = await takeScreen(desktop, '1280x720@60');
    if (lease.source.kind !== 'pipewire') throw new Error(lease.source.kind);
    const source = { ...lease.source, nodeId: 9999 };

    expect(() => captureOf({ ...lease, source })).toThrow('there is no node 9999');

    await lease.release();
  });
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
      expect(() => captureOf(lease)).toThrow(/no daemon at|ended the connection/);
      await lease.release();
      await desktop.stop();
    },
    TIMEOUT_MS,
  );
});
