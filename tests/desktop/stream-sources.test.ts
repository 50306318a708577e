/**
 * Screens that are there already: a monitor mirrored on both compositors and one shared through the
 * desktop portal. The desktop stays as it is, during the stream and after it.
 */
import { afterEach, describe, expect, test } from 'bun:test';
import { startPattern } from './harness.ts';
import { portalSkipReason } from './harness-portal.ts';
import { countSteps, readPatternCounters, readVideoFacts } from './stream-analysis.ts';
import {
  type StreamDesktop,
  startDesktop,
  startPortalDesktop,
  streamSkipReason,
} from './stream-desktop.ts';
import { StreamHost } from './stream-host.ts';
import { type Mode, modeText, Recording } from './stream-recording.ts';

const MODE: Mode = { width: 1280, height: 720, fps: 60 };
const MOVING_PICTURES = 100;
const TIMEOUT_MS = 60_000;
/** Share of the program's pictures that the compositor hands over at least; see stream-pictures. */
const SHOWN_RATIO_MIN = 0.4;

interface Case {
  readonly name: string;
  readonly source: 'mirror' | 'portal';
  readonly backend: RegExp;
  readonly skipReason: string | null;
  start(): Promise<StreamDesktop>;
}

const CASES: readonly Case[] = [
  {
    name: 'a monitor of sway, mirrored',
    source: 'mirror',
    backend: /wlroots/,
    skipReason: streamSkipReason('sway'),
    start: () => startDesktop('sway', modeText(MODE)),
  },
  {
    name: 'a monitor of Mutter, mirrored',
    source: 'mirror',
    backend: /mutter/,
    skipReason: streamSkipReason('mutter'),
    start: () => startDesktop('mutter', modeText(MODE)),
  },
  {
    name: 'a monitor shared through the portal',
    source: 'portal',
    backend: /portal/,
    skipReason: streamSkipReason('sway') ?? portalSkipReason(),
    start: startPortalDesktop,
  },
];

describe('screens that are there already', () => {
  const ends: (() => Promise<unknown>)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  for (const { name, source, backend, skipReason, start } of CASES) {
    if (skipReason) console.log(`skipped: ${name}: ${skipReason}`);

    test.skipIf(skipReason !== null)(
      name,
      async () => {
        const desktop = await start();
        ends.push(() => desktop.stop());
        const before = await desktop.outputs();
        const [monitor = ''] = before.keys();
        const host = await StreamHost.start(desktop.session, {
          env: desktop.env,
          flags: ['--source', source],
        });
        ends.push(() => host.stop());
        const recording = await Recording.start(desktop, host, MODE);
        ends.push(async () => recording.close());
        const pattern = await startPattern(desktop.session, desktop.socketPath, {
          output: monitor,
          freezeAfter: MOVING_PICTURES,
        });
        await pattern.process.waitFor(/frozen/, 30_000);
        await recording.more(30);
        const during = await desktop.outputs();
        const isFree = await host.device.quit();
        await recording.stream.ended;

        const steps = countSteps(await readPatternCounters(recording.videoPath));
        console.log(`${name}: ${steps.fresh} of ${MOVING_PICTURES} pictures shown`);
        expect(recording.row.display.backend).toMatch(backend);
        expect(recording.output).toBe(monitor);
        expect(await readVideoFacts(recording.videoPath)).toMatchObject({
          width: MODE.width,
          height: MODE.height,
        });
        expect([steps.backward, steps.unreadable]).toEqual([0, 0]);
        expect(steps.fresh).toBeGreaterThanOrEqual(MOVING_PICTURES * SHOWN_RATIO_MIN);
        expect(during).toEqual(before);
        expect(isFree).toBe(true);
        expect(await desktop.outputs()).toEqual(before);
        expect(host.journal()).toEqual([]);
      },
      TIMEOUT_MS,
    );
  }
});
