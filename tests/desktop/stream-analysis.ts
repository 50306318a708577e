/**
 * What a device saw, read from the H.264 it received: every picture decoded by ffmpeg, and the
 * counter in it. Pictures pass one at a time, so memory stays small whatever the length.
 */
import { readPatternCounter } from './pattern.ts';

/** Cells of the pattern's counter lie within this. */
const COUNTER_FIELD = { width: 704, height: 128 };
export interface Picture {
  readonly index: number;
  readonly width: number;
  readonly height: number;
  /** Planes in I420 order; valid until the next picture. */
  readonly y: Uint8Array;
  readonly u: Uint8Array;
  readonly v: Uint8Array;
}

export interface VideoFacts {
  readonly width: number;
  readonly height: number;
  readonly codec: string;
  readonly pixelFormat: string;
  /** `tv` (limited) or `pc` (full). */
  readonly range: string;
  readonly matrix: string;
}

/** Reads what the stream says about itself; throws with ffprobe's words when it is no video. */
export async function readVideoFacts(path: string): Promise<VideoFacts> {
  const entries = 'stream=codec_name,width,height,pix_fmt,color_range,color_space';
  const text = await runTool([
    ...['ffprobe', '-v', 'error', '-select_streams', 'v:0', '-show_entries', entries],
    ...['-of', 'json', path],
  ]);
  const { streams } = JSON.parse(text) as { streams: Record<string, unknown>[] };
  const [stream] = streams;
  if (!stream) throw new Error(`${path} holds no video`);
  return {
    width: Number(stream['width']),
    height: Number(stream['height']),
    codec: String(stream['codec_name']),
    pixelFormat: String(stream['pix_fmt']),
    range: String(stream['color_range']),
    matrix: String(stream['color_space']),
  };
}

/**
 * Decodes every picture once, in order. Throws when the decoder complains about anything or a
 * picture is missing a byte.
 * @param field decode only this upper left part, for speed
 */
export async function decodePictures(
  path: string,
  visit: (picture: Picture) => void,
  field?: { readonly width: number; readonly height: number },
): Promise<number> {
  const { width, height } = field ?? (await readVideoFacts(path));
  // A stream may change its rate; pictures are numbered, never timed.
  const filters = `${field ? `crop=${width}:${height}:0:0,` : ''}settb=1/25,setpts=N`;
  const decoder = Bun.spawn(
    [
      ...['ffmpeg', '-nostdin', '-v', 'error', '-f', 'h264', '-i', path],
      ...['-fps_mode', 'passthrough', '-vf', filters, '-enc_time_base', '-1'],
      ...['-pix_fmt', 'yuv420p', '-f', 'rawvideo', '-'],
    ],
    { stdout: 'pipe', stderr: 'pipe' },
  );
  const complaints = new Response(decoder.stderr).text();
  const lumaBytes = width * height;
  const chromaBytes = Math.ceil(width / 2) * Math.ceil(height / 2);
  const bytes = new Uint8Array(lumaBytes + 2 * chromaBytes);
  const planes = {
    width,
    height,
    y: bytes.subarray(0, lumaBytes),
    u: bytes.subarray(lumaBytes, lumaBytes + chromaBytes),
    v: bytes.subarray(lumaBytes + chromaBytes),
  };
  let filled = 0;
  let count = 0;
  for await (const chunk of decoder.stdout) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + bytes.length - filled);
      bytes.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < bytes.length) break;
      visit({ ...planes, index: count });
      count += 1;
      filled = 0;
    }
  }
  const [code, said] = [await decoder.exited, (await complaints).trim()];
  if (code !== 0 || said !== '') throw new Error(`ffmpeg on ${path} (exit code ${code}): ${said}`);
  if (filled !== 0) throw new Error(`${path}: the last picture is cut off`);
  return count;
}

