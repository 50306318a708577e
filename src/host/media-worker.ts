/**
 * One media worker from main's side: started with an order, followed through its reports, stopped
 * through shared memory and terminated only when it does not answer.
 */

import type { WorkerOrder, WorkerReport } from '../pipeline/messages.ts';
import type { CaptureLostReport } from '../pipeline/video-ports.ts';

export type WorkerKind = 'video' | 'packet' | 'audio';
/** Workers are spawned in src/main.ts alone: only there the executable finds their code. */
export type SpawnWorker = (kind: WorkerKind) => Worker;

export type MediaReport = WorkerReport | CaptureLostReport;

/**
 * Opening a desktop capture and an embedded encoder for the first time takes about a second; a
 * device waits 15 s for the whole start.
 */
const READY_TIMEOUT_MS = 12_000;
/** A worker looks at `stop` at least every 50 ms. */
const STOP_TIMEOUT_MS = 3_000;

export class MediaWorker {
  readonly kind: WorkerKind;
  /** Resolves when the worker is at work; rejects with its reason when it cannot. */
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  readonly #ready = Promise.withResolvers<void>();
  readonly #stopped = Promise.withResolvers<void>();
  readonly #readyTimer: ReturnType<typeof setTimeout>;
  #isOver = false;

  constructor(spawn: SpawnWorker, order: WorkerOrder, onReport: (report: MediaReport) => void) {
    this.kind = KIND_OF[order.kind];
    this.ready = this.#ready.promise;
    // A worker that fails after it was ready, or is stopped before, has nobody waiting here.
    this.ready.catch(() => {});
    this.#worker = spawn(this.kind);
    this.#readyTimer = setTimeout(() => {
      const seconds = READY_TIMEOUT_MS / 1000;
      this.#ready.reject(new Error(`the ${this.kind} worker did not start in ${seconds} s`));
    }, READY_TIMEOUT_MS);
    const hear = (report: MediaReport): void => {
      if (report.kind === 'ready') this.#ready.resolve();
      if (report.kind === 'failed') this.#ready.reject(new Error(report.reason));
      if (report.kind === 'ready' || report.kind === 'failed') clearTimeout(this.#readyTimer);
      if (report.kind === 'stopped') this.#finish();
      onReport(report);
    };
    this.#worker.onmessage = ({ data }: MessageEvent<MediaReport>) => hear(data);
    const crashed = (how: string): void => {
      if (this.#isOver) return;
      hear({ kind: 'failed', reason: `the ${this.kind} worker ${how}` });
      this.#finish();
    };
    this.#worker.onerror = ({ message }) => crashed(`crashed: ${crashCause(message)}`);
    this.#worker.addEventListener('close', () => crashed('went away'));
    this.#worker.postMessage(order);
  }

  post(message: object): void {
    this.#worker.postMessage(message);
  }

  /** Waits until the worker acknowledged the `stop` word; its memory and sockets are free then. */
  async stop(): Promise<void> {
    const timer = setTimeout(() => this.#finish(), STOP_TIMEOUT_MS);
    await this.#stopped.promise;
    clearTimeout(timer);
  }

  #finish(): void {
    this.#isOver = true;
    clearTimeout(this.#readyTimer);
    this.#ready.reject(new Error(`the ${this.kind} worker ended before it was at work`));
    this.#stopped.resolve();
    this.#worker.terminate();
  }
}

const KIND_OF: Record<WorkerOrder['kind'], WorkerKind> = {
  'start-video': 'video',
  'start-packets': 'packet',
  'start-audio': 'audio',
};

/** The runtime's message is a page of source and stack; its sentence is what status can show. */
function crashCause(message: string): string {
  const lines = message.split('\n').map((line) => line.trim());
  const said = lines.find((line) => /^(?:\w*Error|error|BuildMessage): /.test(line));
  return (said ?? lines.find((line) => line !== '') ?? 'no cause given').replace(/^error: /, '');
}
