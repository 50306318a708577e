import { afterEach, describe, expect, test } from 'bun:test';
import { seededRandom } from '../support/random.ts';
import {
  grantedReceiveBuffer,
  STREAM_FORMAT,
  StreamBench,
  type StreamBenchOptions,
} from '../support/stream-bench.ts';

const FPS = 120;
/** Large frames come in bursts that a small receive buffer loses before the test can read them. */
const canHoldBursts = grantedReceiveBuffer() >= 4 * 1024 * 1024;
if (!canHoldBursts) console.log('skipped: large frames: net.core.rmem_max is below 2 MiB');
let bench: StreamBench | undefined;
const start = (options: Partial<StreamBenchOptions> = {}) => {
  bench = new StreamBench({ fps: FPS, ...options });
  return bench;
};

afterEach(async () => {
  await bench?.stop();
  bench = undefined;
});

describe.each([
  { name: 'segmentation offload', segmentationOffload: true },
  { name: 'batched sends', segmentationOffload: false },
])('frames over loopback by $name', ({ segmentationOffload }) => {
  test.skipIf(!canHoldBursts).each([
    ['sealed', true],
    ['plain', false],
  ])('of 1 byte to 2 MB arrive byte for byte, %s', async (_, sealVideo) => {
    const random = seededRandom('loopback');
    const stream = start({ segmentationOffload, format: { ...STREAM_FORMAT, sealVideo } });
    const units = [1, 1368, 1369, 40_000, 250_000, 800_000, 2_000_000, 3_000].map((size) =>
      random.bytes(size),
    );

    for (const [index, unit] of units.entries()) await stream.push(unit, index + 1, index ? 0 : 1);

    expect(await stream.until(() => stream.framesReceived() === units.length)).toBe(true);
    await stream.until(() => stream.control.get('framesSent') === units.length);
    await stream.until(() => stream.fact('oversize frame') !== undefined);
    const frames = stream.events.flatMap((event) => (event.kind === 'frame' ? [event] : []));
    frames.forEach((frame, index) => {
      expect(frame.frameIndex).toBe(index + 1);
      expect(frame.frameType).toBe(index === 0 ? 2 : 1);
      expect(Buffer.compare(frame.accessUnit, units[index] ?? new Uint8Array())).toBe(0);
    });
    expect(stream.receiver.faultCount).toBe(0);
    expect(stream.control.get('packetsSent')).toBe(stream.receivedCount);
    expect(stream.control.get('framesSent')).toBe(units.length);
    // Only the 2 MB frame has no room for parity.
    expect(stream.control.get('framesOversize')).toBe(1);
    expect(stream.fact('oversize frame')).toStartWith('frame 7 of 2000000 bytes');
    expect(stream.control.get('packetsDropped')).toBe(0);
  });
});

describe('the packet worker', () => {
  test('reaches an IPv4 peer through a dual-stack socket', async () => {
    const stream = start({ bindAddress: '::' });

    await stream.push(new Uint8Array(5000), 1);

    expect(await stream.until(() => stream.framesReceived() === 1)).toBe(true);
  });

  test('sends nothing before a destination is known, and follows when one comes', async () => {
    const stream = start({ isSilent: true });
    await stream.push(new Uint8Array(5000), 1);
    await stream.until(() => stream.writer.hasRoom() && stream.control.get('packetHeartbeat') > 1);
    expect(stream.control.get('packetsSent')).toBe(0);

    stream.aim();
    await stream.push(new Uint8Array(5000), 1);

    expect(await stream.until(() => stream.framesReceived() === 1)).toBe(true);
  });

  test('survives a peer whose port is closed', async () => {
    const stream = start();
    stream.control.setAddress(
      'video',
      Uint8Array.of(2, 0, 0, 9, 127, 0, 0, 1, ...new Array(8).fill(0)),
    );
    for (let index = 1; index <= 20; index += 1) await stream.push(new Uint8Array(3000), index);
    await stream.until(() => stream.control.get('framesSent') === 20);

    stream.aim();
    await stream.push(new Uint8Array(3000), 21);

    expect(await stream.until(() => stream.framesReceived() === 1)).toBe(true);
  });

  test('beats while idle, measures its stages, and stops within 200 ms', async () => {
    const stream = start();
    await stream.until(() => stream.control.get('packetHeartbeat') >= 3);
    await stream.push(new Uint8Array(50_000), 1);
    await stream.until(() => stream.framesReceived() === 1);

    for (const stage of ['queue', 'packetize', 'send', 'total'] as const) {
      expect(stream.control.stageQuantileUs(stage, 0.5)).toBeGreaterThan(0);
    }
    const begin = performance.now();
    expect(await stream.stop()).toBe(true);
    bench = undefined;
    expect(performance.now() - begin).toBeLessThan(200);
  });
});

describe('test loss after parity', () => {
  /** 20 frames of 800 kB at 20 %, or of the given size, with loss. */
  async function streamWithLoss(testDropPct: number, frames: number, unitBytes: number) {
    const stream = start({ testDropPct, fps: 240 });
    const unit = seededRandom('loss').bytes(unitBytes);
    for (let index = 1; index <= frames; index += 1) await stream.push(unit, index);
    await stream.until(() => stream.control.get('framesSent') === frames);
    await stream.until(() => stream.receivedCount === stream.control.get('packetsSent'));
    const intact = stream.events.flatMap((event) => (event.kind === 'frame' ? [event] : []));
    for (const frame of intact) expect(Buffer.compare(frame.accessUnit, unit)).toBe(0);
    expect(stream.receiver.faultCount).toBe(0);
    const lost = stream.control.get('packetsTestDropped');
    const lostPct = (100 * lost) / (lost + stream.control.get('packetsSent'));
    return {
      intact: intact.length,
      lostPct,
      recovered: intact.reduce((n, f) => n + f.recoveredShards, 0),
    };
  }

  test('5 % of the datagrams are lost and at least 99 % of 500 frames arrive intact', async () => {
    const { intact, lostPct, recovered } = await streamWithLoss(5, 500, 40_000);

    expect(lostPct).toBeWithin(4, 6);
    expect(intact).toBeGreaterThanOrEqual(495);
    expect(recovered).toBeGreaterThan(500);
  });

  test.skipIf(!canHoldBursts)('5 % loss in 800 kB frames is made up for entirely', async () => {
    const { intact } = await streamWithLoss(5, 20, 800_000);

    expect(intact).toBe(20);
  });

  test('15 % of the datagrams are lost, and what is intact is exact', async () => {
    const { intact, lostPct } = await streamWithLoss(15, 300, 40_000);

    expect(lostPct).toBeWithin(13, 17);
    expect(intact).toBeGreaterThan(150);
  });

  test('100 % loss sends nothing', async () => {
    const { intact, lostPct } = await streamWithLoss(100, 5, 40_000);

    expect(intact).toBe(0);
    expect(lostPct).toBe(100);
  });
});
