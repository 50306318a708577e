/**
 * One streaming relation with one device: the stream, the control link and the input on the way
 * back. Ends once, for one reason; what that reason means for app and screen is decided by the host.
 */
import { TERMINATION } from '../gamestream/control/feedback.ts';
import type { GameStreamPacketFormat, SessionPlan } from '../session/plan.ts';
import type { Stream } from './stream.ts';

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

/** From PLAY to the device's control connection and first video ping. */
const CONNECT_TIMEOUT_MS = 10_000;

export interface SessionOptions {
  readonly plan: SessionPlan;
  readonly format: GameStreamPacketFormat;
  readonly launchId: string;
  readonly peerAddress: string;
  readonly appTitle: string;
  readonly onEnd: (session: Session, end: SessionEnd, reason: string) => Promise<void>;
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
  stream: Stream | null = null;
  link: ControlLink | null = null;
  readonly #onEnd: SessionOptions['onEnd'];
  #connectTimer: ReturnType<typeof setTimeout> | null = null;
  #ending: Promise<void> | null = null;

  constructor(options: SessionOptions) {
    this.plan = options.plan;
    this.format = options.format;
    this.launchId = options.launchId;
    this.peerAddress = options.peerAddress;
    this.appTitle = options.appTitle;
    this.#onEnd = options.onEnd;
  }

  get id(): string {
    return this.plan.sessionId;
  }

  /** The device sent PLAY: it has ten seconds to open the control connection. */
  expectDevice(): void {
    if (this.#connectTimer || this.state !== 'starting') return;
    this.#connectTimer = setTimeout(() => {
      void this.end('never-connected', 'the device did not open the control connection');
    }, CONNECT_TIMEOUT_MS);
  }

  /** How the device is reached and forgotten; set before it may connect. */
  setLink(link: ControlLink): void {
    this.link = link;
  }

  /** The device opened the control connection. */
  connected(): void {
    if (this.#connectTimer) clearTimeout(this.#connectTimer);
    this.#connectTimer = null;
    if (this.state === 'starting') this.state = 'streaming';
  }

  /** Ends the session; later calls wait for the first one's work. */
  end(end: SessionEnd, reason: string): Promise<void> {
    this.#ending ??= this.#finish(end, reason);
    return this.#ending;
  }

  async #finish(end: SessionEnd, reason: string): Promise<void> {
    this.state = 'ending';
    if (this.#connectTimer) clearTimeout(this.#connectTimer);
    // The picture stops at once; the device is told while the workers wind down.
    this.stream?.control.set('stop', 1);
    const isReachable = end !== 'device-left' && end !== 'device-silent';
    const code = end === 'failed' ? TERMINATION.frameConversion : TERMINATION.graceful;
    const told = isReachable ? this.link?.terminate(code) : undefined;
    await Promise.all([told, this.stream?.stop()]);
    this.link?.forget();
    await this.#onEnd(this, end, reason);
  }
}
