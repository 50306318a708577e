/**
 * Makes `build/assets/node-av.zst`: the embedded software encoder, compressed in chunks.
 *
 * The file always exists afterwards, because the program imports it by name: it is empty with
 * `--slim` (an executable without GPL code) or when the package is not installed on this platform.
 * Level 19 takes about a minute, so the result is kept while the addon's size and time are the same;
 * PUNKTFUNK_FAST_ASSETS=1 asks for level 3 instead.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { seekTable } from '../src/encode/seekable-zstd.ts';

const ROOT = join(import.meta.dir, '..');
const ASSETS = join(ROOT, 'build', 'assets');
const TARGET = join(ASSETS, 'node-av.zst');
/** Compressed results by level, so that switching between builds costs no new compression. */
const CACHE = join(ROOT, 'build', 'cache');
/** The window of level 19 is 8 MiB: larger chunks gain nothing, smaller ones lose a little. */
const CHUNK_BYTES = 8 << 20;
const LEVEL_RELEASE = 19;
const LEVEL_FAST = 3;

function addonPath(): string {
  return join(ROOT, 'node_modules', '@seydx', `node-av-linux-${process.arch}`, 'node-av.node');
}

function replace(path: string, write: (temporary: string) => void): void {
  const temporary = `${path}.${process.pid}.tmp`;
  write(temporary);
  renameSync(temporary, path);
}

function compress(source: string, target: string, level: number): void {
  replace(target, (temporary) => {
    const input = openSync(source, 'r');
    const output = openSync(temporary, 'w');
    const chunk = Buffer.alloc(CHUNK_BYTES);
    const frames: { compressedBytes: number; bytes: number }[] = [];
    for (;;) {
      const bytes = readSync(input, chunk, 0, CHUNK_BYTES, null);
      if (bytes === 0) break;
      const frame = Bun.zstdCompressSync(chunk.subarray(0, bytes), { level });
      writeSync(output, frame);
      frames.push({ compressedBytes: frame.length, bytes });
    }
    writeSync(output, seekTable(frames));
    closeSync(output);
    closeSync(input);
  });
}

/** Path of the compressed addon at `level`, made when there is no current one. */
function compressedAddon(source: string, level: number): string {
  mkdirSync(CACHE, { recursive: true });
  const { size, mtimeMs } = statSync(source);
  const key = `node-av-${process.arch}-${size}-${Math.floor(mtimeMs)}-${level}.zst`;
  const path = join(CACHE, key);
  if (!existsSync(path)) compress(source, path, level);
  return path;
}

function buildAssets(isSlim: boolean): void {
  mkdirSync(ASSETS, { recursive: true });
  const source = addonPath();
  if (isSlim || !existsSync(source)) {
    replace(TARGET, (temporary) => writeFileSync(temporary, ''));
    console.log(`${TARGET}: empty (${isSlim ? 'slim build' : `no addon for ${process.arch}`})`);
    return;
  }
  const level = process.env['PUNKTFUNK_FAST_ASSETS'] === '1' ? LEVEL_FAST : LEVEL_RELEASE;
  const compressed = compressedAddon(source, level);
  const { size } = statSync(compressed);
  if (statSync(TARGET, { throwIfNoEntry: false })?.size !== size) {
    replace(TARGET, (temporary) => writeFileSync(temporary, readFileSync(compressed)));
  }
  console.log(`${TARGET}: ${size} bytes, zstd level ${level}`);
}

buildAssets(process.argv.includes('--slim'));
