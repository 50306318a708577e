import { describe, expect, test } from 'bun:test';
import type { VideoPacketFormat } from '../../src/packet/gamestream-video-format.ts';
import {
  GameStreamVideoReceiver,
  type ReceivedFrame,
  type VideoEvent,
} from '../../src/packet/gamestream-video-receive.ts';
import crypto from '../fixtures/gamestream-crypto.json';
import vectors from '../fixtures/gamestream-video-packets.json';
import { type SeededRandom, seededRandom } from '../support/random.ts';
import { createPacketBench, TEST_KEY } from '../support/video-packets.ts';

const LAN: VideoPacketFormat = {
  packetSize: 1392,
  parityPct: 20,
  minParityShards: 2,
  sealVideo: false,
};
const FUZZ_DATAGRAMS = 150_000;
const fromHex = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'));
const recordedUnit = (bytes: number) =>
  Uint8Array.from({ length: bytes }, (_, index) =>
    index < 8 ? ([0, 0, 0, 1, 0x67, 0x64, 0, 0x20][index] ?? 0) : ((index - 8) * 13 + 7) & 255,
  );

function receiveAll(receiver: GameStreamVideoReceiver, datagrams: Iterable<Uint8Array>) {
  const events: VideoEvent[] = [];
  for (const datagram of datagrams) events.push(...receiver.receive(datagram));
  return events;
}

const framesOf = (events: readonly VideoEvent[]) =>
  events.filter((event): event is ReceivedFrame => event.kind === 'frame');

/** `datagrams` with `count` of them removed. */
function without(datagrams: readonly Uint8Array[], count: number, random: SeededRandom) {
  const kept = [...datagrams];
  for (let lost = 0; lost < count; lost += 1) kept.splice(random.int(0, kept.length - 1), 1);
  return kept;
}

describe('recorded datagrams', () => {
  const recorded = vectors.frames.map((frame) => ({
    ...frame,
    datagrams: frame.blocks.map((block) => block.packets.map(fromHex)),
  }));

  test('both frames come out whole, with their header fields', () => {
    const receiver = new GameStreamVideoReceiver({ packetSize: 64, key: null });

    const frames = framesOf(
      receiveAll(
        receiver,
        recorded.flatMap((f) => f.datagrams.flat()),
      ),
    );

    expect(
      frames.map(({ frameIndex, frameType, rtpTimestamp, latencyTenthMs, accessUnit }) => ({
        frameIndex,
        frameType,
        rtpTimestamp,
        latencyTenthMs,
        unit: Buffer.from(accessUnit).toString('hex'),
      })),
    ).toEqual(
      vectors.frames.map((frame) => ({
        frameIndex: frame.frame,
        frameType: frame.idr ? 2 : 1,
        rtpTimestamp: frame.ts,
        latencyTenthMs: frame.latency,
        unit: Buffer.from(recordedUnit(frame.auBytes)).toString('hex'),
      })),
    );
    expect(receiver.faultCount).toBe(0);
  });

  test('every choice of two lost datagrams per block recovers', () => {
    const [frame] = recorded;
    const block = frame?.datagrams[0] ?? [];
    for (let a = 0; a < block.length; a += 1) {
      for (let b = a + 1; b < block.length; b += 1) {
        const receiver = new GameStreamVideoReceiver({ packetSize: 64, key: null });
        const kept = block.filter((_, index) => index !== a && index !== b);

        const [received] = framesOf(receiveAll(receiver, kept));

        expect(received?.accessUnit).toEqual(recordedUnit(frame?.auBytes ?? 0));
        expect(receiver.lastFault).toBe('');
      }
    }
  });

  test('the recorded sealed datagram opens, and a changed byte anywhere is refused', () => {
    const options = { packetSize: 64, key: fromHex(crypto.rikey) };
    const wire = fromHex(crypto.video.wire);
    expect(new GameStreamVideoReceiver(options).receive(wire)).toEqual([]);

    for (let index = 0; index < wire.length; index += 1) {
      // Bytes 12–15 name the frame in clear and are outside the tag.
      if (index >= 12 && index < 16) continue;
      const changed = Uint8Array.from(wire);
      changed[index] = (changed[index] ?? 0) ^ 1;
      expect(new GameStreamVideoReceiver(options).receive(changed)).toEqual([
        { kind: 'refused', reason: 'bad-tag' },
      ]);
    }
  });
});

