/** What the three workers of a stream are told at its start. */
import type { AudioSource } from '../audio/port.ts';
import type { CaptureSource } from '../capture/port.ts';
import { maxAccessUnitBytes } from '../packet/gamestream-video.ts';
import type { WorkerOrder } from '../pipeline/messages.ts';
import type { StreamControl } from '../pipeline/stream-control.ts';
import { createStreamMemory } from '../pipeline/stream-memory.ts';
import type { PacketFormat, SessionPlan } from '../session/plan.ts';

export interface StreamSetup {
  readonly plan: SessionPlan;
  readonly format: PacketFormat;
  readonly vbvFrames: number;
  readonly testDropPct: number;
  readonly segmentationOffload: boolean;
  readonly videoSocketFd: number;
  readonly audioSocketFd: number;
  /** Runtime directory of the desktop session; null without one. */
  readonly runtimeDir: string | null;
}

/** Makes the stream's shared memory and tells each worker its part. */
export function workerOrders(
  setup: StreamSetup,
  streamControl: StreamControl,
  pictures: CaptureSource,
  sound: AudioSource,
): readonly WorkerOrder[] {
  const { plan, format } = setup;
  const { memory, ring } = createStreamMemory(format);
  const { refreshNum, refreshDen } = plan.video.mode;
  const control = streamControl.buffer;
  return [
    {
      kind: 'start-video',
      control,
      ring,
      source: pictures,
      plan: plan.video,
      vbvFrames: setup.vbvFrames,
      maxAccessUnitBytes: maxAccessUnitBytes(format),
    },
    {
      kind: 'start-packets',
      control,
      memory,
      ring,
      format,
      socketFd: setup.videoSocketFd,
      fpsNum: refreshNum,
      fpsDen: refreshDen,
      testDropPct: setup.testDropPct,
      segmentationOffload: setup.segmentationOffload,
    },
    {
      kind: 'start-audio',
      control,
      source: sound,
      plan: plan.audio,
      format,
      socketFd: setup.audioSocketFd,
    },
  ];
}
