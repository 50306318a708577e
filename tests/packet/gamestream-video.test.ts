import { describe, expect, test } from 'bun:test';
import { createDecipheriv } from 'node:crypto';
import { maxAccessUnitBytes, maxSendableBytes } from '../../src/packet/gamestream-video.ts';
import type { VideoPacketFormat } from '../../src/packet/gamestream-video-format.ts';
import { writeVideoIv } from '../../src/packet/gamestream-video-seal.ts';
import crypto from '../fixtures/gamestream-crypto.json';
import vectors from '../fixtures/gamestream-video-packets.json';
import { seededRandom } from '../support/random.ts';
import { createPacketBench } from '../support/video-packets.ts';

const LAN: VideoPacketFormat = {
  packetSize: 1392,
  parityPct: 20,
  minParityShards: 2,
  sealVideo: false,
};
const TINY: VideoPacketFormat = { ...LAN, packetSize: 64 };
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
/** Access unit rule of the recorded packets. */
const recordedUnit = (bytes: number) =>
  Uint8Array.from({ length: bytes }, (_, index) =>
    index < 8 ? ([0, 0, 0, 1, 0x67, 0x64, 0, 0x20][index] ?? 0) : ((index - 8) * 13 + 7) & 255,
  );

describe('recorded datagrams', () => {
  test('both frames, data and parity, come out byte for byte with one running sequence', () => {
    // The second frame was recorded with blocks of at most five data shards.
    const bench = createPacketBench(TINY, 5);

    for (const frame of vectors.frames) {
      const unit = recordedUnit(frame.auBytes);
      expect(hex(unit)).toStartWith(frame.au);
      const blocks = bench.split(unit, {
        frameIndex: frame.frame,
        rtpTimestamp: frame.ts,
        frameType: frame.idr ? 2 : 1,
        latencyTenthMs: frame.latency,
      });

      expect(blocks?.map((block) => block.map(hex))).toEqual(
        frame.blocks.map((block) => block.packets),
      );
    }
  });

  test('the first datagram, sealed, is the recorded sealed one', () => {
    const bench = createPacketBench({ ...TINY, sealVideo: true });
    const frame = vectors.frames[0];

    const blocks = bench.split(recordedUnit(frame?.auBytes ?? 0), {
      frameIndex: crypto.video.frame,
      rtpTimestamp: frame?.ts ?? 0,
      frameType: 2,
      latencyTenthMs: frame?.latency ?? 0,
    });

    expect(hex(blocks?.[0]?.[0] ?? new Uint8Array())).toBe(crypto.video.wire);
  });
});

describe('a sealed frame', () => {
  test('every datagram has its own counter, and opens to the plain datagram', () => {
    const unit = seededRandom('seal').bytes(20_000);
    const sealed = createPacketBench({ ...LAN, sealVideo: true });
    const plain = createPacketBench(LAN);
    const ivs = new Set<string>();

    for (const frameIndex of [1, 2]) {
      const sealedBlocks = sealed.split(unit, { frameIndex });
      const plainBlocks = plain.split(unit, { frameIndex });
      const opened = sealedBlocks?.map((block) =>
        block.map((datagram) => {
          ivs.add(hex(datagram.subarray(0, 12)));
          expect(new DataView(datagram.buffer).getUint32(12, true)).toBe(frameIndex);
          const key = Buffer.from(crypto.rikey, 'hex');
          const decipher = createDecipheriv('aes-128-gcm', key, datagram.subarray(0, 12));
          decipher.setAuthTag(datagram.subarray(16, 32));
          return hex(Buffer.concat([decipher.update(datagram.subarray(32)), decipher.final()]));
        }),
      );

      expect(opened).toEqual(plainBlocks?.map((block) => block.map(hex)));
    }
    expect(ivs.size).toBe(2 * sealed.packetizer.datagramCount);
  });

  test('the counter fills eight bytes little-endian and V marks the video direction', () => {
    const iv = new Uint8Array(12).fill(0xff);

    writeVideoIv(iv, 0, 2 ** 40 + 0x0102);

    expect(hex(iv)).toBe('020100000001000000000056');
  });
});

describe('frame limits', () => {
  test('a frame at the encoder cap has four protected blocks, one byte more has none', () => {
    const bench = createPacketBench(LAN);
    const cap = maxAccessUnitBytes(LAN);
    expect(cap).toBe(4 * 212 * 1376 - 8);

    const protectedBlocks = bench.split(new Uint8Array(cap), { frameIndex: 1 });
    expect(bench.packetizer.isOversize).toBe(false);
    expect(protectedBlocks?.map((block) => block.length)).toEqual([255, 255, 255, 255]);

    const bareBlocks = bench.split(new Uint8Array(cap + 1), { frameIndex: 2 });
    expect(bench.packetizer.isOversize).toBe(true);
    expect(bareBlocks?.map((block) => block.length)).toEqual([213, 213, 213, 210]);
  });

  test('the largest sendable frame is four blocks of 1023 shards, one byte more is refused', () => {
    const bench = createPacketBench(LAN);
    const most = maxSendableBytes(LAN);

    const blocks = bench.split(new Uint8Array(most), { frameIndex: 1 });
    expect(blocks?.map((block) => block.length)).toEqual([1023, 1023, 1023, 1023]);

    expect(bench.split(new Uint8Array(most + 1), { frameIndex: 2 })).toBeNull();
    expect(bench.packetizer.nextBlock()).toBe(0);
  });

  test('an empty access unit is refused', () => {
    expect(createPacketBench(LAN).split(new Uint8Array(0), { frameIndex: 1 })).toBeNull();
  });

  test('the announced datagram count is what the blocks add up to', () => {
    const random = seededRandom('counts');
    for (const parityPct of [0, 5, 20, 100, 255]) {
      const bench = createPacketBench({ ...LAN, parityPct });
      for (let round = 0; round < 20; round += 1) {
        const blocks = bench.split(new Uint8Array(random.int(1, 600_000)), { frameIndex: 1 });
        const total = blocks?.reduce((sum, block) => sum + block.length, 0);
        expect(total).toBe(bench.packetizer.datagramCount);
      }
    }
  });

  test('sequence numbers run on over frames and wrap at 16 bits', () => {
    const bench = createPacketBench({ ...TINY, parityPct: 0 });
    const unit = new Uint8Array(40);
    let sequence = 0;
    const view = (datagram: Uint8Array) => new DataView(datagram.buffer);
    for (let frameIndex = 1; frameIndex <= 70_000; frameIndex += 1) {
      const datagram = bench.split(unit, { frameIndex })?.[0]?.[0] ?? new Uint8Array(64);
      if (frameIndex % 1000 === 0) {
        expect(view(datagram).getUint16(2)).toBe(sequence & 0xffff);
        expect(view(datagram).getUint32(16, true)).toBe(((sequence & 0xffffff) << 8) >>> 0);
      }
      sequence += 1;
    }
  });
});
