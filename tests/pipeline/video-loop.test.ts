import { describe, expect, test } from 'bun:test';
import type { CaptureResult, Capturer, CaptureSource } from '../../src/capture/port.ts';
import type { EncodedChunk, VideoEncoder } from '../../src/encode/port.ts';
import {
  FRAME_FLAG_IDR,
  FRAME_FLAG_RECOVERY_ANCHOR,
  FRAME_RING_HEAD_BYTES,
  FrameRingReader,
  FrameRingWriter,
} from '../../src/pipeline/frame-ring.ts';
import { StreamControl } from '../../src/pipeline/stream-control.ts';
import { runVideoLoop } from '../../src/pipeline/video-loop.ts';
import type { VideoLoopPorts } from '../../src/pipeline/video-ports.ts';

const SOURCE: CaptureSource = {
  kind: 'synthetic',
  mode: { width: 64, height: 64, refreshNum: 60, refreshDen: 1 },
};
const INTERVAL_NS = 1e9 / 60;

interface SeenFrame {
  frameIndex: number;
  flags: number;
  pictureId: number;
}

/** A video loop on a clock that only moves when somebody waits. */
class Rig {
  nowNs = 1e9;
  readonly control = new StreamControl();
  readonly seen: SeenFrame[] = [];
  readonly reports: string[] = [];
  readonly invalidations: [number, number][] = [];
  readonly reader: FrameRingReader;
  readonly writer: FrameRingWriter;
  readonly memory: SharedArrayBuffer;
  canInvalidate = true;
  opened = 0;
  encoders = 0;
  /** Decides what the capturer answers; default: a new picture each interval. */
  capture: (timeoutMs: number) => CaptureResult = (timeoutMs) => {
    this.nowNs += Math.min(timeoutMs * 1e6, INTERVAL_NS);
    return this.picture();
  };
  openSource: (source: CaptureSource) => void = () => {};
  newSource: CaptureSource | null = SOURCE;
  /** Called after each delivered frame; stops the loop when it returns true. */
  afterFrame: (frame: SeenFrame) => boolean = () => this.seen.length >= 60;
  drain = true;

  constructor() {
    const slotBytes = 64;
    this.memory = new SharedArrayBuffer(64 + FRAME_RING_HEAD_BYTES + slotBytes * 2);
    const layout = {
      memory: this.memory,
      headOffsetBytes: 0,
      dataOffsetBytes: FRAME_RING_HEAD_BYTES,
      slotBytes,
    };
    this.reader = new FrameRingReader(layout);
    this.writer = new FrameRingWriter(layout);
    this.control.setAddress('video', new Uint8Array([2, 0]));
  }

  picture(): CaptureResult {
    const frame = {
      kind: 'memory',
      format: 'BGRx',
      width: 64,
      height: 64,
      data: new Uint8Array(0),
      strideBytes: 256,
      captureNs: this.nowNs,
    } as const;
    return { kind: 'frame', frame };
  }

  run(): Promise<string | null> {
    const setup = {
      source: SOURCE,
      fpsNum: 60,
      fpsDen: 1,
      bitrateKbps: 5000,
      useInvalidation: true,
    };
    return runVideoLoop(setup, this.ports(), this.control, this.writer);
  }

  ports(): VideoLoopPorts {
    return {
      // Every look at the clock takes time, as it does on a real machine.
      nowNs: () => {
        this.nowNs += 40;
        return this.nowNs;
      },
      sleepUntilNs: (deadlineNs) => {
        this.nowNs = Math.max(this.nowNs, deadlineNs);
      },
      openCapturer: (source): Capturer => {
        this.opened += 1;
        this.openSource(source);
        return { description: 'scripted', next: (ms) => this.capture(ms), close: () => {} };
      },
      openConverter: () => ({
        convert: () => ({
          kind: 'bgrx',
          data: new Uint8Array(0),
          strideBytes: 0,
          chromaOffsetBytes: 0,
        }),
        close: () => {},
      }),
      openEncoder: () => this.encoder(),
      governor: { sample: () => null },
      report: (report) => {
        this.reports.push(report.kind);
      },
      nextSource: async () => this.newSource,
    };
  }

  encoder(): VideoEncoder {
    this.encoders += 1;
    let queued: EncodedChunk | null = null;
    let isAnchor = false;
    let isFirst = true;
    return {
      capabilities: {
        backend: 'scripted',
        canInvalidate: this.canInvalidate,
        canIntraRefresh: false,
        tenBit: false,
        yuv444: false,
        inPlaceBitrate: true,
        chunkedOutput: false,
        inputs: ['bgrx'],
        maxWidth: 4096,
        maxHeight: 4096,
      },
      submit: (_input, pictureId, { idr }) => {
        const isIdr = idr || isFirst;
        isFirst = false;
        queued = {
          data: Uint8Array.of(pictureId & 255, pictureId >> 8),
          pictureId,
          isIdr,
          isRecoveryAnchor: isAnchor && !isIdr,
          isFirstChunk: true,
          isLastChunk: true,
        };
        isAnchor = false;
      },
      poll: () => {
        const chunk = queued;
        queued = null;
        if (chunk === null && this.drain) this.take();
        return chunk;
      },
      invalidate: (first, last) => {
        this.invalidations.push([first, last]);
        isAnchor = true;
        return true;
      },
      reconfigure: () => true,
      appliedBitrateKbps: () => 5000,
      reset: () => true,
      close: () => {},
    };
  }

