/** Video worker: one per stream. Waits for its order, then captures and encodes until `stop`. */
import { availableParallelism } from 'node:os';
import { monotonicNs, prepareMediaThread, sleepUntilNs } from '../../ffi/libc-time.ts';
import { FrameConverter } from '../capture/convert.ts';
import { openCapturer } from '../capture/open-capturer.ts';
import type { CaptureSource } from '../capture/port.ts';
import { encoderRungByName } from '../encode/ladder.ts';
import { EncodeLoadGovernor, softwareRate } from '../encode/step-down.ts';
import { FrameRingWriter } from '../pipeline/frame-ring.ts';
import { makeHousekeeper } from '../pipeline/housekeeper.ts';
import type { NewSource, StartVideo, WorkerReport } from '../pipeline/messages.ts';
import { StreamControl } from '../pipeline/stream-control.ts';
import { runVideoLoop } from '../pipeline/video-loop.ts';
import type { CaptureLostReport } from '../pipeline/video-ports.ts';

declare const self: Worker;
const report = (message: WorkerReport | CaptureLostReport): void => self.postMessage(message);

/** Sources that main sent and the loop has not taken yet. */
let arrivedSource: CaptureSource | null = null;
let wakeSource: (() => void) | null = null;

async function nextSource(timeoutMs: number): Promise<CaptureSource | null> {
  if (!arrivedSource) {
    await new Promise<void>((resolve) => {
      wakeSource = resolve;
      setTimeout(resolve, timeoutMs);
    });
  }
  const source = arrivedSource;
  arrivedSource = null;
  return source;
}

async function run(order: StartVideo): Promise<void> {
  prepareMediaThread('pf-video');
  const { plan } = order;
  const rung = encoderRungByName(plan.encoder);
  if (!rung) throw new Error(`this build has no encoder ${plan.encoder}`);
  const { width, height, refreshNum, refreshDen } = plan.mode;
  const wish = { width, height, fpsNum: refreshNum, fpsDen: refreshDen };
  const rate = rung.isSoftware
    ? softwareRate(wish, availableParallelism())
    : { ...wish, note: null };
  if (rate.note !== null) report({ kind: 'fact', name: 'load', value: rate.note });
  const reason = await runVideoLoop(
    {
      source: order.source,
      fpsNum: rate.fpsNum,
      fpsDen: rate.fpsDen,
      bitrateKbps: plan.bitrateKbps,
      useInvalidation: plan.useInvalidation,
    },
    {
      openCapturer,
      openConverter: () =>
        new FrameConverter({ width, height, colour: plan.colour, output: 'i420' }),
      openEncoder: ({ preset, fpsNum, fpsDen, bitrateKbps }) => {
        const encoder = rung.open({
          ...plan,
          width,
          height,
          fpsNum,
          fpsDen,
          bitrateKbps,
          preset,
          vbvFrames: order.vbvFrames,
          maxAccessUnitBytes: order.maxAccessUnitBytes,
        });
        const { backend } = encoder.capabilities;
        const hz = Number((fpsNum / fpsDen).toFixed(2));
        report({
          kind: 'fact',
          name: 'encoder',
          value: `${backend} ${preset} ${width}x${height}@${hz} ${encoder.appliedBitrateKbps()} kbit/s`,
        });
        return encoder;
      },
      governor: new EncodeLoadGovernor(rate.fpsNum, rate.fpsDen),
      nowNs: monotonicNs,
      sleepUntilNs,
      report,
      nextSource,
      housekeep: makeHousekeeper(monotonicNs, () => Bun.gc(true)),
    },
    new StreamControl(order.control),
    new FrameRingWriter(order.ring),
  );
  if (reason !== null) report({ kind: 'failed', reason });
}

self.onmessage = async ({ data }: MessageEvent<StartVideo | NewSource>) => {
  if (data.kind === 'new-source') {
    arrivedSource = data.source;
    wakeSource?.();
    return;
  }
  try {
    await run(data);
  } catch (error) {
    report({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
  }
  report({ kind: 'stopped' });
};
