/** What the video worker's loop is given and what it reports: its ports and its setup. */
import type { Capturer, CaptureSource, MemoryFrame } from '../capture/port.ts';
import type { EncoderInput, VideoEncoder } from '../encode/port.ts';
import type { WorkerReport } from './messages.ts';

/** Converts pictures into what the encoder takes; the result stays valid until the next call. */
export interface FrameConverter {
  convert(frame: MemoryFrame): EncoderInput;
  close(): void;
}

/** Chooses rate and preset from measured encode times; see encode/step-down.ts. */
export interface LoadGovernor {
  /** @returns a new setting when it changed, else null. */
  sample(encodeNs: number, nowNs: number): GovernorDecision | null;
}

export interface GovernorDecision {
  readonly preset: 'superfast' | 'ultrafast';
  readonly fpsNum: number;
  readonly fpsDen: number;
  /** Sentence for status. */
  readonly reason: string;
}

export interface VideoLoopPorts {
  openCapturer(source: CaptureSource): Capturer;
  /** Opens the session's encoder at a preset and rate; called again when the governor decides. */
  openEncoder(setting: {
    preset: 'superfast' | 'ultrafast';
    fpsNum: number;
    fpsDen: number;
    bitrateKbps: number;
  }): VideoEncoder;
  openConverter(): FrameConverter;
  governor: LoadGovernor;
  nowNs(): number;
  sleepUntilNs(deadlineNs: number): void;
  report(report: WorkerReport | CaptureLostReport): void;
  /** Called after each turn; see housekeeper.ts. */
  housekeep?(): void;
  /** The next source from main after a `capture-lost` report, or null after `timeoutMs`. */
  nextSource(timeoutMs: number): Promise<CaptureSource | null>;
}

export interface CaptureLostReport {
  readonly kind: 'capture-lost';
  readonly cause: string;
  readonly attempt: number;
}

export interface VideoLoopSetup {
  readonly source: CaptureSource;
  readonly fpsNum: number;
  readonly fpsDen: number;
  readonly bitrateKbps: number;
  readonly useInvalidation: boolean;
}
