/** Reads the test card's counter out of every decoded picture of an H.264 stream. */
import { COUNTER_HEIGHT, COUNTER_WIDTH, readCounter } from '../../src/capture/card-counter.ts';

export const ffmpegPath = Bun.which('ffmpeg');
/** Appended to names of tests that are skipped without ffmpeg. */
export const NO_FFMPEG = ffmpegPath ? '' : ' (skipped: ffmpeg is not installed)';

export interface CardReading {
  /** One per decoded picture; null where no counter could be read. */
  readonly counters: readonly (number | null)[];
  /** What the decoder complained about; a raw stream's missing times are none of its business. */
  readonly complaints: string;
}

export async function readCards(units: readonly Uint8Array[]): Promise<CardReading> {
  const decoder = Bun.spawn(
    [
      ...[String(ffmpegPath), '-v', 'warning', '-f', 'h264', '-i', 'pipe:0'],
      ...['-vf', `crop=${COUNTER_WIDTH}:${COUNTER_HEIGHT}:0:0,format=gray`],
      ...['-fps_mode', 'passthrough', '-f', 'rawvideo', 'pipe:1'],
    ],
    { stdin: Buffer.concat(units), stdout: 'pipe', stderr: 'pipe' },
  );
  const [raw, complaints] = await Promise.all([
    new Response(decoder.stdout).bytes(),
    new Response(decoder.stderr).text(),
    decoder.exited,
  ]);
  const size = COUNTER_WIDTH * COUNTER_HEIGHT;
  const counters = Array.from({ length: raw.length / size }, (_, index) =>
    readCounter(raw.subarray(index * size, (index + 1) * size), COUNTER_WIDTH),
  );
  const lines = complaints.split('\n').filter((line) => !/non monoton/.test(line));
  return { counters, complaints: lines.join('\n').trim() };
}
