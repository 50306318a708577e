/** Pictures of a real sway: every one of a moving pattern, equal to a screenshot, and their end. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { monotonicNs } from '../../ffi/libc-time.ts';
import type { Capturer, MemoryFrame } from '../../src/capture/port.ts';
import { openWlrCapturer } from '../../src/capture/wlr/capturer.ts';
import { RestoreJournal } from '../../src/platform/journal.ts';
import { logger } from '../../src/platform/log.ts';
import { parseMode } from '../../src/session/mode.ts';
import type { DisplayLease } from '../../src/vdisplay/port.ts';
import { createWlrootsBackend } from '../../src/vdisplay/wlroots/backend.ts';
import {
  missingPrograms,
  type SwayDesktop,
  startPattern,
  startSway,
  swaySkipReason,
} from './harness.ts';
import { bgrxLuma, readPatternCounter } from './pattern.ts';

const skipReason = swaySkipReason();
if (skipReason) console.log(`skipped: capture on sway: ${skipReason}`);
const grimReason = skipReason ?? missingPrograms(['grim']);
if (grimReason && !skipReason) console.log(`skipped: screenshots on sway: ${grimReason}`);

async function takeScreen(sway: SwayDesktop, modeText: string): Promise<DisplayLease> {
  const mode = parseMode(modeText);
  if (!mode) throw new Error(`not a mode: ${modeText}`);
  const journal = new RestoreJournal(join(sway.session.runtimeDir, 'journal.json'));
  const backend = createWlrootsBackend({ environment: sway.env, journal, log: logger('test') });
  return await backend.acquire({ mode, identity: 'device', kind: 'virtual' });
}

function nextFrame(capturer: Capturer, timeoutMs = 1000): MemoryFrame {
  const result = capturer.next(timeoutMs);
  if (result.kind !== 'frame' || result.frame.kind !== 'memory') {
    throw new Error(result.kind === 'lost' ? result.cause : `no picture: ${result.kind}`);
  }
  return result.frame;
}

function counterOf(frame: MemoryFrame): number | null {
  return readPatternCounter(bgrxLuma(frame.data, frame.strideBytes));
}

describe.skipIf(skipReason !== null)('capture on sway', () => {
  let sway: SwayDesktop;

  beforeAll(async () => {
    sway = await startSway();
  });

  afterAll(async () => {
    await sway?.stop();
  });

  test.each(['1280x720@60', '1922x1082@60', '1281x721@59.94'])(
    'at %s 60 pictures of a moving pattern count up one by one',
    async (modeText) => {
      const lease = await takeScreen(sway, modeText);
      const pattern = await startPattern(sway.session, sway.socketPath, {
        output: lease.outputName,
      });
      const capturer = openWlrCapturer(lease.source);
      const counters: (number | null)[] = [];
      const agesMs: number[] = [];
      nextFrame(capturer);
      const started = performance.now();
      while (counters.length < 60) {
        const frame = nextFrame(capturer);
        counters.push(counterOf(frame));
        agesMs.push((monotonicNs() - frame.captureNs) / 1e6);
        expect([frame.width, frame.height]).toEqual([lease.mode.width, lease.mode.height]);
      }
      const seconds = (performance.now() - started) / 1000;
      capturer.close();
      await pattern.process.stop();
      await lease.release();

      // On a loaded machine the program may miss a turn; it never goes back or shows half a picture.
      const steps = counters.slice(1).map((value, index) => (value ?? 0) - (counters[index] ?? 0));
      expect(counters).not.toContain(null);
      expect(Math.min(...steps)).toBeGreaterThanOrEqual(1);
      expect(steps.filter((step) => step === 1).length).toBeGreaterThanOrEqual(50);
      expect(seconds).toBeLessThan(3);
      const age = agesMs.sort((a, b) => a - b)[30] ?? 99;
      console.log(
        `${capturer.description} ${modeText}: ${(60 / seconds).toFixed(1)} pictures/s, median age ${age.toFixed(2)} ms`,
      );
    },
    15_000,
  );

  test.skipIf(grimReason !== null)(
    'a still picture equals the screenshot in every byte',
    async () => {
      const lease = await takeScreen(sway, '1922x1082@60');
      const pattern = await startPattern(sway.session, sway.socketPath, {
        output: lease.outputName,
        freezeAfter: 10,
      });
      await pattern.process.waitFor(/frozen 10/);
      const capturer = openWlrCapturer(lease.source);
      let frame = nextFrame(capturer);
      while (counterOf(frame) !== 10) frame = nextFrame(capturer);
      const path = join(sway.session.runtimeDir, 'shot.ppm');
      await sway.session.run(['grim', '-t', 'ppm', '-o', lease.outputName, path], {
        env: sway.env,
      });
      const shot = new Uint8Array(await Bun.file(path).arrayBuffer());
      const header = `P6\n${frame.width} ${frame.height}\n255\n`;

      expect(new TextDecoder().decode(shot.subarray(0, header.length))).toBe(header);
      let different = 0;
      for (let pixel = 0; pixel < frame.width * frame.height; pixel += 1) {
        const y = Math.floor(pixel / frame.width);
        const at = y * frame.strideBytes + (pixel - y * frame.width) * 4;
        const to = header.length + pixel * 3;
        const same =
          frame.data[at] === shot[to + 2] &&
          frame.data[at + 1] === shot[to + 1] &&
          frame.data[at + 2] === shot[to];
        if (!same) different += 1;
      }
      expect(different).toBe(0);
      capturer.close();
      await pattern.process.stop();
      await lease.release();
    },
    15_000,
  );

  test('a screen on which nothing moves gives one picture and then none', async () => {
    const lease = await takeScreen(sway, '1280x720@60');
    const capturer = openWlrCapturer(lease.source);
    nextFrame(capturer);
    // What the new output still had to draw.
    while (capturer.next(100).kind === 'frame');
    const started = performance.now();

    const results = [capturer.next(50), capturer.next(50)];

    expect(results.map((result) => result.kind)).toEqual(['none', 'none']);
    expect(performance.now() - started).toBeWithin(95, 400);
    capturer.close();
    await lease.release();
  });

  test('the pointer is in the picture, where it was put', async () => {
    const lease = await takeScreen(sway, '1280x720@60');
    const injector = await lease.openInjector();
    const capturer = openWlrCapturer(lease.source);
    const coloursAround = (centreX: number, centreY: number) => {
      const colours = new Set<string>();
      for (;;) {
        const result = capturer.next(150);
        if (result.kind !== 'frame' || result.frame.kind !== 'memory') break;
        const { data, strideBytes } = result.frame;
        colours.clear();
        for (let y = centreY - 8; y < centreY + 24; y += 1) {
          const at = y * strideBytes + (centreX - 8) * 4;
          for (let x = 0; x < 32; x += 1)
            colours.add(data.subarray(at + x * 4, at + x * 4 + 3).join());
        }
      }
      return colours.size;
    };

    injector.moveAbsolute(0.25, 0.25);
    const empty = coloursAround(960, 540);
    injector.moveAbsolute(0.75, 0.75);
    const pointed = coloursAround(960, 540);

    expect(empty).toBe(1);
    expect(pointed).toBeGreaterThan(1);
    injector.close();
    capturer.close();
    await lease.release();
  });

  test('closing frees the picture: a late look sees nothing instead of a fault', async () => {
    const lease = await takeScreen(sway, '1280x720@60');
    const capturer = openWlrCapturer(lease.source);
    const frame = nextFrame(capturer);

    capturer.close();

    expect([frame.data.length, frame.data[0]]).toEqual([0, undefined]);
    expect(capturer.next(10)).toEqual({ kind: 'lost', cause: 'the capturer was closed' });
    await lease.release();
  });

  test('an output that is not there is refused by name', async () => {
    const lease = await takeScreen(sway, '1280x720@60');
    const source = { ...lease.source, outputName: 'DP-7' };

    expect(() => openWlrCapturer(source as typeof lease.source)).toThrow('no output DP-7');
    await lease.release();
  });

  test.each([
    ['while a copy is under way', 0],
    ['after it came to rest', 5],
  ])('a mode that changes under it %s gives a whole picture of the new size', async (_, rests) => {
    const lease = await takeScreen(sway, '1280x720@60');
    const capturer = openWlrCapturer(lease.source);
    nextFrame(capturer);
    for (let rest = 0; rest < rests; rest += 1) capturer.next(50);
    await sway.message(`output ${lease.outputName} mode --custom 800x600@60Hz`);
    let last: MemoryFrame | null = null;
    for (let turn = 0; turn < 5; turn += 1) {
      const result = capturer.next(100);
      if (result.kind === 'lost') throw new Error(result.cause);
      if (result.kind === 'frame' && result.frame.kind === 'memory') last = result.frame;
    }

    expect([last?.width, last?.height, last?.data.length]).toEqual([800, 600, 800 * 600 * 4]);
    capturer.close();
    await lease.release();
  });

  test('a compositor killed in the middle is lost within a second, and stays lost', async () => {
    const doomed = await startSway();
    const lease = await takeScreen(doomed, '1280x720@60');
    const capturer = openWlrCapturer(lease.source);
    nextFrame(capturer);
    doomed.process.kill('SIGKILL');
    const started = performance.now();
    let result = capturer.next(1000);
    while (result.kind === 'frame') result = capturer.next(1000);

    expect(performance.now() - started).toBeLessThan(1000);
    expect(result.kind).toBe('lost');
    if (result.kind === 'lost') expect(result.cause).toContain('the compositor is gone');
    expect(capturer.next(10).kind).toBe('lost');
    capturer.close();
    await lease.release();
    await doomed.stop();
  });
});
