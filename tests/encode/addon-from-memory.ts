/** Program of addon-image.test.ts: packs the addon, unpacks it to a memfd, loads it from there. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeAv } from '../../ffi/node-av.ts';
import { addonMemfd } from '../../src/encode/addon-image.ts';
import { seekTable } from '../../src/encode/seekable-zstd.ts';

const CHUNK_BYTES = 16 << 20;

const folder = mkdtempSync(join(tmpdir(), 'punktfunk-addon-'));
try {
  const asset = join(folder, 'addon.zst');
  const addon = readFileSync(process.argv[2] ?? '');
  const frames: Uint8Array[] = [];
  const sizes: { compressedBytes: number; bytes: number }[] = [];
  for (let at = 0; at < addon.length; at += CHUNK_BYTES) {
    const chunk = addon.subarray(at, at + CHUNK_BYTES);
    const frame = Bun.zstdCompressSync(chunk, { level: 1 });
    frames.push(frame);
    sizes.push({ compressedBytes: frame.length, bytes: chunk.length });
  }
  writeFileSync(asset, Buffer.concat([...frames, seekTable(sizes)]));
  const fd = addonMemfd(asset);
  const codec = nodeAv(() => `/proc/self/fd/${fd}`).Codec.findEncoderByName('libx264');
  console.log(codec ? 'libx264 found' : 'no libx264');
} finally {
  rmSync(folder, { recursive: true });
}
