/**
 * CPU time of software encoding, beside the x264 command line on the same clip in the same run, and
 * of colour conversion and the test card.
 *
 *   bun tests/bench/encode.ts [--size 1920x1080] [--frames 120] [--rounds 5]
 *
 * The clips come from ffmpeg: `game` pans over a detailed fractal with grain and a small test card,
 * `desk` is ffmpeg's test picture. Figures are user plus system time of everything involved, so a
 * busy machine changes them little; the best of the rounds counts, rounds are interleaved.
 */
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { FrameConverter } from '../../src/capture/convert.ts';
import type { MemoryFrame } from '../../src/capture/port.ts';
import { TestCard } from '../../src/capture/test-card.ts';
import { encoderRungs } from '../../src/encode/ladder.ts';
import type { EncoderInput, EncoderParameters, EncoderRung } from '../../src/encode/port.ts';
import { PROBE_PARAMETERS } from '../../src/encode/probe-session.ts';
import { planRate, sliceThreads } from '../../src/encode/x264-settings.ts';

const FOLDER = join(import.meta.dir, '..', '..', 'build', 'bench');
const FPS = 60;
/** Goals: embedded encoder against the command line, and conversion of a 1080p frame. */
const RATIO_MAX = 1.1;
const CONVERT_MS_MAX = 2;
const CARD_MS_MAX = 1;

const option = (name: string, fallback: string): string => {
  const index = process.argv.indexOf(`--${name}`);
  return index < 0 ? fallback : (process.argv[index + 1] ?? fallback);
};
const [WIDTH = 1920, HEIGHT = 1080] = option('size', '1920x1080').split('x').map(Number);
const FRAMES = Number(option('frames', '120'));
const ROUNDS = Number(option('rounds', '5'));
const THREADS = sliceThreads(1, cpus().length, HEIGHT);

const PARAMETERS: EncoderParameters = {
  ...PROBE_PARAMETERS,
  width: WIDTH,
  height: HEIGHT,
  bitrateKbps: WIDTH * HEIGHT > 1280 * 720 ? 20_000 : 10_000,
};

interface Timing {
  cpuMs: number;
  p50Ms: number;
  p99Ms: number;
}

function run(command: string[]): { cpuMs: number } {
  const { exitCode, stderr, resourceUsage } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`${command[0]}: ${stderr.toString()}`);
  return { cpuMs: Number(resourceUsage?.cpuTime.total ?? 0) / 1000 };
}

/** Path of a raw I420 clip, made on first use. */
function clip(name: 'game' | 'desk'): string {
  const path = join(FOLDER, `${name}-${WIDTH}x${HEIGHT}-${FRAMES}.yuv`);
  if (existsSync(path)) return path;
  mkdirSync(FOLDER, { recursive: true });
  const size = `${WIDTH}x${HEIGHT}`;
  const still = join(FOLDER, `fractal-${size}.png`);
  const big = `${WIDTH * 2}x${HEIGHT * 2}`;
  const draw = ['ffmpeg', '-v', 'error', '-y', '-f', 'lavfi'];
  const raw = ['-frames:v', String(FRAMES), '-pix_fmt', 'yuv420p', '-f', 'rawvideo', `${path}.tmp`];
  if (name === 'desk') {
    run([...draw, '-i', `testsrc2=s=${size}:r=${FPS}`, ...raw]);
  } else {
    if (!existsSync(still)) run([...draw, '-i', `mandelbrot=s=${big}`, '-frames:v', '1', still]);
    const pan = `crop=${WIDTH}:${HEIGHT}:(iw-ow)/2*(1+sin(n/20)):(ih-oh)/2*(1+cos(n/27))`;
    const graph = `[0:v]${pan},noise=alls=4:allf=t[a];[a][1:v]overlay=40:40`;
    const loop = ['ffmpeg', '-v', 'error', '-y', '-loop', '1', '-r', String(FPS), '-i', still];
    const card = ['-f', 'lavfi', '-i', `testsrc2=s=320x240:r=${FPS}`];
    run([...loop, ...card, '-filter_complex', graph, ...raw]);
  }
  renameSync(`${path}.tmp`, path);
  return path;
}

function pictures(path: string): EncoderInput[] {
  const bytes = readFileSync(path);
  const luma = WIDTH * HEIGHT;
  return Array.from({ length: FRAMES }, (_, index) => {
    const at = index * luma * 1.5;
    return {
      kind: 'i420',
      y: bytes.subarray(at, at + luma),
      u: bytes.subarray(at + luma, at + luma * 1.25),
      v: bytes.subarray(at + luma * 1.25, at + luma * 1.5),
      yStrideBytes: WIDTH,
      uvStrideBytes: WIDTH / 2,
    };
  });
}

/** Calls `work` once per frame; CPU time includes the encoder's own threads. */
function measure(count: number, work: (index: number) => void): Timing {
  const samples = new Float64Array(count);
  const begin = process.cpuUsage();
  for (let index = 0; index < count; index += 1) {
    const start = performance.now();
    work(index);
    samples[index] = performance.now() - start;
  }
  const { user, system } = process.cpuUsage(begin);
  samples.sort();
  return {
    cpuMs: (user + system) / 1000 / count,
    p50Ms: samples[Math.floor(count / 2)] ?? 0,
    p99Ms: samples[Math.floor(count * 0.99)] ?? 0,
  };
}

