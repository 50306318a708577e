/**
 * A device sees and hears the desktop: a moving program on a screen of the device's own size, read
 * back from the H.264 and the Opus that reached it, on real compositors and from the executable.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { SessionRow } from '../../src/mgmt/schemas.ts';
import { startPattern } from './harness.ts';
import {
  type CounterFacts,
  countSteps,
  planesOfImage,
  readPatternCounters,
  readVideoFacts,
  takePicture,
  type VideoFacts,
} from './stream-analysis.ts';
import { type StreamDesktop, startDesktop, streamSkipReason } from './stream-desktop.ts';
import { programUnderTest, StreamHost } from './stream-host.ts';
import { type Likeness, likeness } from './stream-likeness.ts';
import { type Mode, modeText, Recording } from './stream-recording.ts';
import { chooseSink, chosenSink, playTone, TONE_AMPLITUDE, TONE_HZ } from './stream-sound.ts';
import { channelOf, findTone, type ToneFacts } from './stream-tone.ts';

const USERS_SINK = 'users-speakers';
const MOVING_PICTURES = 300;
const HELD_PICTURES = 45;
const TONE_SECONDS = 1.5;
const MODES: readonly Mode[] = [
  { width: 1280, height: 720, fps: 60 },
  { width: 1922, height: 1082, fps: 60 },
];
/** Share of the promised rate that a busy machine with two cores still reaches; half rate is 0.5. */
const RATE_RATIO_MIN = 0.8;
/** Share of the program's pictures that reach the device; a stream at half rate has 0.5. */
const SHOWN_RATIO_MIN = 0.7;
/**
 * Share of the tone that came through undisturbed. PipeWire itself skips on a busy machine where it
 * has no real-time threads, as here; its recorder hears the same gaps.
 */
const TONE_RATIO_MIN = 0.3;

interface Evidence {
  readonly row: SessionRow;
  readonly outputsBefore: readonly string[];
  readonly modeDuring: string | undefined;
  readonly outputsAfter: readonly string[];
  readonly sinkDuring: string | null;
  readonly sinkAfter: string | null;
  readonly isFreeAfterQuit: boolean;
  readonly video: VideoFacts;
  readonly steps: CounterFacts;
  /** How long the program moved. */
  readonly seconds: number;
  /** Pictures per second in that time. */
  readonly rate: number;
  readonly lostFrames: number;
  readonly lint: readonly string[];
  readonly likeness: Likeness;
  readonly left: ToneFacts;
  readonly right: ToneFacts;
  readonly journal: readonly unknown[];
}

async function record(desktop: StreamDesktop, host: StreamHost, mode: Mode): Promise<Evidence> {
  const { session } = desktop;
  const outputsBefore = [...(await desktop.outputs()).keys()];
  const recording = await Recording.start(desktop, host, mode);
  const { output, stream } = recording;
  const pattern = await startPattern(session, desktop.socketPath, {
    output,
    freezeAfter: MOVING_PICTURES,
  });
  const [countBefore, beganMs] = [recording.pictureCount, performance.now()];
  const tone = playTone(session, TONE_SECONDS);
  await pattern.process.waitFor(/frozen/, 30_000);
  const seconds = (performance.now() - beganMs) / 1000;
  const rate = (recording.pictureCount - countBefore) / seconds;
  await tone.exited;
  await recording.more(HELD_PICTURES);
  const shot = await desktop.takeShot(output, MOVING_PICTURES);
  const modeDuring = (await desktop.outputs()).get(output);
  const sinkDuring = await chosenSink(session);
  const row = await host.session();
  await pattern.process.stop();
  const isFreeAfterQuit = await host.device.quit();
  await stream.ended;
  recording.close();

  const video = await readVideoFacts(recording.videoPath);
  const counters = await readPatternCounters(recording.videoPath);
  const held = await takePicture(recording.videoPath, counters.lastIndexOf(MOVING_PICTURES));
  const { samples } = await stream.hearStereo();
  return {
    row,
    outputsBefore,
    modeDuring,
    outputsAfter: [...(await desktop.outputs()).keys()],
    sinkDuring,
    sinkAfter: await chosenSink(session),
    isFreeAfterQuit,
    video,
    steps: countSteps(counters),
    seconds,
    rate,
    lostFrames: stream.video.lostFrames,
    lint: [...stream.video.lint.keys(), ...stream.audio.lint.keys()],
    likeness: likeness(held, await planesOfImage(shot, video)),
    left: findTone(channelOf(samples, 0), TONE_HZ),
    right: findTone(channelOf(samples, 1), TONE_HZ),
    journal: host.journal(),
  };
}

