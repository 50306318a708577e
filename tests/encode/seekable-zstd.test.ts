import { describe, expect, test } from 'bun:test';
import { readSeekTable, seekTable } from '../../src/encode/seekable-zstd.ts';
import { seededRandom } from '../support/random.ts';

function chunked(parts: readonly Uint8Array[]): Uint8Array {
  const frames = parts.map((part) => Bun.zstdCompressSync(part));
  const sizes = frames.map((frame, index) => ({
    compressedBytes: frame.length,
    bytes: parts[index]?.length ?? 0,
  }));
  return Buffer.concat([...frames, seekTable(sizes)]);
}

const PARTS = ['first chunk', 'second and longer chunk', ''].map((text) => Buffer.from(text));

describe('chunked zstd files', () => {
  test('each chunk is found and decompresses by itself', () => {
    const file = chunked(PARTS);
    const chunks = readSeekTable(file) ?? [];
    const texts = chunks.map(({ offsetBytes, compressedBytes }) =>
      Buffer.from(
        Bun.zstdDecompressSync(file.subarray(offsetBytes, offsetBytes + compressedBytes)),
      ).toString(),
    );
    expect(texts).toEqual(['first chunk', 'second and longer chunk', '']);
  });

  test.skipIf(!Bun.which('zstd'))('the zstd tool reads the whole file as one (needs zstd)', () => {
    const { stdout, exitCode } = Bun.spawnSync(['zstd', '-dc'], { stdin: chunked(PARTS) });
    expect(exitCode).toBe(0);
    expect(stdout.toString()).toBe('first chunksecond and longer chunk');
  });

  test('a file that is cut or has a byte of its table changed is refused', () => {
    const file = chunked(PARTS);
    for (let end = 0; end < file.length; end += 1)
      expect(readSeekTable(file.subarray(0, end))).toBeNull();
    const tableBytes = 8 + PARTS.length * 8 + 9;
    for (let at = file.length - tableBytes; at < file.length; at += 1) {
      const damaged = Uint8Array.from(file);
      damaged[at] = (damaged[at] ?? 0) ^ 0x41;
      const chunks = readSeekTable(damaged);
      // The decompressed size is checked when the chunk is unpacked.
      if (chunks) expect(chunks.map((chunk) => chunk.offsetBytes)).toEqual(offsets(file));
    }
  });

  test('100 000 random files never throw', () => {
    const random = seededRandom('seekable-zstd');
    const good = Uint8Array.from(chunked(PARTS));
    for (let round = 0; round < 100_000; round += 1) {
      const file = round % 2 === 0 ? random.bytes(random.int(0, 48)) : good.slice();
      if (round % 2 === 1) file[random.int(good.length - 41, good.length - 1)] = random.int(0, 255);
      readSeekTable(file);
    }
  });
});

function offsets(file: Uint8Array): number[] {
  return (readSeekTable(file) ?? []).map((chunk) => chunk.offsetBytes);
}
