/**
 * One running stream: its workers, its shared words, its screen and sound. Carries out a plan and
 * reports what became of it; decides nothing.
 */
import type { InputEvent } from '../inject/dispatch-events.ts';
import { StreamControl } from '../pipeline/stream-control.ts';
import type { RestoreJournal } from '../platform/journal.ts';
import { logger } from '../platform/log.ts';
import { formatMode } from '../session/mode.ts';
import type { DisplayLease } from '../vdisplay/port.ts';
import { watchHeartbeats } from './heartbeat-watch.ts';
import {
  type MediaReport,
  MediaWorker,
  type SpawnWorker,
  type WorkerKind,
} from './media-worker.ts';
import { StreamInput } from './stream-input.ts';
import { openStreamSound, type StreamSound } from './stream-sound.ts';
import { orAborted } from './within.ts';
import { type StreamSetup, workerOrders } from './worker-orders.ts';

const log = logger('stream');
/** Between attempts to find a new picture source. */
const SOURCE_RETRY_MS = 1_000;

export interface StreamPorts {
  readonly spawn: SpawnWorker;
  readonly journal: RestoreJournal;
  /**
   * The screen; asked again after capture loss.
   *
   * @param isRenewal the screen given last delivers no pictures
   */
  acquireDisplay(isRenewal: boolean): Promise<DisplayLease>;
  /** A stream that runs cannot go on. Fires at most once, never before the start or after `stop`. */
  onFailed(reason: string): void;
}

export interface StreamFacts {
  capture: string | null;
  encoder: string | null;
  sender: string | null;
  audio: string | null;
  load: string | null;
  outputName: string;
  actualMode: string;
}

/** The stream as its session sees it. */
export interface RunningStream {
  readonly control: StreamControl;
  readonly facts: Readonly<StreamFacts>;
  /** The screen that is streamed. */
  readonly lease: DisplayLease;
  /** Resolves when the screen shows pictures and its real name and mode are known. Never rejects. */
  readonly shown: Promise<void>;
  /** What the device's user did; without effect while there is no screen. */
  input(event: InputEvent): void;
  /** Stops the workers, then gives back what they used. Idempotent, never rejects. */
  stop(): Promise<void>;
}

/**
 * Resolves when every worker is at work; rejects with the reason when one cannot be, or when
 * `signal` says that nobody waits any more. Nothing is left behind then but the screen, which
 * belongs to the caller.
 */
export type StartStream = (
  setup: StreamSetup,
  ports: StreamPorts,
  signal: AbortSignal,
) => Promise<RunningStream>;

export const startStream: StartStream = async (setup, ports, signal) => {
  const lease = await orAborted(ports.acquireDisplay(false), signal);
  const stream = new Stream(setup, ports, lease);
  const onAbort = (): void => stream.giveUp(messageOf(signal.reason));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await stream.start();
    return stream;
  } catch (error) {
    await stream.stop();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
};

class Stream implements RunningStream {
  readonly control = new StreamControl();
  readonly facts: StreamFacts;
  readonly #setup: StreamSetup;
  readonly #ports: StreamPorts;
  readonly #workers: MediaWorker[] = [];
  readonly #input = new StreamInput();
  /** Rejects when the start is over before every worker is at work. */
  readonly #givenUp = Promise.withResolvers<never>();
  readonly #shown = Promise.withResolvers<void>();
  #lease: DisplayLease;
  #sound: StreamSound | null = null;
  #stopWatching = (): void => {};
  #isStarted = false;
  #isOver = false;
  #isSearching = false;
  #stopping: Promise<void> | null = null;

  constructor(setup: StreamSetup, ports: StreamPorts, lease: DisplayLease) {
    this.#setup = setup;
    this.#ports = ports;
    this.#lease = lease;
    this.#givenUp.promise.catch(() => {});
    this.facts = {
      capture: null,
      encoder: null,
      sender: null,
      audio: null,
      load: null,
      outputName: lease.outputName,
      actualMode: formatMode(lease.mode),
    };
  }

  get lease(): DisplayLease {
    return this.#lease;
  }

  get shown(): Promise<void> {
    return this.#shown.promise;
  }

  input(event: InputEvent): void {
    this.#input.handle(event);
  }

