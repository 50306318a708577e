/**
 * One running stream: its workers, its shared words, its screen and sound. Carries out a plan and
 * reports what became of it; decides nothing.
 */
import type { AudioSource } from '../audio/port.ts';
import { currentDefaultSink, VirtualSink } from '../audio/virtual-sink.ts';
import { InputDispatcher } from '../inject/dispatch.ts';
import type { InputEvent } from '../inject/dispatch-events.ts';
import type { Injector } from '../inject/port.ts';
import { maxAccessUnitBytes } from '../packet/gamestream-video.ts';
import type { WorkerOrder } from '../pipeline/messages.ts';
import { StreamControl } from '../pipeline/stream-control.ts';
import { createStreamMemory } from '../pipeline/stream-memory.ts';
import type { RestoreJournal } from '../platform/journal.ts';
import { logger } from '../platform/log.ts';
import { formatMode } from '../session/mode.ts';
import type { PacketFormat, SessionPlan } from '../session/plan.ts';
import type { DisplayLease } from '../vdisplay/port.ts';
import { type MediaReport, MediaWorker, type SpawnWorker } from './media-worker.ts';

const log = logger('stream');
const WATCH_INTERVAL_MS = 1_000;
/** Watch turns without a heartbeat after which a worker counts as stalled. */
const STALLED_TURNS = 10;

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

export interface StreamPorts {
  readonly spawn: SpawnWorker;
  readonly journal: RestoreJournal;
  /** The screen; asked again after capture loss. */
  acquireDisplay(): Promise<DisplayLease>;
  /** The stream cannot go on. Fires at most once, never after `stop`. */
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

export class Stream {
  readonly control = new StreamControl();
  readonly facts: StreamFacts;
  readonly #setup: StreamSetup;
  readonly #ports: StreamPorts;
  readonly #workers: MediaWorker[] = [];
  #injector: Injector | null = null;
  #input: InputDispatcher | null = null;
  #lease: DisplayLease | null = null;
  #sink: VirtualSink | null = null;
  #watch: ReturnType<typeof setInterval> | null = null;
  readonly #beats = { video: -1, packet: -1, audio: -1 };
  readonly #stalledTurns = { video: 0, packet: 0, audio: 0 };
  #isOver = false;

  /** Resolves when every worker is at work; throws the reason when one cannot be. */
  static async start(setup: StreamSetup, ports: StreamPorts): Promise<Stream> {
    const stream = new Stream(setup, ports);
    try {
      await stream.#start();
      return stream;
    } catch (error) {
      await stream.stop();
      throw error;
    }
  }

  private constructor(setup: StreamSetup, ports: StreamPorts) {
    this.#setup = setup;
    this.#ports = ports;
    this.facts = {
      capture: null,
      encoder: null,
      sender: null,
      audio: null,
      load: null,
      outputName: '',
      actualMode: '',
    };
  }

  /** What the device's user did; without effect while there is no screen. */
  input(event: InputEvent): void {
    this.#input?.handle(event);
  }