describe.each([
  { name: 'plain', sealVideo: false },
  { name: 'sealed', sealVideo: true },
])('frames of any size, $name', ({ sealVideo }) => {
  const key = sealVideo ? TEST_KEY : null;

  test('what the packetizer splits comes out equal, through as much loss as the parity covers', () => {
    const random = seededRandom('round trip');
    const bench = createPacketBench({ ...LAN, sealVideo });
    const receiver = new GameStreamVideoReceiver({ packetSize: LAN.packetSize, key });
    const sizes = [1, 1367, 1368, 1369, 2744, 250_000, 800_000, 1_166_840];
    for (let extra = 0; extra < 12; extra += 1) sizes.push(random.int(1, 60_000));

    sizes.forEach((size, index) => {
      const unit = random.bytes(size);
      const blocks = bench.split(unit, { frameIndex: index + 1 }) ?? [];
      const kept = blocks.flatMap((block) => {
        const shards = Math.ceil(block.length / 1.2);
        return without(block, Math.min(block.length - shards, 30), random);
      });

      const [frame] = framesOf(receiveAll(receiver, kept));

      expect(frame?.frameIndex).toBe(index + 1);
      expect(Buffer.compare(frame?.accessUnit ?? new Uint8Array(), unit)).toBe(0);
    });
    expect(receiver.faultCount).toBe(0);
  });

  test('a 2 MB frame goes through without parity', () => {
    const unit = seededRandom('2 MB').bytes(2_000_000);
    const bench = createPacketBench({ ...LAN, sealVideo });
    const receiver = new GameStreamVideoReceiver({ packetSize: LAN.packetSize, key });

    const blocks = bench.split(unit, { frameIndex: 1 }) ?? [];
    const [frame] = framesOf(receiveAll(receiver, blocks.flat()));

    expect(bench.packetizer.isOversize).toBe(true);
    expect(blocks.length).toBe(4);
    expect(Buffer.compare(frame?.accessUnit ?? new Uint8Array(), unit)).toBe(0);
  });
});

describe('loss beyond parity', () => {
  test('a block one shard short is given up at the next frame, and the next frame arrives', () => {
    const bench = createPacketBench(LAN);
    const receiver = new GameStreamVideoReceiver({ packetSize: LAN.packetSize, key: null });
    const first = bench.split(new Uint8Array(14_000).fill(7), { frameIndex: 1 })?.flat() ?? [];
    const second = bench.split(new Uint8Array(500).fill(9), { frameIndex: 2 })?.flat() ?? [];
    // 14 008 bytes are 11 shards and 3 of parity; 4 losses are one too many.
    expect(first.length).toBe(14);

    const events = receiveAll(receiver, [...first.slice(4), ...second]);

    expect(events[0]).toEqual({ kind: 'lost', first: 1, last: 1 });
    expect(framesOf(events).map((frame) => frame.frameIndex)).toEqual([2]);
  });

  test('whole frames missing are lost as one range', () => {
    const bench = createPacketBench(LAN);
    const receiver = new GameStreamVideoReceiver({ packetSize: LAN.packetSize, key: null });
    const frames = [1, 2, 3, 4].map(
      (frameIndex) => bench.split(new Uint8Array(300), { frameIndex })?.flat() ?? [],
    );

    const events = receiveAll(receiver, [...(frames[0] ?? []), ...(frames[3] ?? [])]);

    expect(events.filter((event) => event.kind === 'lost')).toEqual([
      { kind: 'lost', first: 2, last: 3 },
    ]);
  });

  test('a lost block in the middle loses the frame once, not once per block', () => {
    const bench = createPacketBench(LAN, 10);
    const receiver = new GameStreamVideoReceiver({ packetSize: LAN.packetSize, key: null });
    const blocks = bench.split(new Uint8Array(50_000), { frameIndex: 1 }) ?? [];
    expect(blocks.length).toBe(4);

    const events = receiveAll(receiver, [...(blocks[0] ?? []), ...blocks.slice(2).flat()]);

    expect(events.filter((event) => event.kind === 'lost')).toEqual([
      { kind: 'lost', first: 1, last: 1 },
    ]);
  });
});