  take(): void {
    while (this.reader.wait(0) === 'frame') {
      const bytes = new Uint8Array(this.memory, this.reader.offsetBytes, 2);
      const { frameIndex, flags } = this.reader.record;
      const frame = { frameIndex, flags, pictureId: (bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8) };
      this.seen.push(frame);
      this.reader.release();
      if (this.afterFrame(frame)) this.control.set('stop', 1);
    }
  }
}

const idrsOf = (rig: Rig) => rig.seen.filter((frame) => frame.flags & FRAME_FLAG_IDR);

describe('video loop', () => {
  test('frames count up from 1 and only the first is an IDR', async () => {
    const rig = new Rig();

    expect(await rig.run()).toBeNull();

    expect(rig.seen.map((frame) => frame.frameIndex)).toEqual(
      rig.seen.map((_, index) => index + 1),
    );
    expect(idrsOf(rig).map((frame) => frame.frameIndex)).toEqual([1]);
  });

  test('a static desktop is encoded again at the frame rate', async () => {
    const rig = new Rig();
    let isFirst = true;
    rig.capture = (timeoutMs) => {
      rig.nowNs += timeoutMs * 1e6;
      if (!isFirst) return { kind: 'none' };
      isFirst = false;
      return rig.picture();
    };
    const begin = rig.nowNs;
    rig.afterFrame = () => rig.nowNs - begin >= 2e9;

    await rig.run();

    expect(rig.seen.length).toBeGreaterThan(115);
    expect(rig.seen.length).toBeLessThan(123);
    expect(rig.control.get('framesRepeated')).toBe(rig.seen.length - 1);
  });

  test('IDR requests with every frame give one IDR per two intervals', async () => {
    const rig = new Rig();
    rig.afterFrame = () => {
      rig.control.add('idrRequests');
      return rig.seen.length >= 60;
    };

    await rig.run();

    const gaps = idrsOf(rig).map(
      (frame, index, all) => frame.frameIndex - (all[index - 1]?.frameIndex ?? -9),
    );
    expect(Math.min(...gaps.slice(1))).toBe(2);
    expect(idrsOf(rig).length).toBe(30);
  });

  test('an RFI request is answered by the next frame as recovery anchor, without an IDR', async () => {
    const rig = new Rig();
    rig.afterFrame = (frame) => {
      if (frame.frameIndex === 30) rig.control.requestInvalidation(27, 28);
      return frame.frameIndex >= 40;
    };

    await rig.run();

    expect(rig.invalidations).toEqual([[26, 27]]);
    expect(rig.seen.filter((frame) => frame.flags & FRAME_FLAG_RECOVERY_ANCHOR)).toMatchObject([
      { frameIndex: 31 },
    ]);
    expect(idrsOf(rig).length).toBe(1);
  });

  test('when the sender stalls the newest frame is dropped, uses no index, and the next re-anchors', async () => {
    const rig = new Rig();
    rig.afterFrame = (frame) => {
      if (frame.frameIndex === 10) {
        rig.drain = false;
      }
      return frame.frameIndex >= 30;
    };
    let turns = 0;
    const capture = rig.capture;
    rig.capture = (timeoutMs) => {
      turns += 1;
      if (turns === 18) {
        rig.drain = true;
        rig.take();
      }
      return capture(timeoutMs);
    };

    await rig.run();

    expect(rig.control.get('framesDropped')).toBe(5);
    expect(rig.seen.map((frame) => frame.frameIndex)).toEqual(
      rig.seen.map((_, index) => index + 1),
    );
    const anchor = rig.seen.find((frame) => frame.flags & FRAME_FLAG_RECOVERY_ANCHOR);
    expect(anchor?.frameIndex).toBe(13);
    expect(idrsOf(rig).length).toBe(1);
  });

  test('nothing is encoded before the device can be reached', async () => {
    const rig = new Rig();
    rig.control.set('videoAddressVersion', 0);
    const begin = rig.nowNs;
    const ports = rig.ports();
    const setup = {
      source: SOURCE,
      fpsNum: 60,
      fpsDen: 1,
      bitrateKbps: 5000,
      useInvalidation: true,
    };
    let waits = 0;
    const sleeping = {
      ...ports,
      sleepUntilNs: (deadlineNs: number) => {
        ports.sleepUntilNs(deadlineNs);
        waits += 1;
        if (waits === 50) rig.control.set('videoAddressVersion', 1);
      },
    };

    await runVideoLoop(setup, sleeping, rig.control, rig.writer);

    expect(waits).toBeGreaterThanOrEqual(50);
    expect(rig.seen[0]?.frameIndex).toBe(1);
    expect(rig.nowNs - begin).toBeGreaterThan(0.1e9);
  });

  test('a lost source is rebuilt in place; frame numbers go on and the next picture is an IDR', async () => {
    const rig = new Rig();
    let turns = 0;
    const capture = rig.capture;
    rig.capture = (timeoutMs) => {
      turns += 1;
      return turns === 20 ? { kind: 'lost', cause: 'output removed' } : capture(timeoutMs);
    };

    expect(await rig.run()).toBeNull();

    expect(rig.opened).toBe(2);
    expect(rig.encoders).toBe(1);
    expect(rig.control.get('captureRebuilds')).toBe(1);
    expect(rig.seen.map((frame) => frame.frameIndex)).toEqual(
      rig.seen.map((_, index) => index + 1),
    );
    expect(idrsOf(rig).length).toBe(2);
  });

  test('a source that cannot be rebuilt ends the stream after five tries with its cause', async () => {
    const rig = new Rig();
    rig.openSource = () => {
      if (rig.opened > 1) throw new Error('no compositor');
    };
    rig.capture = () => ({ kind: 'lost', cause: 'output removed' });

    const reason = await rig.run();

    expect(reason).toContain('5 tries');
    expect(reason).toContain('no compositor');
    expect(rig.control.get('captureRebuilds')).toBe(5);
  });

  test('a source that never shows a picture counts as lost after five seconds', async () => {
    const rig = new Rig();
    let isSecond = false;
    rig.openSource = () => {
      isSecond = rig.opened > 1;
    };
    const capture = rig.capture;
    rig.capture = (timeoutMs) => {
      if (isSecond) return capture(timeoutMs);
      rig.nowNs += timeoutMs * 1e6;
      return { kind: 'none' };
    };
    const begin = rig.nowNs;

    await rig.run();

    expect(rig.opened).toBe(2);
    expect(rig.nowNs - begin).toBeGreaterThan(5e9);
    expect(rig.reports).toContain('capture-lost');
  });

  test('the time before a device asks for pictures is not held against the source', async () => {
    const rig = new Rig();
    rig.control.set('videoAddressVersion', 0);
    const askedAtNs = rig.nowNs + 20e9;
    const ports = rig.ports();
    const sleepUntilNs = (deadlineNs: number): void => {
      ports.sleepUntilNs(deadlineNs);
      if (deadlineNs > askedAtNs) rig.control.set('videoAddressVersion', 1);
    };
    let waits = 0;
    const { capture } = rig;
    rig.capture = (timeoutMs) => {
      waits += 1;
      if (waits > 3) return capture(timeoutMs);
      rig.nowNs += timeoutMs * 1e6;
      return { kind: 'none' };
    };
    rig.ports = () => ({ ...ports, sleepUntilNs });

    await rig.run();

    expect(rig.opened).toBe(1);
    expect(rig.reports).not.toContain('capture-lost');
  });

  test('the source shows its first picture before anybody asks, and no second one', async () => {
    const rig = new Rig();
    rig.control.set('videoAddressVersion', 0);
    const ports = rig.ports();
    const askedAtNs = rig.nowNs + 1e9;
    let picturesBefore = 0;
    let framesBefore = -1;
    const { capture } = rig;
    rig.capture = (timeoutMs) => {
      if (rig.control.get('videoAddressVersion') === 0) picturesBefore += 1;
      return capture(timeoutMs);
    };
    rig.ports = () => ({
      ...ports,
      sleepUntilNs: (deadlineNs) => {
        ports.sleepUntilNs(deadlineNs);
        if (rig.nowNs < askedAtNs || framesBefore >= 0) return;
        framesBefore = rig.control.get('framesEncoded');
        rig.control.set('videoAddressVersion', 1);
      },
    });
    let firstCaptureNs = 0;
    rig.afterFrame = () => {
      firstCaptureNs ||= rig.reader.record.captureNs;
      return rig.seen.length >= 30;
    };

    await rig.run();

    expect(picturesBefore).toBe(1);
    expect(rig.reports).toContain('first-frame');
    expect(framesBefore).toBe(0);
    // What was shown before is as old as the moment it is first sent, not as the wait was long.
    expect(firstCaptureNs).toBeGreaterThanOrEqual(askedAtNs);
    expect(rig.seen.map(({ frameIndex }) => frameIndex)).toEqual(
      rig.seen.map((_, index) => index + 1),
    );
  });

  test('an access unit larger than the ring is counted and its loss repaired', async () => {
    const rig = new Rig();
    let count = 0;
    const encoder = rig.encoder.bind(rig);
    rig.encoder = () => {
      const real = encoder();
      return {
        ...real,
        poll: () => {
          const chunk = real.poll();
          count += chunk ? 1 : 0;
          return chunk && count === 10 ? { ...chunk, data: new Uint8Array(100) } : chunk;
        },
      };
    };

    await rig.run();

    expect(rig.control.get('framesOversize')).toBe(1);
    expect(rig.invalidations).toEqual([[9, 9]]);
  });
});
