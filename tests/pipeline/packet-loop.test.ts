import { describe, expect, test } from 'bun:test';
import { bindParityKernel } from '../../src/fec/parity-kernel.ts';
import type { DatagramSender } from '../../src/net/port.ts';
import { GameStreamVideoPacketizer } from '../../src/packet/gamestream-video.ts';
import type { VideoPacketFormat } from '../../src/packet/gamestream-video-format.ts';
import {
  GameStreamVideoReceiver,
  type VideoEvent,
} from '../../src/packet/gamestream-video-receive.ts';
import {
  FRAME_FLAG_IDR,
  FRAME_FLAG_RECOVERY_ANCHOR,
  FrameRingReader,
  FrameRingWriter,
} from '../../src/pipeline/frame-ring.ts';
import type { WorkerReport } from '../../src/pipeline/messages.ts';
import { runPacketLoop } from '../../src/pipeline/packet-loop.ts';
import { loadParityModule } from '../../src/pipeline/parity-module.ts';
import { StreamControl } from '../../src/pipeline/stream-control.ts';
import {
  blockSlotsOf,
  createStreamMemory,
  parityTablesOffsetOf,
} from '../../src/pipeline/stream-memory.ts';

const FORMAT: VideoPacketFormat = {
  packetSize: 1392,
  parityPct: 20,
  minParityShards: 2,
  sealVideo: false,
};
const FPS = 120;
const BUDGET_NS = (0.75 * 1e9) / FPS;
const parityModule = loadParityModule();

interface Sent {
  readonly atNs: number;
  readonly count: number;
  readonly hadRoom: boolean;
}

/** The loop on a clock that moves only when it sleeps or works, with a sender that keeps a log. */
class Rig {
  nowNs = 1e9;
  /** How much later than asked each sleep ends. */
  oversleepNs = 0;
  rung = 'gso';
  /** Datagrams the kernel takes of each run. */
  taken = (count: number): number => count;
  readonly control = new StreamControl();
  readonly writer: FrameRingWriter;
  readonly sent: Sent[] = [];
  readonly reports: WorkerReport[] = [];
  readonly events: VideoEvent[] = [];
  readonly receiver = new GameStreamVideoReceiver({ packetSize: FORMAT.packetSize, key: null });
  destinations: Uint8Array[] = [];
  #frameIndex = 0;
  readonly #run: (testDropPct: number) => void;

  constructor() {
    const { memory, ring } = createStreamMemory(FORMAT);
    this.writer = new FrameRingWriter(ring);
    const slots = blockSlotsOf(memory, FORMAT);
    const kernel = bindParityKernel(parityModule, memory, parityTablesOffsetOf(FORMAT));
    const packetizer = new GameStreamVideoPacketizer(FORMAT, slots, kernel, null);
    const bytes = new Uint8Array(slots.memory);
    const rig = this;
    const sender: DatagramSender = {
      get rung() {
        return rig.rung;
      },
      droppedCount: 0,
      lastError: 'EMSGSIZE',
      setDestination: (sockaddr) => this.destinations.push(sockaddr),
      send: (first, count) => {
        this.sent.push({ atNs: this.nowNs, count, hadRoom: this.writer.hasRoom() });
        const taken = this.taken(count);
        for (let index = first; index < first + taken; index += 1) {
          const at = slots.offsetBytes + index * slots.slotBytes;
          this.events.push(...this.receiver.receive(bytes.slice(at, at + slots.slotBytes)));
        }
        return taken;
      },
      close: () => {},
    };
    const ports = {
      packetizer,
      sender,
      nowNs: () => this.nowNs,
      sleepUntilNs: (deadlineNs: number) => {
        this.nowNs = Math.max(this.nowNs, deadlineNs) + this.oversleepNs;
      },
      report: (report: WorkerReport) => this.reports.push(report),
    };
    this.#run = (testDropPct) => {
      this.writer.close();
      const setup = { fpsNum: FPS, fpsDen: 1, testDropPct };
      runPacketLoop(setup, ports, this.control, new FrameRingReader(ring));
    };
    this.control.setAddress('video', Uint8Array.of(1, 2, 3));
  }

  push(bytes: number, flags = 0, captureNs = this.nowNs - 3e6): boolean {
    this.#frameIndex += 1;
    const record = { frameIndex: this.#frameIndex, flags, captureNs, encodedNs: this.nowNs };
    return this.writer.push(new Uint8Array(bytes).fill(5), record);
  }

  /** Runs the loop over what was pushed, until the ring is empty. */
  run(testDropPct = 0): void {
    this.#run(testDropPct);
  }

  frames() {
    return this.events.flatMap((event) => (event.kind === 'frame' ? [event] : []));
  }

  facts(name: string): string[] {
    return this.reports.flatMap((r) => (r.kind === 'fact' && r.name === name ? [r.value] : []));
  }
}

