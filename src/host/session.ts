/**
 * One streaming relation with one device, from its accepted plan on: the stream, the control link and
 * the input on the way back. Ends once, for one reason; what that reason means for app and screen is
 * decided by the host.
 */
import { TERMINATION } from '../gamestream/control/feedback.ts';
import { logger } from '../platform/log.ts';
import type { GameStreamPacketFormat, SessionPlan } from '../session/plan.ts';
import type { RunningStream } from './stream.ts';

const log = logger('session');

/**
 * Why a session ends. `quit` and `app-exited` end the app too, `drop` keeps app and screen for a
 * reconnect.
 */
export type SessionEnd =
  | 'quit'
  | 'drop'
  | 'device-left'
  | 'device-silent'
  | 'never-connected'
  | 'replaced'
  | 'revoked'
  | 'app-exited'
  | 'failed'
  | 'shutdown';

/** The device's control connection, as the session uses it. */
export interface ControlLink {
  /** Tells the device why, waits at most half a second for its acknowledgement, disconnects. */
  terminate(code: number): Promise<void>;
  rttMs(): number | null;
  /** Nothing of this device is heard any more. */
  forget(): void;
}

/**
 * Longest silence of a device in each step: from the answer to ANNOUNCE to PLAY, from there to its
 * control connection, from there to its first video ping (GameStream §11.2).
 */
export const CONNECT_TIMEOUT_MS = 10_000;

export interface SessionOptions {
  readonly plan: SessionPlan;
  readonly format: GameStreamPacketFormat;
  readonly launchId: string;
  readonly peerAddress: string;
  readonly appTitle: string;
  readonly onEnd: (session: Session, end: SessionEnd, reason: string) => Promise<void>;
  readonly connectTimeoutMs?: number;
}

export class Session {
  readonly plan: SessionPlan;
  readonly format: GameStreamPacketFormat;
  readonly launchId: string;
  readonly peerAddress: string;
  readonly appTitle: string;
  readonly startedAtMs = performance.now();
  state: 'starting' | 'streaming' | 'ending' = 'starting';
  lastWarning: string | null = null;
  /** Video packets the device reported missing; null before its first report. */
  lostPackets: number | null = null;
  /** Null until every worker is at work. */
  stream: RunningStream | null = null;
  link: ControlLink | null = null;
  readonly #onEnd: SessionOptions['onEnd'];
  readonly #connectTimeoutMs: number;
  readonly #abort = new AbortController();
  readonly #startOver = Promise.withResolvers<void>();
  #connectTimer: ReturnType<typeof setTimeout> | null = null;
  #ending: Promise<void> | null = null;

  constructor(options: SessionOptions) {
    this.plan = options.plan;
    this.format = options.format;
    this.launchId = options.launchId;
    this.peerAddress = options.peerAddress;
    this.appTitle = options.appTitle;
    this.#onEnd = options.onEnd;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
  }

  get id(): string {
    return this.plan.sessionId;
  }

  /** Nothing may be begun for it any more. */
  get isOver(): boolean {
    return this.state === 'ending';
  }

  /** Fires with the reason when the session ends; cuts its start short. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Whoever starts the session is done with it, well or not; an end may take it apart now. */
  startIsOver(): void {
    this.#startOver.resolve();
  }

  /** The device's next step is due: it has ten seconds. */
  expectDevice(): void {
    if (this.state !== 'starting') return;
    this.#await('the device did not open the control connection');
  }

  /** How the device is reached and forgotten; set before it may connect. */
  setLink(link: ControlLink): void {
    this.link = link;
    if (this.isOver) link.forget();
  }

  /** The device opened the control connection. */
  connected(): void {
    if (this.state !== 'starting') return;
    this.state = 'streaming';
    this.#await('the device did not ask for video');
  }

  /** Ends the session; later calls wait for the first one's work. Never rejects. */
  end(end: SessionEnd, reason: string): Promise<void> {
    this.#ending ??= this.#finish(end, reason);
    return this.#ending;
  }

  #await(problem: string): void {
    if (this.#connectTimer) clearTimeout(this.#connectTimer);
    this.#connectTimer = setTimeout(() => {
      const hasPinged = (this.stream?.control.get('videoAddressVersion') ?? 0) !== 0;
      if (this.state === 'streaming' && hasPinged) return;
      void this.end('never-connected', problem);
    }, this.#connectTimeoutMs);
  }

  async #finish(end: SessionEnd, reason: string): Promise<void> {
    this.state = 'ending';
    if (this.#connectTimer) clearTimeout(this.#connectTimer);
    // The picture stops at once; the device is told while the workers wind down.
    this.stream?.control.set('stop', 1);
    this.#abort.abort(new Error(reason));
    await this.#startOver.promise;
    const isReachable = end !== 'device-left' && end !== 'device-silent';
    const code = end === 'failed' ? TERMINATION.frameConversion : TERMINATION.graceful;
    const told = isReachable ? this.link?.terminate(code) : undefined;
    const outcomes = await Promise.allSettled([told, this.stream?.stop()]);
    try {
      this.link?.forget();
      await this.#onEnd(this, end, reason);
    } catch (error) {
      outcomes.push({ status: 'rejected', reason: error });
    }
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') {
        log.error('a session did not end cleanly', { cause: String(outcome.reason) });
      }
    }
  }
}
