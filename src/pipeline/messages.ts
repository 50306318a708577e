/** What main tells the media workers. Only start and stop: everything else is in shared words. */
import type { AudioSource } from '../audio/port.ts';
import type { CaptureSource } from '../capture/port.ts';
import type { AudioPlan, PacketFormat, VideoPlan } from '../session/plan.ts';
import type { FrameRingLayout } from './frame-ring.ts';

export interface StartVideo {
  readonly kind: 'start-video';
  readonly control: SharedArrayBuffer;
  readonly ring: FrameRingLayout;
  readonly source: CaptureSource;
  readonly plan: VideoPlan;
  readonly vbvFrames: number;
  readonly maxAccessUnitBytes: number;
}

export interface StartPackets {
  readonly kind: 'start-packets';
  readonly control: SharedArrayBuffer;
  readonly memory: WebAssembly.Memory;
  readonly ring: FrameRingLayout;
  readonly format: PacketFormat;
  /** UDP socket of the video plane, bound by main; the worker only sends on it. */
  readonly socketFd: number;
  readonly fpsNum: number;
  readonly fpsDen: number;
  /** PUNKTFUNK_VIDEO_DROP: percent of datagrams thrown away after parity, for tests. */
  readonly testDropPct: number;
  readonly segmentationOffload: boolean;
}

export interface StartAudio {
  readonly kind: 'start-audio';
  readonly control: SharedArrayBuffer;
  readonly source: AudioSource;
  readonly plan: AudioPlan;
  readonly format: PacketFormat;
  readonly socketFd: number;
}

/** Answer to `capture-lost`: where pictures come from now. */
export interface NewSource {
  readonly kind: 'new-source';
  readonly source: CaptureSource;
}

export type WorkerOrder = StartVideo | StartPackets | StartAudio;

export type WorkerReport =
  | { readonly kind: 'ready' }
  /** One-line facts for logs and status: encoder rung, capture description, sender rung. */
  | { readonly kind: 'fact'; readonly name: string; readonly value: string }
  | { readonly kind: 'first-frame'; readonly width: number; readonly height: number }
  /** The worker cannot go on; the session ends with this reason. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** Acknowledges `stop`: nothing of the worker touches sockets or memory any more. */
  | { readonly kind: 'stopped' };