  async start(): Promise<void> {
    const { plan, runtimeDir } = this.#setup;
    this.#sound = openStreamSound(plan.audio, runtimeDir, this.#ports.journal);
    const orders = workerOrders(this.#setup, this.control, this.#lease.source, this.#sound.source);
    for (const order of orders) {
      const worker: MediaWorker = new MediaWorker(this.#ports.spawn, order, (report) =>
        this.#hear(worker.kind, report),
      );
      this.#workers.push(worker);
    }
    const ready = this.#workers.map((worker) => worker.ready);
    await Promise.race([
      Promise.all([...ready, this.#input.moveTo(this.#lease)]),
      this.#givenUp.promise,
    ]);
    this.#isStarted = true;
    this.#stopWatching = watchHeartbeats(this.control, (reason) => this.#fail(reason));
  }

  /** Ends a start that is under way; one that is done is not touched. */
  giveUp(reason: string): void {
    this.control.set('stop', 1);
    this.#givenUp.reject(new Error(reason));
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#isOver = true;
    this.#stopWatching();
    this.control.set('stop', 1);
    this.#input.close();
    await Promise.all(this.#workers.map((worker) => worker.stop()));
    this.#sound?.close();
  }

  #hear(from: WorkerKind, report: MediaReport): void {
    switch (report.kind) {
      case 'fact':
        if (Object.hasOwn(this.facts, report.name))
          Object.assign(this.facts, { [report.name]: report.value });
        log.info(report.value, { part: report.name });
        return;
      case 'first-frame':
        void this.#readBack(`${report.width}x${report.height}`).then(this.#shown.resolve);
        return;
      case 'capture-lost':
        if (this.#isOver) return;
        log.warn('the picture source was lost', { cause: report.cause, attempt: report.attempt });
        void this.#findSource(report.attempt);
        return;
      case 'failed':
        this.#fail(`${from}: ${report.reason}`);
        return;
      case 'stopped':
        this.#fail(`the ${from} worker ended by itself`);
        return;
      case 'ready':
        return;
    }
  }

  /** Once pictures flow: which mode the screen really has, said aloud when it is another one. */
  async #readBack(pictureSize: string): Promise<void> {
    const lease = this.#lease;
    try {
      const actual = formatMode(await lease.readBack());
      if (this.#isOver || lease !== this.#lease) return;
      this.facts.outputName = lease.outputName;
      this.facts.actualMode = actual;
      const asked = formatMode(this.#setup.plan.display.mode);
      const isVirtual = this.#setup.plan.display.source === 'virtual';
      if (isVirtual && actual !== asked) log.warn('the screen has another mode', { asked, actual });
      log.debug('the first picture arrived', { mode: actual, picture: pictureSize });
    } catch (error) {
      log.warn('the mode of the screen could not be read back', { cause: messageOf(error) });
    }
  }

  /**
   * Gets the video worker a new source, once a second until it gives up. A search that runs answers
   * later requests too; from the second attempt on the screen itself is made anew.
   */
  async #findSource(firstAttempt: number): Promise<void> {
    if (this.#isSearching) return;
    this.#isSearching = true;
    let said = '';
    for (let attempt = firstAttempt; !this.#isOver; attempt += 1) {
      if (attempt > 1) await Bun.sleep(SOURCE_RETRY_MS);
      try {
        if (!this.#isOver && (await this.#switchSource(attempt > 1))) break;
      } catch (error) {
        const cause = messageOf(error);
        if (cause !== said) log.warn('there is no new picture source yet', { cause });
        said = cause;
      }
    }
    this.#isSearching = false;
  }

  async #switchSource(isRenewal: boolean): Promise<boolean> {
    const lease = await this.#ports.acquireDisplay(isRenewal);
    if (this.#isOver) return false;
    this.#lease = lease;
    this.facts.outputName = lease.outputName;
    this.facts.actualMode = formatMode(lease.mode);
    const video = this.#workers.find((worker) => worker.kind === 'video');
    video?.post({ kind: 'new-source', source: lease.source });
    await this.#input.moveTo(lease);
    if (this.#isOver) this.#input.close();
    return true;
  }

  #fail(reason: string): void {
    if (this.#isOver) return;
    if (!this.#isStarted) {
      this.giveUp(reason);
      return;
    }
    this.#isOver = true;
    this.#ports.onFailed(reason);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
