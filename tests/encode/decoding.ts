/** Decodes Annex B streams with the system's ffmpeg; null paths mean that it is not installed. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const ffmpegPath = Bun.which('ffmpeg');
export const ffprobePath = Bun.which('ffprobe');
/** Appended to names of tests that are skipped without ffmpeg. */
export const NO_FFMPEG = ffmpegPath && ffprobePath ? '' : ' (skipped: ffmpeg is not installed)';

function withStream<T>(units: readonly Uint8Array[], use: (path: string, folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'punktfunk-decode-'));
  try {
    const path = join(folder, 'stream.h264');
    writeFileSync(path, Buffer.concat(units));
    return use(path, folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function runTool(command: string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`${command[0]}: ${stderr.toString()}`);
  return stdout.toString();
}

/** Luma planes of all decoded pictures. */
export function decodeLuma(
  units: readonly Uint8Array[],
  width: number,
  height: number,
): Uint8Array[] {
  return withStream(units, (path, folder) => {
    const raw = join(folder, 'luma.raw');
    const input = [String(ffmpegPath), '-v', 'error', '-i', path];
    runTool([...input, '-fps_mode', 'passthrough', '-pix_fmt', 'gray', '-f', 'rawvideo', raw]);
    const bytes = readFileSync(raw);
    const size = width * height;
    return Array.from({ length: bytes.length / size }, (_, index) =>
      bytes.subarray(index * size, (index + 1) * size),
    );
  });
}

/** MD5 of every decoded picture, in order. */
export function pictureHashes(units: readonly Uint8Array[]): string[] {
  return withStream(units, (path) => {
    const input = [String(ffmpegPath), '-v', 'quiet', '-flags', 'output_corrupt', '-i', path];
    const text = runTool([...input, '-fps_mode', 'passthrough', '-f', 'framemd5', '-']);
    return text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.split(',').at(-1)?.trim() ?? '');
  });
}

/** What ffprobe says about the stream, e.g. `color_space`. */
export function streamFacts(units: readonly Uint8Array[]): Record<string, unknown> {
  return withStream(units, (path) => {
    const text = runTool([
      String(ffprobePath),
      '-v',
      'error',
      '-show_streams',
      '-of',
      'json',
      path,
    ]);
    return (JSON.parse(text) as { streams: Record<string, unknown>[] }).streams[0] ?? {};
  });
}
