/**
 * Loss on the way: the host throws away part of its video datagrams after parity, the device
 * repairs, asks and waits as real ones do (GameStream §9.5, §9.7).
 */
import { describe, expect, test } from 'bun:test';
import { x264Rung } from '../../src/encode/x264.ts';
import { statisticsOf } from '../peers/moonlight/statistics.ts';
import type { RunningStream, StreamOptions } from '../peers/moonlight/stream.ts';
import { HostProcess } from './host-process.ts';
import { crowdedKeys, encoderRestarts } from './key-spacing.ts';

/**
 * A round is a request, one frame that was already under way, and the answer; a busy machine may
 * have two more under way, and now and then sleeps through some.
 */
const ROUND_FRAMES_MAX = 4;
const ROUND_RATIO_MIN = 0.85;
const LATE_ROUND_FRAMES_MAX = 3 * ROUND_FRAMES_MAX;
const OUTAGES_MIN = 12;
const FPS = 60;

const probed = x264Rung(1).probe();
const NO_INVALIDATION = probed.available ? '' : ` (skipped: ${probed.missing})`;

interface Outage {
  /** Last frame that was lost before pictures came back. */
  readonly lastLost: number;
  /** First frame that was shown again. */
  readonly resumedAt: number;
  readonly resumedType: number;
}

/** Stretches without pictures that are over. */
function outagesOf(stream: RunningStream): Outage[] {
  const outages: Outage[] = [];
  const { frames } = stream.video;
  let lastLost = 0;
  let isFrozen = false;
  for (const [position, frame] of frames.entries()) {
    const before = frames[position - 1]?.index ?? 0;
    if (frame.index > before + 1) {
      lastLost = frame.index - 1;
      isFrozen = true;
    }
    if (!frame.isShown) continue;
    if (isFrozen) outages.push({ lastLost, resumedAt: frame.index, resumedType: frame.type });
    isFrozen = false;
  }
  return outages;
}

/** Streams for `durationMs`, or until `isDone`. */
async function streamFor(
  dropPct: number,
  durationMs: number,
  wish: Partial<StreamOptions> = {},
  isDone: (stream: RunningStream) => boolean = () => false,
): Promise<{ stream: RunningStream; restarts: number }> {
  const host = await HostProcess.start({ env: { PUNKTFUNK_VIDEO_DROP: String(dropPct) } });
  try {
    const device = await host.pairedDevice();
    const stream = await device.stream(wish);
    await stream.until(isDone, durationMs);
    expect(stream.end).toBeNull();
    await stream.stop();
    return { stream, restarts: encoderRestarts(host) };
  } finally {
    await host.dispose();
  }
}

describe('with 5 % of the datagrams lost', () => {
  test('20 s bring at least 99 % of the frames intact through parity', async () => {
    const { stream } = await streamFor(5, 20_000);
    const figures = statisticsOf(stream);
    const sent = figures.lastIndex ?? 0;
    expect(sent).toBeGreaterThan(200);
    expect(figures.recoveredFrames).toBeGreaterThan(20);
    expect(figures.frames / sent).toBeGreaterThanOrEqual(0.99);
    expect(figures.lint).toEqual({});
  });
});

test('with 10 % of the sound lost most of it comes back through parity', async () => {
  const { stream } = await streamFor(0, 3000, { width: 640, height: 360, audioLossPct: 10 });
  const figures = statisticsOf(stream);
  expect(stream.audioSocket.droppedCount).toBeGreaterThan(40);
  expect(figures.audioRecovered).toBeGreaterThan(20);
  expect(figures.audioMissing / figures.audioPackets).toBeLessThan(0.05);
  expect(figures.audioUnopened).toBe(0);
});

/** Every picture comes back, most of them within one round. */
function expectRounds(outages: readonly Outage[], framesMax: number): void {
  const rounds = outages.map((outage) => outage.resumedAt - outage.lastLost);
  const quick = rounds.filter((frames) => frames <= framesMax).length;
  expect(quick / rounds.length).toBeGreaterThanOrEqual(ROUND_RATIO_MIN);
  expect(Math.max(...rounds)).toBeLessThanOrEqual(LATE_ROUND_FRAMES_MAX);
}

describe('with 15 % of the datagrams lost', () => {
  const hasEnough = (stream: RunningStream) => outagesOf(stream).length >= OUTAGES_MIN;

  test.skipIf(!probed.available)(
    `the picture comes back within one round of invalidation, without IDRs${NO_INVALIDATION}`,
    async () => {
      // Without parity every lost data shard is a lost frame: many rounds in a short time.
      const wish = { videoSins: { ignoreParity: true }, wantsInvalidation: true };
      const { stream, restarts } = await streamFor(15, 40_000, wish, hasEnough);
      expect(stream.handshake.description.canInvalidate).toBe(true);
      const outages = outagesOf(stream);
      expect(outages.length).toBeGreaterThanOrEqual(OUTAGES_MIN);
      expectRounds(outages, ROUND_FRAMES_MAX);
      const repaired = outages.filter((outage) => outage.resumedType === 5).length;
      expect(repaired).toBeGreaterThan(OUTAGES_MIN / 2);
      expect(crowdedKeys(stream, FPS)).toBeLessThanOrEqual(restarts);
      expect(stream.video.lint.size).toBe(0);
    },
  );

  test('the picture comes back within one round of IDR, never two IDRs within two frames', async () => {
    const wish = { videoSins: { ignoreParity: true }, wantsInvalidation: false };
    const { stream, restarts } = await streamFor(15, 40_000, wish, hasEnough);
    const outages = outagesOf(stream);
    expect(outages.length).toBeGreaterThanOrEqual(OUTAGES_MIN);
    expect(outages.every((outage) => outage.resumedType === 2)).toBe(true);
    expect(stream.video.frames.filter((frame) => frame.isKey).length).toBeGreaterThanOrEqual(
      OUTAGES_MIN,
    );
    expect(crowdedKeys(stream, FPS)).toBeLessThanOrEqual(restarts);
    // The gate lets an IDR through every second frame interval.
    expectRounds(outages, ROUND_FRAMES_MAX + 2);
  });
});
