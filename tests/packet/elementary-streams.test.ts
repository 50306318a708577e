import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FRAME_TYPE, type VideoPacketFormat } from '../../src/packet/gamestream-video-format.ts';
import { GameStreamVideoReceiver } from '../../src/packet/gamestream-video-receive.ts';
import { createPacketBench } from '../support/video-packets.ts';

const FORMAT: VideoPacketFormat = {
  packetSize: 1024,
  parityPct: 20,
  minParityShards: 2,
  sealVideo: false,
};
const IVF_FILE_HEADER_BYTES = 32;
const IVF_FRAME_HEADER_BYTES = 12;
const fixture = (name: string) =>
  new Uint8Array(readFileSync(join(import.meta.dir, '..', 'fixtures', name)));

/** Access units of an Annex B stream in which each begins with the delimiter `delimiter` starts. */
function annexBUnits(stream: Uint8Array, delimiter: readonly number[]): Uint8Array[] {
  const starts: number[] = [];
  const text = Buffer.from(stream);
  for (let at = text.indexOf(Buffer.from(delimiter)); at >= 0; ) {
    starts.push(at);
    at = text.indexOf(Buffer.from(delimiter), at + delimiter.length);
  }
  return starts.map((start, index) => stream.subarray(start, starts[index + 1] ?? stream.length));
}

/** Temporal units of an IVF file: size 4 LE, time 8, then the bytes. */
function ivfUnits(file: Uint8Array): Uint8Array[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const units: Uint8Array[] = [];
  for (let at = IVF_FILE_HEADER_BYTES; at < file.length; ) {
    const size = view.getUint32(at, true);
    at += IVF_FRAME_HEADER_BYTES;
    units.push(file.subarray(at, at + size));
    at += size;
  }
  return units;
}

/** NAL unit types in `bytes`, in order; `typeOf` reads the first byte of a NAL header. */
function nalTypes(bytes: Uint8Array, typeOf: (first: number) => number): number[] {
  const types: number[] = [];
  for (let index = 0; index + 3 < bytes.length; index += 1) {
    if (bytes[index] === 0 && bytes[index + 1] === 0 && bytes[index + 2] === 1) {
      types.push(typeOf(bytes[index + 3] ?? 0));
    }
  }
  return types;
}

/** OBU types at the front of an AV1 temporal unit, as long as one-byte sizes go (AV1 §5.3). */
function obuTypes(bytes: Uint8Array): number[] {
  const types: number[] = [];
  for (let at = 0; at + 1 < bytes.length; ) {
    types.push(((bytes[at] ?? 0) >> 3) & 15);
    const size = bytes[at + 1] ?? 0;
    if (size > 127) break;
    at += 2 + size;
  }
  return types;
}

const STREAMS = [
  {
    codec: 'H.264',
    units: annexBUnits(fixture('moving-card.h264'), [0, 0, 0, 1, 9]),
    opening: (payload: Uint8Array) => nalTypes(payload, (first) => first & 31),
    // Delimiter, SPS, PPS, IDR slice.
    openingTypes: [9, 7, 8, 5],
  },
  {
    codec: 'HEVC',
    units: annexBUnits(fixture('moving-card.hevc'), [0, 0, 0, 1, 0x46]),
    opening: (payload: Uint8Array) => nalTypes(payload, (first) => (first >> 1) & 63),
    // Delimiter, VPS, SPS, PPS, IDR_N_LP slice.
    openingTypes: [35, 32, 33, 34, 20],
  },
  {
    codec: 'AV1',
    units: ivfUnits(fixture('moving-card.ivf')),
    opening: obuTypes,
    // Temporal delimiter, sequence header, frame.
    openingTypes: [2, 1, 6],
  },
];

describe.each(STREAMS)('a $codec stream of five frames', ({ units, opening, openingTypes }) => {
  test('arrives with every access unit at its exact length, two shards of each block recovered', () => {
    const bench = createPacketBench(FORMAT, 20);
    const receiver = new GameStreamVideoReceiver({ packetSize: FORMAT.packetSize, key: null });
    expect(units.length).toBe(5);

    const received = units.flatMap((unit, index) => {
      const frameType = index === 0 ? FRAME_TYPE.idr : FRAME_TYPE.predicted;
      const blocks = bench.split(unit, { frameIndex: index + 1, frameType });
      // One data shard from the middle and the last one are lost in each block.
      const kept = (blocks ?? []).flatMap((block) => {
        const dataShards =
          new DataView((block[0] ?? new Uint8Array(32)).buffer).getUint32(28, true) >>> 22;
        return block.filter((_, shard) => shard !== dataShards - 1 && shard !== dataShards >> 1);
      });
      const events = kept.flatMap((datagram) => receiver.receive(datagram));
      // Parity that comes after a block is done is late, and that is all that may be refused.
      return events.filter((event) => event.kind !== 'refused' || event.reason !== 'stale');
    });

    expect(received.map((event) => event.kind)).toEqual(new Array(5).fill('frame'));
    received.forEach((event, index) => {
      if (event.kind !== 'frame') return;
      expect(event.accessUnit.length).toBe(units[index]?.length ?? 0);
      expect(Buffer.compare(event.accessUnit, units[index] ?? new Uint8Array())).toBe(0);
      expect(event.frameType).toBe(index === 0 ? 2 : 1);
      expect(event.recoveredShards).toBeGreaterThan(0);
    });
    expect(receiver.faultCount).toBe(0);
  });

  test('has its parameter sets and the start of its first slice in the first datagram', () => {
    const bench = createPacketBench(FORMAT);
    const blocks = bench.split(units[0] ?? new Uint8Array(), { frameIndex: 1, frameType: 2 });
    const payload = (blocks?.[0]?.[0] ?? new Uint8Array()).subarray(32 + 8);

    expect(opening(payload)).toEqual(openingTypes);
  });
});
