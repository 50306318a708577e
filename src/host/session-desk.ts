/**
 * The one place that knows what runs: the app, the session, the device's screen. Starts sessions
 * from plans and decides what the end of one means for app and screen.
 *
 * One stream at a time: a second device replaces the first or is refused, by the owner's rule. A
 * device that comes back always replaces its own stream.
 */
import { randomUUID } from 'node:crypto';
import { type AppEntry, DESKTOP_APP } from '../library/app-catalogue.ts';
import { appEnvironment } from '../library/app-environment.ts';
import { RunningApp } from '../library/app-runner.ts';
import type { RestoreJournal } from '../platform/journal.ts';
import { logger } from '../platform/log.ts';
import type { SessionOffer } from '../session/offer.ts';
import type { GameStreamPacketFormat, SessionPlan } from '../session/plan.ts';
import { type HostCapabilities, planSession, type SessionPolicy } from '../session/plan-session.ts';
import type { DisplayLease } from '../vdisplay/port.ts';
import type { DisplayLeases } from './display-leases.ts';
import type { SpawnWorker } from './media-worker.ts';
import { Session, type SessionEnd } from './session.ts';
import { Stream } from './stream.ts';

const log = logger('session');

export interface SessionDeskOptions {
  readonly journal: RestoreJournal;
  readonly leases: DisplayLeases;
  readonly spawn: SpawnWorker;
  readonly secondClient: 'replace' | 'refuse';
  readonly policy: SessionPolicy;
  readonly stream: {
    readonly vbvFrames: number;
    readonly testDropPct: number;
    readonly segmentationOffload: boolean;
    readonly videoSocketFd: number;
    readonly audioSocketFd: number;
    readonly runtimeDir: string | null;
  };
  /** Environment of this process, read for the apps' base. */
  readonly env: Readonly<Record<string, string | undefined>>;
  capabilities(): Promise<HostCapabilities>;
  apps(): readonly AppEntry[];
}

export type Refusal = { readonly ok: false; readonly status: number; readonly message: string };
export type Granted = { readonly ok: true };

/** What an end means: whether the app goes on and the screen waits for the device. */
const END_KEEPS_APP: Record<SessionEnd, boolean> = {
  quit: false,
  'app-exited': false,
  shutdown: false,
  drop: true,
  'device-left': true,
  'device-silent': true,
  'never-connected': true,
  replaced: true,
  revoked: true,
  failed: true,
};

interface CurrentApp {
  readonly entry: AppEntry;
  running: RunningApp | null;
  /** Device whose screen the app was started on. */
  screenOf: string;
}

