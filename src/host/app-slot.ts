/**
 * The place of the one app: reserved by a launch, started with its first stream, ended by a quit or
 * its own exit. It lives on the screen of one device and moves with the stream.
 */
import type { AppEntry } from '../library/app-catalogue.ts';
import { appEnvironment } from '../library/app-environment.ts';
import { RunningApp, type StartResult } from '../library/app-runner.ts';
import type { RestoreJournal } from '../platform/journal.ts';
import type { SessionPlan } from '../session/plan.ts';
import type { DisplayLease } from '../vdisplay/port.ts';
import type { DisplayLeases } from './display-leases.ts';

export interface AppSlotOptions {
  readonly journal: RestoreJournal;
  readonly leases: Pick<DisplayLeases, 'release'>;
  /** Environment of this process, read for the apps' base. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The app ended by itself. */
  readonly onExit: (detail: string) => void;
}

interface Occupant {
  readonly entry: AppEntry;
  running: RunningApp | null;
  /** Device whose screen the app is on. */
  screenOf: string;
}

export class AppSlot {
  readonly #options: AppSlotOptions;
  #occupant: Occupant | null = null;
  #ending: Promise<void> = Promise.resolve();

  constructor(options: AppSlotOptions) {
    this.#options = options;
  }

  /** The app that is reserved or runs; null: the host is free. */
  get entry(): AppEntry | null {
    return this.#occupant?.entry ?? null;
  }

  /** Reserved by a launch and not started yet. */
  isReservedBy(fingerprint: string): boolean {
    return this.#occupant?.running === null && this.#occupant.screenOf === fingerprint;
  }

  /** Takes a free place, or one that the same device has only reserved. */
  reserve(entry: AppEntry, fingerprint: string): void {
    if (this.#occupant && !this.isReservedBy(fingerprint)) return;
    this.#occupant = { entry, running: null, screenOf: fingerprint };
  }

  /** Frees a place that is only reserved. */
  unreserve(): void {
    if (this.#occupant?.running === null) this.#occupant = null;
  }

  /** The app moves with the stream: the screen of the device before is removed. */
  async moveTo(fingerprint: string): Promise<void> {
    const occupant = this.#occupant;
    if (!occupant || occupant.screenOf === fingerprint) return;
    const before = occupant.screenOf;
    occupant.screenOf = fingerprint;
    await this.#options.leases.release(before);
  }

  /** The app is about to show something: it needs a screen that is there. */
  get needsScreen(): boolean {
    const { entry, running } = this.#occupant ?? {};
    if (!entry || running) return false;
    return entry.command !== undefined || entry.detached.length + entry.prep.length > 0;
  }

  /** Starts the app unless it runs. Never rejects. */
  start(plan: SessionPlan, lease: DisplayLease): Promise<StartResult> {
    const occupant = this.#occupant;
    if (!occupant) return Promise.resolve({ ok: false, reason: 'the app was ended' });
    if (!occupant.running) {
      const { env, journal, onExit } = this.#options;
      const { entry } = occupant;
      const desktop = lease.environment ?? {};
      const environment = appEnvironment(entry, plan, lease.outputName, env, desktop);
      occupant.running = new RunningApp(entry, environment, journal, onExit);
    }
    return occupant.running.start();
  }

  /**
   * Ends the app, then removes its screen. The place is free at once; resolves when both are gone.
   *
   * @param streamGone the screen is not removed under a stream that still ends
   * @param politeMsMax upper bound of the time the app has to end by itself
   */
  end(streamGone: Promise<void>, politeMsMax?: number): Promise<void> {
    const occupant = this.#occupant;
    this.#occupant = null;
    if (occupant) {
      const before = this.#ending;
      const ended = occupant.running?.end(politeMsMax);
      this.#ending = (async () => {
        await Promise.all([before, ended, streamGone]);
        await this.#options.leases.release(occupant.screenOf);
      })();
    }
    return this.#ending;
  }

  /** Resolves when no app is on its way out. */
  settled(): Promise<void> {
    return this.#ending;
  }
}
