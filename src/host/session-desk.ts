/**
 * The one place that knows what runs: the app, the session, the device's screen. Starts sessions
 * from plans and decides what the end of one means for app and screen.
 *
 * One stream at a time: a second device replaces the first or is refused, by the owner's rule. A
 * device that comes back always replaces its own stream. Starts happen one after the other; an end
 * reaches a session at any time, also while it is being started.
 */
import { randomUUID } from 'node:crypto';
import { type AppEntry, DESKTOP_APP } from '../library/app-catalogue.ts';
import type { RestoreJournal } from '../platform/journal.ts';
import { logger } from '../platform/log.ts';
import { formatMode } from '../session/mode.ts';
import type { SessionOffer } from '../session/offer.ts';
import type { GameStreamPacketFormat } from '../session/plan.ts';
import {
  type HostCapabilities,
  planSession,
  type SessionPolicy,
  streamingProblem,
} from '../session/plan-session.ts';
import { AppSlot } from './app-slot.ts';
import type { DisplayLeases } from './display-leases.ts';
import type { SpawnWorker } from './media-worker.ts';
import { CONNECT_TIMEOUT_MS, Session, type SessionEnd } from './session.ts';
import { type RunningStream, type StartStream, startStream } from './stream.ts';
import { elapsedFirst, orAborted } from './within.ts';
import type { StreamSetup } from './worker-orders.ts';

const log = logger('session');

/** How long the desk waits for what, in milliseconds. */
export const DESK_WAITS = {
  /** A device waits 15 s for the answer to ANNOUNCE (GameStream §11.1). */
  startMs: 13_500,
  /** A screen that shows nothing for this long does not hold up the app. */
  pictureMs: 2_000,
  /** An app whose preparation takes longer goes on with it while the device already streams. */
  appStartMs: 2_000,
  /** A new stream waits this long for the app before to be gone. */
  appEndMs: 8_000,
  /** At shutdown an app has this long to end by itself, and all there is to it this long. */
  politeAtShutdownMs: 4_000,
  shutdownMs: 9_000,
  /** For each step of the device until it streams. */
  connectMs: CONNECT_TIMEOUT_MS,
} as const;

export type DeskWaits = { readonly [K in keyof typeof DESK_WAITS]: number };

export interface SessionDeskOptions {
  readonly journal: RestoreJournal;
  readonly leases: DisplayLeases;
  readonly spawn: SpawnWorker;
  readonly secondClient: 'replace' | 'refuse';
  readonly policy: SessionPolicy;
  readonly stream: Omit<StreamSetup, 'plan' | 'format'>;
  /** Environment of this process, read for the apps' base. */
  readonly env: Readonly<Record<string, string | undefined>>;
  capabilities(): Promise<HostCapabilities>;
  apps(): readonly AppEntry[];
  /** Whether the device may still be here: it can be unpaired between launch and stream. */
  isPaired(fingerprint: string): boolean;
  /** Tests script it; the default runs real workers. */
  readonly startStream?: StartStream;
  readonly waits?: Partial<DeskWaits>;
}

export type Refusal = { readonly ok: false; readonly status: number; readonly message: string };
export type Granted = { readonly ok: true };
export type StartOutcome = { readonly ok: true; readonly session: Session } | Refusal;

/**
 * What becomes of the device's screen. With the app it is removed once that is gone; a device that
 * may come back finds it where it was for a while.
 */
const SCREEN_AFTER: Record<SessionEnd, 'goes-with-app' | 'goes' | 'lingers'> = {
  quit: 'goes-with-app',
  'app-exited': 'goes-with-app',
  shutdown: 'goes-with-app',
  revoked: 'goes',
  drop: 'lingers',
  'device-left': 'lingers',
  'device-silent': 'lingers',
  'never-connected': 'lingers',
  replaced: 'lingers',
  failed: 'lingers',
};

export class SessionDesk {
  readonly #options: SessionDeskOptions;
  readonly #slot: AppSlot;
  readonly #startStream: StartStream;
  readonly #waits: DeskWaits;
  #session: Session | null = null;
  /** Starts happen one after the other. */
  #queue: Promise<unknown> = Promise.resolve();
  #startCount = 0;
  /** Rises when everything is ended: a start that began before is void. */
  #epoch = 0;
  #isClosed = false;