  /** Stops the workers, then gives back what they used. Idempotent. */
  async stop(): Promise<void> {
    this.#isOver = true;
    if (this.#watch) clearInterval(this.#watch);
    this.control.set('stop', 1);
    this.#closeInput();
    await Promise.all(this.#workers.splice(0).map((worker) => worker.stop()));
    try {
      this.#sink?.close();
    } catch (error) {
      log.warn('the default sound output could not be put back', { cause: messageOf(error) });
    }
    this.#sink = null;
  }

  async #start(): Promise<void> {
    const { plan, format, vbvFrames } = this.#setup;
    const lease = await this.#ports.acquireDisplay();
    this.#adopt(lease);
    const { memory, ring } = createStreamMemory(format);
    const { refreshNum, refreshDen } = plan.video.mode;
    const control = this.control.buffer;
    this.#spawn({
      kind: 'start-video',
      control,
      ring,
      source: lease.source,
      plan: plan.video,
      vbvFrames,
      maxAccessUnitBytes: maxAccessUnitBytes(format),
    });
    this.#spawn({
      kind: 'start-packets',
      control,
      memory,
      ring,
      format,
      socketFd: this.#setup.videoSocketFd,
      fpsNum: refreshNum,
      fpsDen: refreshDen,
      testDropPct: this.#setup.testDropPct,
      segmentationOffload: this.#setup.segmentationOffload,
    });
    this.#spawn({
      kind: 'start-audio',
      control,
      source: this.#openSound(),
      plan: plan.audio,
      format,
      socketFd: this.#setup.audioSocketFd,
    });
    await this.#openInputOf(lease);
    await Promise.all(this.#workers.map((worker) => worker.ready));
    this.#watch = setInterval(() => this.#checkHeartbeats(), WATCH_INTERVAL_MS);
  }

  #adopt(lease: DisplayLease): void {
    this.#lease = lease;
    this.facts.outputName = lease.outputName;
    this.facts.actualMode = formatMode(lease.mode);
  }

  /** Once pictures flow: which mode the screen really has, said aloud when it is another one. */
  async #readBack(pictureSize: string): Promise<void> {
    const lease = this.#lease;
    try {
      const actual = formatMode((await lease?.readBack()) ?? this.#setup.plan.display.mode);
      if (this.#isOver || lease !== this.#lease) return;
      this.facts.outputName = lease?.outputName ?? '';
      this.facts.actualMode = actual;
      const asked = formatMode(this.#setup.plan.display.mode);
      const isVirtual = this.#setup.plan.display.source === 'virtual';
      if (isVirtual && actual !== asked) log.warn('the screen has another mode', { asked, actual });
      log.debug('the first picture arrived', { mode: actual, picture: pictureSize });
    } catch (error) {
      log.warn('the mode of the screen could not be read back', { cause: messageOf(error) });
    }
  }

  /** A screen without input is still worth streaming; the reason is logged. */
  async #openInputOf(lease: DisplayLease): Promise<void> {
    try {
      const injector = await lease.openInjector();
      if (this.#isOver) {
        injector.close();
        return;
      }
      this.#injector = injector;
      this.#input = new InputDispatcher(injector);
      log.info(injector.description, { part: 'input' });
    } catch (error) {
      log.warn('keyboard and pointer cannot be passed on', { cause: messageOf(error) });
    }
  }

  /** Lets go of every key, button and contact before the injector goes. */
  #closeInput(): void {
    this.#input?.releaseAll();
    this.#input = null;
    this.#injector?.close();
    this.#injector = null;
  }

  #spawn(order: WorkerOrder): void {
    this.#workers.push(
      new MediaWorker(this.#ports.spawn, order, (report) => this.#hear(order.kind, report)),
    );
  }

  #hear(from: string, report: MediaReport): void {
    switch (report.kind) {
      case 'fact':
        if (report.name in this.facts) Object.assign(this.facts, { [report.name]: report.value });
        log.info(report.value, { part: report.name });
        return;
      case 'first-frame':
        void this.#readBack(`${report.width}x${report.height}`);
        return;
      case 'capture-lost':
        log.warn('the picture source was lost', { cause: report.cause, attempt: report.attempt });
        void this.#replaceSource();
        return;
      case 'failed':
        this.#fail(`${from.replace('start-', '')}: ${report.reason}`);
        return;
      case 'stopped':
        if (!this.#isOver) this.#fail(`the ${from.replace('start-', '')} worker ended by itself`);
        return;
      case 'ready':
        return;
    }
  }

  async #replaceSource(): Promise<void> {
    const video = this.#workers.find((worker) => worker.kind === 'video');
    try {
      const lease = await this.#ports.acquireDisplay();
      if (this.#isOver) return;
      this.#adopt(lease);
      this.#closeInput();
      video?.post({ kind: 'new-source', source: lease.source });
      await this.#openInputOf(lease);
    } catch (error) {
      log.warn('no new picture source yet', { cause: messageOf(error) });
    }
  }

  /** Sound of the desktop, or silence with the reason in the facts. */
  #openSound(): AudioSource {
    const { plan, runtimeDir } = this.#setup;
    const { channels, playOnHost, source } = plan.audio;
    if (source !== 'pipewire' || runtimeDir === null) return { kind: 'silence' };
    try {
      const played = playOnHost ? currentDefaultSink(runtimeDir) : null;
      if (played !== null) return { kind: 'pipewire', runtimeDir, sinkName: played, channels };
      this.#sink = VirtualSink.open({
        runtimeDir,
        nodeName: `punktfunk-${process.pid}-${channels}`,
        channels,
        journal: this.#ports.journal,
        onLost: (cause) => log.warn('the sound system went away', { cause }),
      });
      return { kind: 'pipewire', runtimeDir, sinkName: this.#sink.nodeName, channels };
    } catch (error) {
      this.facts.audio = `silence: ${messageOf(error)}`;
      log.warn('sound is not streamed', { cause: messageOf(error) });
      return { kind: 'silence' };
    }
  }

  #checkHeartbeats(): void {
    for (const part of ['video', 'packet', 'audio'] as const) {
      const beat = this.control.get(`${part}Heartbeat`);
      this.#stalledTurns[part] = beat === this.#beats[part] ? this.#stalledTurns[part] + 1 : 0;
      this.#beats[part] = beat;
      if (this.#stalledTurns[part] >= STALLED_TURNS) {
        this.#fail(`the ${part} worker has not moved for ${STALLED_TURNS} s`);
      }
    }
  }

  #fail(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#ports.onFailed(reason);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
