/** Workers that do what the test says; the stream does not see a difference. */
import type { MediaReport, SpawnWorker, WorkerKind } from '../../src/host/media-worker.ts';
import type { NewSource, WorkerOrder } from '../../src/pipeline/messages.ts';
import { StreamControl } from '../../src/pipeline/stream-control.ts';

export class ScriptedWorker {
  readonly kind: WorkerKind;
  readonly received: (WorkerOrder | NewSource)[] = [];
  isTerminated = false;
  onmessage: ((event: { data: MediaReport }) => void) | null = null;
  onerror: ((event: { message: string }) => void) | null = null;
  #onClose: (() => void) | null = null;

  constructor(kind: WorkerKind) {
    this.kind = kind;
  }

  /** The shared words of its stream. */
  get control(): StreamControl {
    const [order] = this.received;
    if (!order || order.kind === 'new-source') throw new Error('the worker has no order yet');
    return new StreamControl(order.control);
  }

  report(report: MediaReport): void {
    this.onmessage?.({ data: report });
  }

  /** Fails as the runtime tells it: the message is a page of source and stack. */
  crash(message: string): void {
    this.onerror?.({ message });
  }

  /** Its thread is gone without a word. */
  vanish(): void {
    this.#onClose?.();
  }

  addEventListener(_name: 'close', listener: () => void): void {
    this.#onClose = listener;
  }

  postMessage(message: WorkerOrder | NewSource): void {
    this.received.push(message);
  }

  terminate(): void {
    this.isTerminated = true;
    queueMicrotask(() => this.#onClose?.());
  }
}

/** Spawns scripted workers and answers `stop` for those that still listen. */
export class WorkerRig {
  readonly workers: ScriptedWorker[] = [];
  /** Kinds that do not answer `stop`. */
  readonly deaf = new Set<WorkerKind>();

  readonly spawn: SpawnWorker = (kind) => {
    const worker = new ScriptedWorker(kind);
    this.workers.push(worker);
    return worker as unknown as Worker;
  };

  of(kind: WorkerKind): ScriptedWorker {
    const worker = this.workers.findLast((candidate) => candidate.kind === kind);
    if (!worker) throw new Error(`there is no ${kind} worker`);
    return worker;
  }

  allReady(): void {
    for (const worker of this.workers) worker.report({ kind: 'ready' });
  }

  /** What workers do once they see the `stop` word. */
  answerStop(): void {
    for (const worker of this.workers) {
      if (this.deaf.has(worker.kind) || worker.isTerminated) continue;
      if (worker.control.get('stop') !== 0) worker.report({ kind: 'stopped' });
    }
  }
}