export class SessionDesk {
  readonly #options: SessionDeskOptions;
  #app: CurrentApp | null = null;
  #session: Session | null = null;
  /** Ends and starts happen one after the other. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: SessionDeskOptions) {
    this.#options = options;
  }

  get session(): Session | null {
    return this.#session;
  }

  runningAppId(): number {
    return this.#app?.entry.id ?? 0;
  }

  /** May this device launch `appId` (0: resume what runs)? Ends nothing yet. */
  admit(fingerprint: string, kind: 'launch' | 'resume', appId: number): Granted | Refusal {
    if (kind === 'resume' && !this.#app) return refuse(503, 'No app is running to resume');
    if (kind === 'launch' && this.#app) {
      return refuse(400, `An app is already running on this host: ${this.#app.entry.title}`);
    }
    if (kind === 'launch' && !this.#find(appId)) return refuse(404, 'This app is not on the host');
    const isOther = this.#session !== null && this.#session.plan.device.fingerprint !== fingerprint;
    if (isOther && this.#options.secondClient === 'refuse') {
      return refuse(503, 'Another device is streaming from this host');
    }
    return { ok: true };
  }

  /** The device was let in with `/launch`: the host is busy with this app from now on. */
  reserve(appId: number, fingerprint: string): void {
    const entry = this.#find(appId) ?? DESKTOP_APP;
    this.#app ??= { entry, running: null, screenOf: fingerprint };
  }

  /** A launch was never followed by a stream: the host is free again unless the app runs. */
  unreserve(): void {
    if (this.#app && !this.#app.running && !this.#session) this.#app = null;
  }

  /** Starts the session of an accepted offer; what streamed before is ended first. */
  start(
    offer: SessionOffer,
    format: GameStreamPacketFormat,
    launchId: string,
  ): Promise<{ ok: true; session: Session } | Refusal> {
    return this.#serially(() => this.#start(offer, format, launchId));
  }

  /** Ends stream and app; free when it resolves. */
  async quit(reason: string): Promise<void> {
    await this.#endEverything('quit', reason);
  }

  async endSession(end: SessionEnd, reason: string): Promise<void> {
    await this.#session?.end(end, reason);
  }

  /** Host shutdown: the device is told, everything is put back. */
  async close(): Promise<void> {
    await this.#endEverything('shutdown', 'the host is shutting down');
    await this.#options.leases.releaseAll();
  }

  async #start(
    offer: SessionOffer,
    format: GameStreamPacketFormat,
    launchId: string,
  ): Promise<{ ok: true; session: Session } | Refusal> {
    await this.#session?.end('replaced', 'a newer stream takes its place');
    const app = this.#app;
    if (!app) return refuse(503, 'No app is running');
    const policy =
      app.entry.compositor === undefined
        ? this.#options.policy
        : { ...this.#options.policy, compositor: app.entry.compositor };
    const planned = planSession(
      { ...offer, appId: app.entry.id },
      await this.#options.capabilities(),
      policy,
      randomUUID().slice(0, 8),
    );
    if (!planned.ok) return refuse(planned.code === 'codec' ? 400 : 503, planned.reason);
    const { plan } = planned;
    for (const note of plan.notes) log.info(note, { session: plan.sessionId });
    return await this.#open(plan, format, offer.peerAddress, launchId, app);
  }

  async #open(
    plan: SessionPlan,
    format: GameStreamPacketFormat,
    peerAddress: string,
    launchId: string,
    app: CurrentApp,
  ): Promise<{ ok: true; session: Session } | Refusal> {
    const session = new Session({
      plan,
      format,
      launchId,
      peerAddress,
      appTitle: app.entry.title,
      onEnd: (ended, end, reason) => this.#ended(ended, end, reason),
    });
    const { leases, spawn, journal } = this.#options;
    try {
      await this.#keepOneScreen(plan.device.fingerprint, app);
      session.stream = await Stream.start(
        { ...this.#options.stream, plan, format },
        {
          spawn,
          journal,
          acquireDisplay: () => leases.acquire(plan.device.fingerprint, plan.display),
          onFailed: (reason) => {
            session.lastWarning = reason;
            void session.end('failed', reason);
          },
        },
      );
      const lease = await leases.acquire(plan.device.fingerprint, plan.display);
      const started = await this.#startApp(app, plan, lease);
      if (!started.ok) {
        await session.stream.stop();
        await this.#endApp();
        return started;
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.error('a stream could not be started', { device: plan.device.name, reason });
      if (!app.running) await this.#endApp();
      return refuse(503, reason);
    }
    this.#session = session;
    log.info('session starts', {
      session: session.id,
      device: plan.device.name,
      mode: `${plan.display.mode.width}x${plan.display.mode.height}`,
      source: plan.display.source,
      encoder: plan.video.encoder,
      kbps: plan.video.bitrateKbps,
    });
    return { ok: true, session };
  }

  /** The app moves with the stream: the screen of the device before is removed. */
  async #keepOneScreen(fingerprint: string, app: CurrentApp): Promise<void> {
    if (app.screenOf === fingerprint) return;
    await this.#options.leases.release(app.screenOf);
    app.screenOf = fingerprint;
  }

  async #startApp(
    app: CurrentApp,
    plan: SessionPlan,
    lease: DisplayLease,
  ): Promise<Granted | Refusal> {
    if (app.running) return { ok: true };
    const environment = appEnvironment(
      app.entry,
      plan,
      lease.outputName,
      this.#options.env,
      lease.environment ?? {},
    );
    const running = new RunningApp(app.entry, environment, this.#options.journal, (detail) => {
      log.info('the app ended', { detail });
      void this.#endEverything('app-exited', detail);
    });
    const result = await running.start();
    if (!result.ok) return refuse(503, result.reason);
    app.running = running;
    return { ok: true };
  }

  /** The running session at once; one that is being started, as soon as it is. */
  async #endEverything(end: SessionEnd, reason: string): Promise<void> {
    await this.#session?.end(end, reason);
    await this.#serially(async () => {
      await this.#session?.end(end, reason);
      await this.#endApp();
    });
  }

  async #ended(session: Session, end: SessionEnd, reason: string): Promise<void> {
    if (this.#session === session) this.#session = null;
    log.info('session ended', { session: session.id, end, reason });
    const identity = session.plan.device.fingerprint;
    if (!END_KEEPS_APP[end]) {
      await this.#endApp();
      await this.#options.leases.release(identity);
    } else if (end !== 'replaced') {
      this.#options.leases.linger(identity);
    }
  }

  async #endApp(): Promise<void> {
    const app = this.#app;
    this.#app = null;
    if (!app) return;
    await app.running?.end();
    await this.#options.leases.release(app.screenOf);
  }

  #find(appId: number): AppEntry | undefined {
    return this.#options.apps().find((entry) => entry.id === appId);
  }

  #serially<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work, work);
    this.#queue = result.catch(() => {});
    return result;
  }
}

function refuse(status: number, message: string): Refusal {
  return { ok: false, status, message };
}
