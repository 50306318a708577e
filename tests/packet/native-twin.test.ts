import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { VideoPacketFormat } from '../../src/packet/gamestream-video-format.ts';
import { seededRandom } from '../support/random.ts';
import { createPacketBench } from '../support/video-packets.ts';

const directory = mkdtempSync(join(tmpdir(), 'native-twin-'));
const program = join(directory, 'packetize');
const compiler = Bun.which('cc') ?? Bun.which('gcc');
const source = join(import.meta.dir, '..', 'bench', 'native', 'packetize.c');
const isBuilt =
  compiler !== null &&
  Bun.spawnSync([compiler, '-O2', source, '-o', program, '-lisal', '-lcrypto'], {
    stderr: 'ignore',
  }).exitCode === 0;
if (!isBuilt) console.log('skipped: the C twin: it needs cc, libisal-dev and libssl-dev');

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Datagrams of the first frame as the C program makes them, all in one piece. */
function nativeFrame(unit: Uint8Array, format: VideoPacketFormat): Buffer {
  const path = join(directory, 'unit');
  writeFileSync(path, unit);
  const { packetSize, parityPct, minParityShards, sealVideo } = format;
  const settings = [packetSize, parityPct, minParityShards, Number(sealVideo)].map(String);
  return Bun.spawnSync([program, 'dump', path, ...settings]).stdout;
}

describe.skipIf(!isBuilt)('a C program on ISA-L and OpenSSL', () => {
  test.each([
    { bytes: 1, packetSize: 1392, parityPct: 20, minParityShards: 2, sealVideo: false },
    { bytes: 1368, packetSize: 1392, parityPct: 20, minParityShards: 0, sealVideo: true },
    { bytes: 156_250, packetSize: 1392, parityPct: 20, minParityShards: 2, sealVideo: true },
    { bytes: 1_041_666, packetSize: 1392, parityPct: 20, minParityShards: 2, sealVideo: true },
    { bytes: 90_000, packetSize: 1024, parityPct: 255, minParityShards: 0, sealVideo: false },
    { bytes: 300_000, packetSize: 1184, parityPct: 1, minParityShards: 10, sealVideo: false },
    { bytes: 70_000, packetSize: 1392, parityPct: 0, minParityShards: 2, sealVideo: true },
    { bytes: 2_000_000, packetSize: 1392, parityPct: 20, minParityShards: 2, sealVideo: false },
  ])(
    'makes the same datagrams of $bytes bytes at $parityPct %, packets of $packetSize, sealed $sealVideo',
    ({ bytes, ...format }) => {
      const unit = seededRandom('native twin').bytes(bytes);
      const native = nativeFrame(unit, format);

      const ours = createPacketBench(format).split(unit, { frameIndex: 1 });

      const joined = Buffer.concat(ours?.flat() ?? []);
      expect(joined.length).toBe(native.length);
      expect(Buffer.compare(joined, native)).toBe(0);
    },
  );
});
