/** The real portal of wlroots: every picture of a moving pattern, mode changes, input, losses. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPipewireCapturer } from '../../src/capture/pipewire/capturer.ts';
import type { Capturer } from '../../src/capture/port.ts';
import { logger } from '../../src/platform/log.ts';
import { formatMode } from '../../src/session/mode.ts';
import type { DisplayLease } from '../../src/vdisplay/port.ts';
import { createPortalBackend } from '../../src/vdisplay/portal/backend.ts';
import { missingPrograms, startPattern } from './harness.ts';
import { type PortalDesktop, portalSkipReason, startPortal } from './harness-portal.ts';
import { captureOf, counterOf, modeOf, nextFrame, readUntilLost } from './mutter-rig.ts';

const skipReason = portalSkipReason();
if (skipReason) console.log(`skipped: screens through the portal: ${skipReason}`);
const wevSkipReason = skipReason ?? missingPrograms(['wev']);
if (wevSkipReason && !skipReason) console.log(`skipped: input beside the portal: ${wevSkipReason}`);

const TIMEOUT_MS = 30_000;
const stateDir = mkdtempSync(join(tmpdir(), 'pfstate-'));

function share(desktop: PortalDesktop): Promise<DisplayLease> {
  const backend = createPortalBackend({
    environment: desktop.sway.env,
    restoreTokenPath: join(stateDir, 'token'),
    log: logger('test'),
  });
  return backend.acquire({ mode: modeOf('1920x1080@120'), identity: 'device', kind: 'virtual' });
}

/** The portal sends a second session its first picture only when something moves. */
function moveOn(desktop: PortalDesktop, lease: DisplayLease) {
  return startPattern(desktop.sway.session, desktop.sway.socketPath, { output: lease.outputName });
}

describe.skipIf(skipReason !== null)('screens through the portal', () => {
  let desktop: PortalDesktop;
  beforeAll(async () => {
    desktop = await startPortal();
  }, TIMEOUT_MS);
  afterAll(async () => {
    await desktop?.stop();
    rmSync(stateDir, { recursive: true, force: true });
  });

  test(
    'the shared output is named with its own mode and its pictures count up one by one',
    async () => {
      const lease = await share(desktop);
      expect(lease.outputName).toBe('HEADLESS-1');
      expect(formatMode(lease.mode)).toBe('1280x720@60');
      expect(await lease.readBack()).toEqual(lease.mode);
      const pattern = await moveOn(desktop, lease);
      const capturer = captureOf(lease);

      const counters: number[] = [];
      while (counters.length < 60) {
        const frame = nextFrame(capturer);
        expect([frame.width, frame.height]).toEqual([1280, 720]);
        const counter = counterOf(frame);
        if (counter !== null) counters.push(counter);
      }
      await pattern.process.stop();
      expect(capturer.description).toContain('1280x720 BGRx, memfd');
      capturer.close();
      await lease.release();

      expect([...counters].sort((a, b) => a - b)).toEqual(counters);
      expect(new Set(counters).size).toBeGreaterThan(50);
    },
    TIMEOUT_MS,
  );

  test(
    'a mode change in the middle goes on with pictures of the new size',
    async () => {
      const lease = await share(desktop);
      const pattern = await moveOn(desktop, lease);
      const capturer = captureOf(lease);
      nextFrame(capturer);

      await desktop.sway.message('output HEADLESS-1 mode --custom 1000x600@60Hz');
      const sizes: string[] = [];
      while (sizes.filter((size) => size === '1000x600').length < 10) {
        const frame = nextFrame(capturer);
        expect(frame.data.length).toBeGreaterThanOrEqual(frame.strideBytes * (frame.height - 1));
        sizes.push(`${frame.width}x${frame.height}`);
      }

      expect(sizes.at(-1)).toBe('1000x600');
      expect(new Set(sizes).size).toBeLessThanOrEqual(2);
      await pattern.process.stop();
      capturer.close();
      await lease.release();
      await desktop.sway.message('output HEADLESS-1 mode --custom 1280x720@60Hz');
    },
    TIMEOUT_MS,
  );

  test(
    'a second capturer of a still screen waits instead of giving the screen up',
    async () => {
      const lease = await share(desktop);
      const first = captureOf(lease);
      const moving = await moveOn(desktop, lease);
      nextFrame(first);
      await moving.process.stop();
      while (first.next(300).kind === 'frame');
      first.close();
      const second = captureOf(lease, 300);

      const results = new Set<string>();
      const deadlineMs = performance.now() + 800;
      while (performance.now() < deadlineMs) results.add(second.next(100).kind);

      expect([...results]).not.toContain('lost');
      const pattern = await moveOn(desktop, lease);
      nextFrame(second);
      await pattern.process.stop();
      second.close();
      await lease.release();
    },
    TIMEOUT_MS,
  );

  test.skipIf(wevSkipReason !== null)(
    'input goes beside a portal that takes none, onto the shared output',
    async () => {
      const lease = await share(desktop);
      const wev = desktop.sway.spawn(['stdbuf', '-oL', 'wev']);
      const injector = await lease.openInjector();
      await wev.waitFor(/wl_keyboard\] enter|xdg_surface\] configure/);

      injector.moveAbsolute(0.5, 0.5);
      await wev.waitFor(/wl_pointer\] enter/);
      injector.key(30, true);
      injector.key(30, false);

      await wev.waitFor(/key: 38; state: 1 \(pressed\)/);
      expect(injector.description).toContain('wlr');
      injector.close();
      await wev.stop();
      await lease.release();
    },
    TIMEOUT_MS,
  );

  test(
    'a released session removes its node',
    async () => {
      const lease = await share(desktop);
      const capturer = captureOf(lease);
      const pattern = await moveOn(desktop, lease);
      nextFrame(capturer);

      await lease.release();
      await pattern.process.stop();

      expect(readUntilLost(capturer).cause).toMatch(/was removed|stream/);
      capturer.close();
      expect(() => captureOf(lease)).toThrow('there is no node');
    },
    TIMEOUT_MS,
  );
});