describe('one frame', () => {
  test('of 20 datagrams leaves at once', () => {
    const rig = new Rig();
    rig.push(16 * 1376 - 8);

    rig.run();

    expect(rig.sent.map(({ atNs, count }) => [atNs, count])).toEqual([[1e9, 20]]);
  });

  test('of 610 datagrams leaves in 12 steps inside three quarters of the interval', () => {
    const rig = new Rig();
    rig.push(508 * 1376 - 8);

    rig.run();

    const times = [...new Set(rig.sent.map(({ atNs }) => atNs))];
    expect(rig.sent.reduce((sum, { count }) => sum + count, 0)).toBe(610);
    expect(times.length).toBe(12);
    times.forEach((atNs, step) => {
      expect(atNs).toBeCloseTo(1e9 + (step * BUDGET_NS) / 12, 0);
    });
    expect(rig.frames().length).toBe(1);
  });

  test('gives its ring slot back when its last block is made, before it is paced out', () => {
    const rig = new Rig();
    rig.push(100_000);
    rig.push(100_000);
    expect(rig.writer.hasRoom()).toBe(false);

    rig.run();

    expect(rig.sent[0]?.hadRoom).toBe(true);
  });

  test('carries its type, its latency in tenths of a millisecond and its clock', () => {
    const rig = new Rig();
    rig.push(100, FRAME_FLAG_IDR, 1e9 - 4.2e6);
    rig.push(100, FRAME_FLAG_RECOVERY_ANCHOR, 1e9 - 4.2e6 + 1e9 / 60);

    rig.run();

    expect(
      rig.frames().map(({ frameType, latencyTenthMs, rtpTimestamp }) => ({
        frameType,
        latencyTenthMs,
        rtpTimestamp,
      })),
    ).toEqual([
      { frameType: 2, latencyTenthMs: 42, rtpTimestamp: 1 },
      { frameType: 5, latencyTenthMs: 0, rtpTimestamp: 1501 },
    ]);
  });
});

describe('a late loop', () => {
  test('that oversleeps two spacings each time never sends two steps closer than a spacing', () => {
    const rig = new Rig();
    rig.oversleepNs = BUDGET_NS / 6;
    rig.push(508 * 1376 - 8);

    rig.run();

    const times = [...new Set(rig.sent.map(({ atNs }) => atNs))];
    for (let step = 1; step < times.length; step += 1) {
      const gapNs = (times[step] ?? 0) - (times[step - 1] ?? 0);
      expect(gapNs).toBeGreaterThanOrEqual(BUDGET_NS / 12 - 1);
    }
  });
});

describe('destination', () => {
  test('is set once, and again when main changes it', () => {
    const rig = new Rig();
    rig.push(100);
    rig.push(100);

    rig.run();

    expect(rig.destinations).toEqual([Uint8Array.of(1, 2, 3)]);
  });

  test('unknown: frames are taken from the ring and not sent', () => {
    const rig = new Rig();
    rig.control.set('videoAddressVersion', 0);
    rig.push(100);
    rig.push(100);

    rig.run();

    expect(rig.sent).toEqual([]);
    expect(rig.writer.hasRoom()).toBe(true);
    expect(rig.control.get('framesSent')).toBe(0);
  });
});

describe('counters', () => {
  test('say what the kernel did not take', () => {
    const rig = new Rig();
    rig.taken = (count) => count - 3;
    rig.push(16 * 1376 - 8);

    rig.run();

    expect(rig.control.get('packetsSent')).toBe(17);
    expect(rig.control.get('packetsDropped')).toBe(3);
    expect(rig.facts('send loss')).toEqual([
      '3 of 20 datagrams of 1408 bytes were not sent (EMSGSIZE), 1 frames so far',
    ]);
  });

  test('a rung that was left is reported once', () => {
    const rig = new Rig();
    rig.taken = (count) => {
      rig.rung = 'sendmmsg';
      return count;
    };
    rig.push(100);
    rig.push(100);

    rig.run();

    expect(rig.facts('sender')).toEqual(['gso', 'sendmmsg']);
  });

  test('a frame above four protected blocks is counted, said, and sent without parity', () => {
    const rig = new Rig();
    rig.push(2_000_000);

    rig.run();

    expect(rig.control.get('framesOversize')).toBe(1);
    expect(rig.facts('oversize frame')).toEqual([
      'frame 1 of 2000000 bytes needs more than four blocks: sent without parity (1 so far)',
    ]);
    expect(rig.frames()[0]?.accessUnit.length).toBe(2_000_000);
  });

  test('stop ends the loop with a frame still waiting', () => {
    const rig = new Rig();
    rig.push(100);
    rig.control.set('stop', 1);

    rig.run();

    expect(rig.sent).toEqual([]);
  });
});

describe('test loss', () => {
  test('loses the same datagrams every time, about as many as asked', () => {
    const runs = [1, 2].map(() => {
      const rig = new Rig();
      rig.push(1_000_000);
      rig.push(1_000_000);
      rig.run(5);
      return { sent: rig.sent, lost: rig.control.get('packetsTestDropped'), rig };
    });

    expect(runs[0]?.sent).toEqual(runs[1]?.sent ?? []);
    expect(runs[0]?.lost).toBeWithin(50, 130);
    expect(runs[0]?.rig.frames().length).toBe(2);
    expect(runs[0]?.rig.control.get('packetsDropped')).toBe(0);
  });
});