  constructor(options: SessionDeskOptions) {
    this.#options = options;
    this.#startStream = options.startStream ?? startStream;
    this.#waits = { ...DESK_WAITS, ...options.waits };
    this.#slot = new AppSlot({
      journal: options.journal,
      leases: options.leases,
      env: options.env,
      onExit: (detail) => {
        log.info('the app ended', { detail });
        void this.#endEverything('app-exited', detail);
      },
    });
  }

  /** The session that streams, starts or ends; null when there is none. */
  get session(): Session | null {
    return this.#session;
  }

  /** 0: the host is free. */
  runningAppId(): number {
    return this.#slot.entry?.id ?? 0;
  }

  /** May this device launch `appId`, or resume what runs? Ends nothing yet. */
  admit(fingerprint: string, kind: 'launch' | 'resume', appId: number): Granted | Refusal {
    const entry = this.#slot.entry;
    if (kind === 'resume' && !entry) return refuse(503, 'No app is running to resume');
    if (kind === 'launch' && entry && !this.#hasOnlyReserved(fingerprint)) {
      return refuse(400, `An app is already running on this host: ${entry.title}`);
    }
    if (kind === 'launch' && !this.#find(appId)) return refuse(404, 'This app is not on the host');
    return this.#objection(fingerprint) ?? { ok: true };
  }

  /**
   * Why this machine, as it is now, has no stream to give: said before a device is let in, because
   * one that was let in shows a refusal of ANNOUNCE only as a failed connection.
   */
  async obstacle(kind: 'launch' | 'resume', appId: number): Promise<Refusal | null> {
    const capabilities = await this.#options.capabilities();
    const app = kind === 'resume' ? this.#slot.entry : this.#find(appId);
    const problem = streamingProblem(capabilities, this.#policyOf(app));
    return problem === null ? null : refuse(503, `This host cannot stream: ${problem}`);
  }

  /** The device was let in with `/launch`: the host is busy with this app from now on. */
  reserve(appId: number, fingerprint: string): void {
    this.#slot.reserve(this.#find(appId) ?? DESKTOP_APP, fingerprint);
  }

  /** No launch waits for its stream any more: the host is free unless the app was started. */
  unreserve(): void {
    if (!this.#session && this.#startCount === 0) this.#slot.unreserve();
  }

  /** Starts the session of an accepted offer; what streamed before is ended first. */
  start(
    offer: SessionOffer,
    format: GameStreamPacketFormat,
    launchId: string,
  ): Promise<StartOutcome> {
    this.#startCount += 1;
    if (this.#session?.state === 'starting' && !this.#objection(offer.device.fingerprint)) {
      // The newest wins, so nobody waits for the older one to be up first.
      void this.#session.end('replaced', 'a newer stream takes its place');
    }
    const deadlineMs = performance.now() + this.#waits.startMs;
    const result = this.#queue.then(() => this.#start(offer, format, launchId, deadlineMs));
    this.#queue = result.catch(() => {});
    return result.finally(() => {
      this.#startCount -= 1;
    });
  }

  /** Ends stream and app. The host is free at once; resolves when both are gone. Never rejects. */
  quit(reason: string): Promise<void> {
    return this.#endEverything('quit', reason);
  }

  /** Ends the stream, also one that is being started. Never rejects. */
  async endSession(end: 'drop' | 'revoked', reason: string): Promise<void> {
    await this.#session?.end(end, reason);
  }

  /** The device lost its right to be here: its stream ends. Never rejects. */
  async revoke(fingerprint: string): Promise<void> {
    if (this.#session?.plan.device.fingerprint !== fingerprint) return;
    await this.endSession('revoked', 'the device was unpaired or disabled');
  }

  /** Host shutdown: the device is told, everything is put back, nothing starts any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const ended = this.#endEverything('shutdown', 'the host is shutting down');
    if (await elapsedFirst(this.#waits.shutdownMs, ended)) {
      log.warn('the app does not end; its preparations are undone at the next start');
    }
    await this.#options.leases.releaseAll();
  }

  async #start(
    offer: SessionOffer,
    format: GameStreamPacketFormat,
    launchId: string,
    deadlineMs: number,
  ): Promise<StartOutcome> {
    const epoch = this.#epoch;
    const { fingerprint } = offer.device;
    const early = this.#objection(fingerprint);
    if (early) return early;
    await this.#session?.end('replaced', 'a newer stream takes its place');
    if (await elapsedFirst(this.#waits.appEndMs, this.#slot.settled())) {
      return refuse(503, 'The app before has not ended yet');
    }
    const capabilities = await this.#options.capabilities();
    const app = this.#slot.entry;
    if (!app || epoch !== this.#epoch) return refuse(503, 'No app is running');
    const late = this.#objection(fingerprint);
    if (late) return late;
    const planned = planSession(
      { ...offer, appId: app.id },
      capabilities,
      this.#policyOf(app),
      randomUUID().slice(0, 8),
    );
    if (!planned.ok) return refuse(planned.code === 'codec' ? 400 : 503, planned.reason);
    for (const note of planned.plan.notes) log.info(note, { session: planned.plan.sessionId });
    const session = new Session({
      plan: planned.plan,
      format,
      launchId,
      peerAddress: offer.peerAddress,
      appTitle: app.title,
      connectTimeoutMs: this.#waits.connectMs,
      onEnd: (ended, end, reason) => this.#ended(ended, end, reason),
    });
    return await this.#open(session, deadlineMs);
  }

  /** From here on the session is visible, and whoever ends it cuts the start short. */
  async #open(session: Session, deadlineMs: number): Promise<StartOutcome> {
    this.#session = session;
    const { plan } = session;
    const timer = setTimeout(
      () => void session.end('failed', 'the stream did not start in time'),
      Math.max(0, deadlineMs - performance.now()),
    );
    const problem = await this.#bringUp(session).then(() => null, messageOf);
    clearTimeout(timer);
    session.startIsOver();
    if (problem !== null || session.isOver) {
      const reason = session.isOver ? messageOf(session.signal.reason) : `${problem}`;
      log.warn('a stream was not started', { device: plan.device.name, reason });
      await session.end('failed', reason);
      return refuse(503, reason);
    }
    log.info('session starts', {
      session: session.id,
      device: plan.device.name,
      mode: formatMode(plan.display.mode),
      source: plan.display.source,
      encoder: plan.video.encoder,
      kbps: plan.video.bitrateKbps,
    });
    session.expectDevice();
    return { ok: true, session };
  }

  /** Resolves when the device streams; rejects with the reason when it cannot. */
  async #bringUp(session: Session): Promise<void> {
    const { plan, format, signal } = session;
    const { leases, spawn, journal, stream } = this.#options;
    const { fingerprint } = plan.device;
    await orAborted(this.#slot.moveTo(fingerprint), signal);
    session.stream = await this.#startStream(
      { ...stream, plan, format },
      {
        spawn,
        journal,
        acquireDisplay: (isRenewal) => leases.acquire(fingerprint, plan.display, isRenewal),
        onFailed: (reason) => {
          session.lastWarning = reason;
          void session.end('failed', reason);
        },
      },
      signal,
    );
    signal.throwIfAborted();
    await this.#startApp(session, session.stream);
  }

  /** An app that cannot be started ends the session and gives its place back, also late. */
  async #startApp(session: Session, stream: RunningStream): Promise<void> {
    if (this.#slot.needsScreen) {
      await elapsedFirst(this.#waits.pictureMs, stream.shown, session.signal);
      session.signal.throwIfAborted();
    }
    const starting = this.#slot.start(session.plan, stream.lease).then((result) => {
      if (result.ok || session.isOver) return;
      void this.#slot.end(session.end('failed', result.reason));
    });
    await elapsedFirst(this.#waits.appStartMs, starting, session.signal);
  }

  /** Streaming or starting: both end at once. */
  async #endEverything(end: SessionEnd, reason: string): Promise<void> {
    this.#epoch += 1;
    const streamGone = this.#session?.end(end, reason) ?? Promise.resolve();
    const politeMs = end === 'shutdown' ? this.#waits.politeAtShutdownMs : undefined;
    await this.#slot.end(streamGone, politeMs);
    await streamGone;
  }

  async #ended(session: Session, end: SessionEnd, reason: string): Promise<void> {
    log.info('session ended', { session: session.id, end, reason });
    if (this.#session === session) this.#session = null;
    const { leases } = this.#options;
    const { fingerprint } = session.plan.device;
    const screen = SCREEN_AFTER[end];
    if (screen === 'lingers') leases.linger(fingerprint);
    if (screen === 'goes') await leases.release(fingerprint);
  }

  /** Why this device may not stream now; null when it may. */
  #objection(fingerprint: string): Refusal | null {
    if (this.#isClosed) return refuse(503, 'This host is shutting down');
    if (!this.#options.isPaired(fingerprint)) return refuse(403, 'This device is not paired');
    const current = this.#session;
    const isOther = current !== null && current.plan.device.fingerprint !== fingerprint;
    if (isOther && !current.isOver && this.#options.secondClient === 'refuse') {
      return refuse(503, 'Another device is streaming from this host');
    }
    return null;
  }

  #hasOnlyReserved(fingerprint: string): boolean {
    return !this.#session && this.#startCount === 0 && this.#slot.isReservedBy(fingerprint);
  }

  #policyOf(app: AppEntry | null | undefined): SessionPolicy {
    const { policy } = this.#options;
    return app?.compositor === undefined ? policy : { ...policy, compositor: app.compositor };
  }

  #find(appId: number): AppEntry | undefined {
    return this.#options.apps().find((entry) => entry.id === appId);
  }
}

function refuse(status: number, message: string): Refusal {
  return { ok: false, status, message };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