describe.skipIf(skipReason !== null)('losing the portal', () => {
  async function lossOf(cause: (desktop: PortalDesktop) => void): Promise<{
    capturer: Capturer;
    lost: ReturnType<typeof readUntilLost>;
    lease: DisplayLease;
    desktop: PortalDesktop;
  }> {
    const desktop = await startPortal();
    const lease = await share(desktop);
    if (lease.source.kind !== 'pipewire') throw new Error(lease.source.kind);
    await moveOn(desktop, lease);
    const capturer = openPipewireCapturer(lease.source);
    nextFrame(capturer);
    cause(desktop);
    return { desktop, lease, capturer, lost: readUntilLost(capturer) };
  }

  test.each([
    ['its backend', (desktop: PortalDesktop) => desktop.backend.kill('SIGKILL')],
    ['the compositor', (desktop: PortalDesktop) => desktop.sway.process.kill('SIGKILL')],
  ] as const)(
    '%s is a loss within a second',
    async (_name, kill) => {
      const { desktop, lease, capturer, lost } = await lossOf(kill);

      expect(lost.cause).toMatch(/was removed|stream/);
      expect(lost.afterMs).toBeLessThan(1_000);
      capturer.close();
      await lease.release();
      await desktop.stop();
    },
    TIMEOUT_MS,
  );

  test(
    'a frontend that dies ends the lease within a second',
    async () => {
      const desktop = await startPortal();
      const lease = await share(desktop);

      const startedMs = performance.now();
      desktop.frontend.kill('SIGKILL');

      expect(await lease.lost).toBe('the desktop portal left the session bus');
      expect(performance.now() - startedMs).toBeLessThan(1_000);
      await lease.release();
      await desktop.stop();
    },
    TIMEOUT_MS,
  );
});
