/** The analysis must find what is wrong with a stream: it is held against streams made to be so. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Application, createEncoder } from 'libopus-wasm';
import { decodeStereo } from '../peers/moonlight/audio.ts';
import { missingPrograms } from './harness-session.ts';
import { drawPatternFrame, drawStillFields, type PatternTarget } from './pattern.ts';
import {
  countSteps,
  decodePictures,
  planesOfImage,
  readPatternCounters,
  readVideoFacts,
  takePicture,
} from './stream-analysis.ts';
import { likeness, patternImage, planeSsim } from './stream-likeness.ts';
import { channelOf, findTone, toneAmplitude } from './stream-tone.ts';

const SIZE = { width: 770, height: 402 };

const ffmpegReason = missingPrograms(['ffmpeg', 'ffprobe', 'x264']);
if (ffmpegReason) console.log(`skipped: analysis of streams: ${ffmpegReason}`);

describe('steps of the counter', () => {
  test('a lively stream: every picture new, the held end left out', () => {
    expect(countSteps([null, null, 4, 5, 6, 8, 8, 8])).toEqual({
      pictures: 4,
      fresh: 4,
      backward: 0,
      unreadable: 0,
      longestRepeat: 0,
    });
  });

  test('half rate, a jump back and a torn picture are seen', () => {
    const facts = countSteps([1, 1, 2, 2, null, 3, 2, 4]);

    expect(facts).toEqual({ pictures: 8, fresh: 4, backward: 1, unreadable: 1, longestRepeat: 1 });
  });

  test('a stream without the pattern has no step', () => {
    expect(countSteps([null, null]).pictures).toBe(0);
    expect(countSteps([]).fresh).toBe(0);
  });
});

describe('likeness', () => {
  const noise = Uint8Array.from({ length: 64 * 64 }, (_, index) => (index * 7919) % 251);

  test('a picture is equal to itself and unlike its negative', () => {
    expect(planeSsim(noise, noise, 64)).toBe(1);
    expect(
      planeSsim(
        noise,
        noise.map((value) => 255 - value),
        64,
      ),
    ).toBeLessThan(0);
  });

  test('a shift by two pixels shows', () => {
    const shifted = Uint8Array.from(noise, (_, index) => noise[index - 2] ?? 0);

    expect(planeSsim(noise, shifted, 64)).toBeLessThan(0.6);
  });

  test('pictures of different sizes are not compared', () => {
    const empty = new Uint8Array();
    const picture = { index: 0, width: 2, height: 2, y: empty, u: empty, v: empty };

    expect(() => likeness(picture, { ...picture, width: 4 })).toThrow('4x2');
  });
});

describe.skipIf(ffmpegReason !== null)('an H.264 file of the pattern', () => {
  let folder: string;
  let path: string;
  const counters = [7, 8, 9, 9, 11, 12];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pfanalysis-'));
    path = join(folder, 'pattern.h264');
    await encode(counters, path);
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('its counters are read', async () => {
    expect(await readPatternCounters(path)).toEqual(counters);
  });

  test('its size, colours and every byte of its planes are known', async () => {
    const facts = await readVideoFacts(path);
    const sizes = new Set<number>();
    const count = await decodePictures(path, ({ y, u, v }) =>
      sizes.add(y.length).add(u.length).add(v.length),
    );

    expect(facts).toEqual({
      ...SIZE,
      codec: 'h264',
      pixelFormat: 'yuv420p',
      range: 'tv',
      matrix: 'bt709',
    });
    expect(count).toBe(counters.length);
    expect([...sizes]).toEqual([770 * 402, 385 * 201]);
  });

  test('the right picture is like the screenshot in all planes, another one is not', async () => {
    const shot = join(folder, 'shot.ppm');
    await Bun.write(shot, patternImage(SIZE.width, SIZE.height, 12));
    const shown = await planesOfImage(shot, { matrix: 'bt709', range: 'tv' });
    const same = likeness(await takePicture(path, 5), shown);
    const other = likeness(await takePicture(path, 0), shown);
    const wrongMatrix = await planesOfImage(shot, { matrix: 'bt601', range: 'tv' });

    expect(Math.min(same.y, same.u, same.v)).toBeGreaterThan(0.97);
    expect(other.y).toBeLessThan(same.y - 0.003);
    expect(wrongMatrix.u).not.toEqual(shown.u);
  });

  test('a damaged file is not taken', async () => {
    const bytes = new Uint8Array(await Bun.file(path).arrayBuffer());
    bytes.fill(0x55, bytes.length >> 1, (bytes.length >> 1) + 400);
    const damaged = join(folder, 'damaged.h264');
    await Bun.write(damaged, bytes);

    await expect(decodePictures(damaged, () => {})).rejects.toThrow('ffmpeg');
    await expect(takePicture(path, 99)).rejects.toThrow('no picture 99');
  });
});

describe('tones', () => {
  test('the level of a tone is exact, next to it there is nothing', () => {
    const samples = tone(0.5, 1000, 4800);

    expect(toneAmplitude(samples, 1000)).toBeCloseTo(0.5, 4);
    expect(toneAmplitude(samples, 1200)).toBeLessThan(0.001);
    expect(toneAmplitude(new Float32Array(4800), 1000)).toBe(0);
  });

  test('through Opus the tone stays within half a decibel, for as long as it was played', async () => {
    const encoder = await createEncoder({
      channels: 2,
      application: Application.RestrictedLowDelay,
      bitrate: 96_000,
      vbr: false,
      frameSize: 240,
    });
    const packets: Uint8Array[] = [];
    const played = tone(0.25, 1000, 48_000);
    for (let packet = 0; packet < 400; packet += 1) {
      const pcm = new Float32Array(480);
      for (let frame = 0; frame < 240; frame += 1) {
        const sample = packet < 200 ? 0 : (played[(packet - 200) * 240 + frame] ?? 0);
        pcm[frame * 2] = sample;
      }
      packets.push(encoder.encodeFloat(pcm).slice());
    }
    encoder.free();

    const { samples } = await decodeStereo(packets);
    const [left, right] = [channelOf(samples, 0), channelOf(samples, 1)];
    const heard = findTone(left, 1000);

    expect(heard.levelDb).toBeWithin(-12.55, -11.55);
    expect(heard.steadyMs).toBeWithin(900, 1051);
    expect(heard.restDb).toBeLessThan(-20);
    expect(toneAmplitude(right, 1000)).toBeLessThan(0.01);
    expect(findTone(left.subarray(0, 40_000), 1000).levelDb).toBeLessThan(-80);
  });
});

function tone(amplitude: number, frequencyHz: number, frames: number): Float32Array {
  return Float32Array.from(
    { length: frames },
    (_, frame) => amplitude * Math.sin((2 * Math.PI * frequencyHz * frame) / 48_000),
  );
}

function draw(counter: number): Uint8Array {
  const { width, height } = SIZE;
  const target: PatternTarget = {
    pixels: new Uint32Array(width * height),
    width,
    height,
    strideWords: width,
  };
  drawStillFields(target);
  drawPatternFrame(target, counter);
  return new Uint8Array(target.pixels.buffer);
}

async function encode(counters: readonly number[], path: string): Promise<void> {
  const size = `${SIZE.width}x${SIZE.height}`;
  const convert = Bun.spawn(
    [
      ...['ffmpeg', '-v', 'error', '-f', 'rawvideo', '-pix_fmt', 'bgr0', '-s', size, '-i', '-'],
      ...['-vf', 'scale=out_color_matrix=bt709:out_range=tv,format=yuv420p', '-f', 'rawvideo', '-'],
    ],
    { stdin: new Blob(counters.map((counter) => draw(counter).slice())), stdout: 'pipe' },
  );
  const planes = await new Response(convert.stdout).blob();
  const encoder = Bun.spawn(
    [
      ...['x264', '--quiet', '--demuxer', 'raw', '--input-res', size, '--input-csp', 'i420'],
      ...['--preset', 'superfast', '--tune', 'zerolatency', '--colormatrix', 'bt709'],
      ...['--range', 'tv', '--muxer', 'raw', '-o', path, '-'],
    ],
    { stdin: planes, stderr: 'pipe' },
  );
  if ((await encoder.exited) !== 0) throw new Error(await new Response(encoder.stderr).text());
}
