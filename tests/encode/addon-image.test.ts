import { describe, expect, test } from 'bun:test';
import { closeSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addonMemfd, addonOrigin } from '../../src/encode/addon-image.ts';
import { seekTable } from '../../src/encode/seekable-zstd.ts';

const origin = addonOrigin();
const isFile = origin.kind === 'file';
const REASON = isFile ? '' : ' (skipped: the addon package is not installed)';

/** A chunked asset made of `parts`, and its path while `use` runs. */
function withAsset<T>(parts: readonly Uint8Array[], use: (path: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'punktfunk-asset-'));
  try {
    const frames = parts.map((part) => Bun.zstdCompressSync(part, { level: 1 }));
    const sizes = parts.map((part, index) => ({
      compressedBytes: frames[index]?.length ?? 0,
      bytes: part.length,
    }));
    const path = join(folder, 'asset.zst');
    writeFileSync(path, Buffer.concat([...frames, seekTable(sizes)]));
    return use(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function memfds(): number[] {
  const found: number[] = [];
  for (const entry of readdirSync('/proc/self/fd')) {
    try {
      const target = readlinkSync(`/proc/self/fd/${entry}`);
      if (target.includes('punktfunk-node-av')) found.push(Number(entry));
    } catch {
      // The descriptor of the listing itself.
    }
  }
  return found;
}

const isTaken = memfds().length > 0;
const TAKEN = isTaken ? ' (skipped: this process has loaded an image already)' : '';

describe('image of the embedded addon', () => {
  test.skipIf(isTaken)(
    `it is unpacked once, whole, and can no longer be changed${TAKEN}`,
    async () => {
      const parts = [Buffer.alloc(100_000, 'a'), Buffer.alloc(70_001, 'b')];
      const before = memfds();
      const [first, second] = withAsset(parts, (path) => [addonMemfd(path), addonMemfd(path)]);
      try {
        expect(second).toBe(first);
        expect(memfds().length - before.length).toBe(1);
        const image = await Bun.file(`/proc/self/fd/${first}`).bytes();
        expect(Buffer.compare(image, Buffer.concat(parts))).toBe(0);
        expect(() => writeFileSync(`/proc/self/fd/${first}`, 'x', { flag: 'r+' })).toThrow();
      } finally {
        closeSync(first ?? -1);
      }
    },
  );

  test.skipIf(isTaken)(`a damaged asset is refused and leaves no descriptor behind${TAKEN}`, () => {
    const before = memfds();
    withAsset([Buffer.alloc(5000, 'a')], (path) => {
      const folder = `${path}.cut`;
      writeFileSync(folder, 'no zstd at all, but long enough for a table');
      expect(() => addonMemfd(folder)).toThrow('damaged');
      const lying = Bun.zstdCompressSync(Buffer.alloc(10));
      const table = seekTable([{ compressedBytes: lying.length, bytes: 11 }]);
      writeFileSync(folder, Buffer.concat([lying, table]));
      expect(() => addonMemfd(folder)).toThrow('damaged');
    });
    expect(memfds()).toEqual(before);
  });

  test.skipIf(!isFile)(
    `an addon loaded from memory encodes like the file${REASON}`,
    () => {
      const program = join(import.meta.dir, 'addon-from-memory.ts');
      const path = isFile ? origin.path : '';
      const { stdout, stderr, exitCode } = Bun.spawnSync([process.execPath, program, path]);
      expect(stderr.toString()).toBe('');
      expect(stdout.toString().trim()).toBe('libx264 found');
      expect(exitCode).toBe(0);
    },
    20_000,
  );
});
