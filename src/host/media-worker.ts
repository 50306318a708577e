/**
 * One media worker from main's side: started with an order, followed through its reports, stopped
 * through shared memory and terminated only when it does not answer.
 */

import type { WorkerOrder, WorkerReport } from '../pipeline/messages.ts';
import type { CaptureLostReport } from '../pipeline/video-loop.ts';

export type WorkerKind = 'video' | 'packet' | 'audio';
/** Workers are spawned in src/main.ts alone: only there the executable finds their code. */
export type SpawnWorker = (kind: WorkerKind) => Worker;

export type MediaReport = WorkerReport | CaptureLostReport;

/** Opening a desktop capture and an embedded encoder for the first time takes about a second. */
const READY_TIMEOUT_MS = 15_000;
/** A worker looks at `stop` at least every 50 ms. */
const STOP_TIMEOUT_MS = 3_000;

export class MediaWorker {
  readonly kind: WorkerKind;
  /** Resolves when the worker is at work; rejects with its reason when it cannot. */
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  readonly #stopped = Promise.withResolvers<void>();
  #hasStopped = false;

  constructor(spawn: SpawnWorker, order: WorkerOrder, onReport: (report: MediaReport) => void) {
    this.kind = KIND_OF[order.kind];
    this.#worker = spawn(this.kind);
    const ready = Promise.withResolvers<void>();
    this.ready = ready.promise;
    // A worker that fails after it was ready has nobody waiting here.
    this.ready.catch(() => {});
    const timer = setTimeout(() => {
      ready.reject(
        new Error(`the ${this.kind} worker did not start in ${READY_TIMEOUT_MS / 1000} s`),
      );
    }, READY_TIMEOUT_MS);
    const hear = (report: MediaReport): void => {
      if (report.kind === 'ready') ready.resolve();
      if (report.kind === 'failed') ready.reject(new Error(report.reason));
      if (report.kind === 'ready' || report.kind === 'failed') clearTimeout(timer);
      if (report.kind === 'stopped') this.#finish();
      onReport(report);
    };
    this.#worker.onmessage = ({ data }: MessageEvent<MediaReport>) => hear(data);
    this.#worker.onerror = (event) => {
      hear({ kind: 'failed', reason: `the ${this.kind} worker crashed: ${event.message}` });
      this.#finish();
    };
    this.#worker.postMessage(order);
  }

  post(message: object): void {
    this.#worker.postMessage(message);
  }

  /** Waits until the worker acknowledged the `stop` word; its memory and sockets are free then. */
  async stop(): Promise<void> {
    const timeout = new Promise((resolve) => setTimeout(resolve, STOP_TIMEOUT_MS).unref());
    await Promise.race([this.#stopped.promise, timeout]);
    if (!this.#hasStopped) this.#worker.terminate();
  }

  #finish(): void {
    this.#hasStopped = true;
    this.#stopped.resolve();
    this.#worker.terminate();
  }
}

const KIND_OF: Record<WorkerOrder['kind'], WorkerKind> = {
  'start-video': 'video',
  'start-packets': 'packet',
  'start-audio': 'audio',
};