/** The pattern's counter of every picture; null where the picture shows something else. */
export async function readPatternCounters(path: string): Promise<(number | null)[]> {
  const counters: (number | null)[] = [];
  await decodePictures(
    path,
    ({ y, width }) => {
      counters.push(readPatternCounter((column, row) => y[row * width + column] ?? 0));
    },
    COUNTER_FIELD,
  );
  return counters;
}

export interface CounterFacts {
  /** Pictures from the first readable counter to the first one that shows the last value. */
  readonly pictures: number;
  /** Pictures among them whose counter is higher than any before. */
  readonly fresh: number;
  readonly backward: number;
  /** Pictures without a readable counter between readable ones: torn or corrupt. */
  readonly unreadable: number;
  readonly longestRepeat: number;
}

/** How the counter moved while the pattern did; what is held at the end is left out. */
export function countSteps(counters: readonly (number | null)[]): CounterFacts {
  const first = counters.findIndex((value) => value !== null);
  const highest = counters.reduce((top: number, value) => Math.max(top, value ?? -1), -1);
  const moving = first < 0 ? [] : counters.slice(first, counters.indexOf(highest) + 1);
  let top = -1;
  let repeat = 0;
  const facts = { fresh: 0, backward: 0, unreadable: 0, longestRepeat: 0 };
  for (const value of moving) {
    repeat = value === top ? repeat + 1 : 0;
    facts.longestRepeat = Math.max(facts.longestRepeat, repeat);
    if (value === null) facts.unreadable += 1;
    else if (value > top) facts.fresh += 1;
    else if (value < top) facts.backward += 1;
    if (value !== null) top = Math.max(top, value);
  }
  return { pictures: moving.length, ...facts };
}

/**
 * Planes of picture `index`, copied. Throws when the stream is shorter.
 */
export async function takePicture(path: string, index: number): Promise<Picture> {
  const found: Picture[] = [];
  await decodePictures(path, (picture) => {
    if (picture.index !== index) return;
    const { y, u, v } = picture;
    found.push({ ...picture, y: y.slice(), u: u.slice(), v: v.slice() });
  });
  const [picture] = found;
  if (!picture) throw new Error(`${path} has no picture ${index}`);
  return picture;
}

/** An image file as the planes it should have had in the stream; ffmpeg's own conversion. */
export async function planesOfImage(
  path: string,
  { matrix, range }: Pick<VideoFacts, 'matrix' | 'range'>,
): Promise<Picture> {
  const { width, height } = await readVideoFacts(path);
  const converter = Bun.spawn(
    [
      ...['ffmpeg', '-nostdin', '-v', 'error', '-i', path],
      ...['-vf', `scale=out_color_matrix=${matrix}:out_range=${range},format=yuv420p`],
      ...['-f', 'rawvideo', '-'],
    ],
    { stdout: 'pipe', stderr: 'pipe' },
  );
  const bytes = new Uint8Array(await new Response(converter.stdout).arrayBuffer());
  const lumaBytes = width * height;
  const chromaBytes = Math.ceil(width / 2) * Math.ceil(height / 2);
  if ((await converter.exited) !== 0 || bytes.length !== lumaBytes + 2 * chromaBytes) {
    throw new Error(`${path}: ${await new Response(converter.stderr).text()}`);
  }
  const u = bytes.subarray(lumaBytes, lumaBytes + chromaBytes);
  const v = bytes.subarray(lumaBytes + chromaBytes);
  return { index: 0, width, height, y: bytes.subarray(0, lumaBytes), u, v };
}

async function runTool(command: string[]): Promise<string> {
  const tool = Bun.spawn(command, { stdout: 'pipe', stderr: 'pipe' });
  const [text, complaints] = await Promise.all([
    new Response(tool.stdout).text(),
    new Response(tool.stderr).text(),
  ]);
  if ((await tool.exited) !== 0) throw new Error(`${command.join(' ')}: ${complaints}`);
  return text;
}