function encodeClip(rung: EncoderRung, input: readonly EncoderInput[]): Timing {
  const encoder = rung.open(PARAMETERS);
  try {
    return measure(input.length, (index) => {
      const picture = input[index];
      if (picture) encoder.submit(picture, index, { idr: index === FRAMES / 2 });
      if (!encoder.poll()) throw new Error(`${rung.name}: no access unit for picture ${index}`);
    });
  } finally {
    encoder.close();
  }
}

/** The x264 program with the same settings; it reads the clip from a file. */
function commandLine(path: string): Timing {
  const { bitrateKbps, vbvBufferKbit } = planRate(PARAMETERS.bitrateKbps, PARAMETERS);
  const { cpuMs } = run([
    'x264',
    ...['--quiet', '--no-progress', '--preset', PARAMETERS.preset, '--tune', 'zerolatency'],
    ...['--threads', String(THREADS), '--sliced-threads', '--ref', '1', '--profile', 'high'],
    ...['--bitrate', String(bitrateKbps), '--vbv-maxrate', String(bitrateKbps)],
    ...['--vbv-bufsize', String(vbvBufferKbit), '--keyint', 'infinite', '--no-scenecut'],
    ...['--input-res', `${WIDTH}x${HEIGHT}`, '--fps', String(FPS), '-o', '/dev/null', path],
  ]);
  return { cpuMs: cpuMs / FRAMES, p50Ms: Number.NaN, p99Ms: Number.NaN };
}

function keepBest(best: Map<string, Timing>, name: string, timing: Timing): void {
  const known = best.get(name);
  if (!known || timing.cpuMs < known.cpuMs) best.set(name, timing);
}

function report(name: string, { cpuMs, p50Ms, p99Ms }: Timing, extra = ''): void {
  const latency = Number.isNaN(p50Ms)
    ? ''
    : `, p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`;
  console.log(`  ${name.padEnd(22)} ${cpuMs.toFixed(2)} CPU ms/frame${latency}${extra}`);
}

const verdict = (isMet: boolean): string => (isMet ? 'met' : 'MISSED');

function benchEncoders(name: 'game' | 'desk'): void {
  const missing = ['ffmpeg', 'x264'].filter((tool) => !Bun.which(tool));
  if (missing.length > 0) {
    console.log(`encode ${name}: skipped, ${missing.join(' and ')} not installed`);
    return;
  }
  const path = clip(name);
  const input = pictures(path);
  const rungs = encoderRungs().filter((rung) => rung.probe().available);
  const best = new Map<string, Timing>();
  for (let round = 0; round < ROUNDS; round += 1) {
    keepBest(best, 'x264 command line', commandLine(path));
    for (const rung of rungs) keepBest(best, rung.name, encodeClip(rung, input));
  }
  const rate = `${PARAMETERS.bitrateKbps / 1000} Mbit/s`;
  console.log(
    `encode ${name} ${WIDTH}x${HEIGHT}, ${PARAMETERS.preset}, ${rate}, ${THREADS} threads, ` +
      `${FRAMES} frames, best of ${ROUNDS}`,
  );
  const reference = best.get('x264 command line')?.cpuMs ?? Number.NaN;
  for (const [rung, timing] of best) {
    const ratio = timing.cpuMs / reference;
    const judged = `, ratio ${ratio.toFixed(3)} (goal ${RATIO_MAX}: ${verdict(ratio <= RATIO_MAX)})`;
    report(rung, timing, rung === 'x264 command line' ? '' : judged);
  }
}

function benchConversion(): void {
  const data = new Uint8Array(1920 * 1080 * 4);
  for (let index = 0; index < data.length; index += 1) data[index] = (index * 2654435761) >>> 13;
  const frame: MemoryFrame = {
    kind: 'memory',
    format: 'BGRx',
    width: 1920,
    height: 1080,
    data,
    strideBytes: 1920 * 4,
    captureNs: 0,
  };
  console.log('convert 1920x1080 BGRx, copy included, 60 frames');
  for (const [output, width, height] of [
    ['i420', 1920, 1080],
    ['nv12', 1920, 1080],
    ['i420', 1280, 720],
    ['i420', 2560, 1440],
  ] as const) {
    const colour = { matrix: 'bt709', fullRange: false } as const;
    const converter = new FrameConverter({ width, height, colour, output });
    measure(20, () => converter.convert(frame));
    const best = new Map<string, Timing>();
    for (let round = 0; round < ROUNDS; round += 1) {
      keepBest(
        best,
        output,
        measure(60, () => converter.convert(frame)),
      );
    }
    const timing = best.get(output) ?? { cpuMs: Number.NaN, p50Ms: 0, p99Ms: 0 };
    const isSameSize = width === 1920;
    const judged = ` (goal ${CONVERT_MS_MAX}: ${verdict(timing.cpuMs <= CONVERT_MS_MAX)})`;
    report(`to ${output} ${width}x${height}`, timing, isSameSize ? judged : ' (scaled)');
  }
}

function benchTestCard(): void {
  const card = new TestCard(1920, 1080);
  let frameNumber = 0;
  const draw = () => card.draw(frameNumber++, frameNumber * 16.67);
  measure(200, draw);
  const timing = measure(600, draw);
  console.log('test card 1920x1080, 600 frames');
  report('draw', timing, ` (goal ${CARD_MS_MAX}: ${verdict(timing.cpuMs <= CARD_MS_MAX)})`);
}

console.log(`${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, load ${loadavg()[0]}`);
benchConversion();
benchTestCard();
benchEncoders('game');
benchEncoders('desk');