/** Frames per second the host promises: the mode's, unless it says that the machine is too slow. */
function promisedRate({ notes }: SessionRow, { fps }: Mode): number {
  const reduced = notes.flatMap((note) => / at ([\d.]+) fps/.exec(note)?.[1] ?? []).map(Number);
  return Math.min(fps, ...reduced);
}

for (const kind of ['sway', 'mutter'] as const) {
  const skipReason = streamSkipReason(kind, ['pw-play', 'pw-metadata']);
  if (skipReason) console.log(`skipped: streaming ${kind}: ${skipReason}`);

  describe.skipIf(skipReason !== null)(`${kind}, streamed`, () => {
    let desktop: StreamDesktop;
    let host: StreamHost;

    beforeAll(async () => {
      desktop = await startDesktop(kind);
      await chooseSink(desktop.session, USERS_SINK);
      host = await StreamHost.start(desktop.session, { env: desktop.env });
      console.log(`${kind}: streaming from ${programUnderTest().kind}`);
    }, 30_000);

    afterAll(async () => {
      await host?.stop();
      await desktop?.stop();
    });

    describe.each(MODES)('at $width x $height, $fps fps', (mode) => {
      let seen: Evidence;

      beforeAll(async () => {
        seen = await record(desktop, host, mode);
        const { steps, rate, likeness: like, left, row } = seen;
        console.log(
          `${kind} ${modeText(mode)}: ${rate.toFixed(1)} pictures/s, ` +
            `${steps.fresh} of ${MOVING_PICTURES} shown, SSIM ${like.y.toFixed(3)} ${like.u.toFixed(3)} ` +
            `${like.v.toFixed(3)}, tone ${left.levelDb.toFixed(2)} dB for ${left.steadyMs} ms; ${row.notes.join('; ')}`,
        );
      }, 60_000);

      test('a screen of exactly that mode exists while the device streams, and no longer', () => {
        expect(seen.outputsBefore).not.toContain(seen.row.display.output ?? '');
        expect(seen.modeDuring).toBe(modeText(mode));
        expect(seen.row.display.actual).toBe(modeText(mode));
        expect(seen.outputsAfter).toEqual([...seen.outputsBefore]);
      });

      test('the pictures have that size and the colours that were asked for', () => {
        expect(seen.video).toEqual({
          width: mode.width,
          height: mode.height,
          codec: 'h264',
          pixelFormat: 'yuv420p',
          range: 'tv',
          matrix: 'bt709',
        });
      });

      test('they show the program moving, whole and never backwards, at the full rate', () => {
        expect(seen.steps.backward).toBe(0);
        expect(seen.steps.unreadable).toBe(0);
        const promised = promisedRate(seen.row, mode);
        const expected = Math.min(MOVING_PICTURES, promised * seen.seconds);
        expect(seen.rate).toBeGreaterThanOrEqual(promised * RATE_RATIO_MIN);
        expect(seen.steps.fresh).toBeGreaterThanOrEqual(expected * SHOWN_RATIO_MIN);
        expect(seen.lostFrames).toBe(0);
        expect(seen.lint).toEqual([]);
      });

      test('the held picture is the one on the screen', () => {
        expect(seen.likeness.y).toBeGreaterThanOrEqual(0.9);
        expect(seen.likeness.u).toBeGreaterThanOrEqual(0.9);
        expect(seen.likeness.v).toBeGreaterThanOrEqual(0.9);
      });

      test('a tone of the desktop is heard at its level, clean, on both sides', () => {
        for (const heard of [seen.left, seen.right]) {
          expect(Math.abs(heard.levelDb - 20 * Math.log10(TONE_AMPLITUDE))).toBeLessThan(1);
          expect(heard.steadyMs).toBeGreaterThanOrEqual(TONE_SECONDS * 1000 * TONE_RATIO_MIN);
          expect(heard.restDb).toBeLessThan(-20);
        }
      });

      test('what the user had is back after quitting', () => {
        expect(seen.isFreeAfterQuit).toBe(true);
        expect(seen.sinkDuring).not.toBe(USERS_SINK);
        expect(seen.sinkAfter).toBe(USERS_SINK);
        expect(seen.journal).toEqual([]);
      });
    });
  });
}