describe('hostile datagrams', () => {
  const bench = createPacketBench(LAN);
  const genuine = bench.split(new Uint8Array(5000).fill(1), { frameIndex: 1 })?.[0] ?? [];
  const receiver = () => new GameStreamVideoReceiver({ packetSize: LAN.packetSize, key: null });
  const changed = (edit: (view: DataView) => void) => {
    const copy = Uint8Array.from(genuine[0] ?? []);
    edit(new DataView(copy.buffer));
    return copy;
  };

  test.each([
    ['empty', new Uint8Array(0), 'wrong-size'],
    ['one byte', Uint8Array.of(0x90), 'wrong-size'],
    ['a header without payload', new Uint8Array(32).fill(0x90), 'wrong-size'],
    ['one byte too long', new Uint8Array(1409).fill(0x90), 'wrong-size'],
    ['all zero', new Uint8Array(1408), 'not-video'],
    ['all 0xFF', new Uint8Array(1408).fill(0xff), 'not-video'],
    ['no data shards', changed((v) => v.setUint32(28, 20 << 4, true)), 'impossible-block'],
    [
      'a shard index past the block',
      changed((v) => v.setUint32(28, (4 << 22) | (6 << 12) | (50 << 4), true)),
      'impossible-block',
    ],
    [
      'more shards than the code has',
      changed((v) => v.setUint32(28, (1000 << 22) | (20 << 4), true)),
      'impossible-block',
    ],
    ['a block after the last', changed((v) => v.setUint8(27, 0x10)), 'impossible-block'],
    ['frame index 0', changed((v) => v.setUint32(20, 0, true)), 'stale'],
  ])('%s is refused', (_, datagram, reason) => {
    expect(receiver().receive(datagram)).toEqual([
      { kind: 'refused', reason: reason as 'wrong-size' },
    ]);
  });

  test('the same datagram twice is refused the second time', () => {
    const target = receiver();
    expect(target.receive(genuine[0] ?? new Uint8Array())).toEqual([]);
    expect(target.receive(genuine[0] ?? new Uint8Array())).toEqual([
      { kind: 'refused', reason: 'duplicate' },
    ]);
  });

  test.each([
    ['plain', null],
    ['sealed', TEST_KEY],
  ])(
    'random and mutated datagrams, %s, raise no exception and leave a genuine frame decodable',
    (_, key) => {
      const random = seededRandom('video fuzz');
      const source = createPacketBench({ ...LAN, packetSize: 64, sealVideo: key !== null });
      const target = new GameStreamVideoReceiver({ packetSize: 64, key });
      const unit = random.bytes(500);
      let datagrams = source.split(unit, { frameIndex: 1 })?.flat() ?? [];
      let highest = 1;
      for (let round = 0; round < FUZZ_DATAGRAMS; round += 1) {
        const base = datagrams[round % datagrams.length] ?? new Uint8Array();
        const length = random.int(0, 3) === 0 ? random.int(0, 140) : base.length;
        const hostile = random.int(0, 4) === 0 ? random.bytes(length) : base.slice(0, length);
        for (let flips = random.int(0, 4); flips > 0 && hostile.length > 0; flips -= 1) {
          hostile[random.int(0, hostile.length - 1)] = random.int(0, 255);
        }
        for (const event of target.receive(hostile)) {
          if (event.kind === 'frame') highest = Math.max(highest, event.frameIndex + 1);
          if (event.kind === 'lost') highest = Math.max(highest, event.last + 1);
        }
        if (round % 5000 === 0)
          datagrams = source.split(unit, { frameIndex: highest })?.flat() ?? [];
      }

      // A forged index near the end of the range leaves no later frame to offer.
      if (highest < 0xffff_fff0) {
        const last = source.split(unit, { frameIndex: highest + 1 })?.flat() ?? [];
        expect(framesOf(receiveAll(target, last))[0]?.accessUnit).toEqual(unit);
      }
    },
  );
});
