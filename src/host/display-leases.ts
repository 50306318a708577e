/**
 * Who has which screen. A device keeps its screen for a short while after its stream dropped, so a
 * reconnect finds its windows where they were; a deliberate quit removes it at once.
 *
 * What concerns one device happens in the order it was asked for: a release waits for the screen
 * that is still being made, so none is forgotten.
 */
import type { CaptureSource } from '../capture/port.ts';
import type { Injector } from '../inject/port.ts';
import { logger } from '../platform/log.ts';
import { type DisplayMode, formatMode } from '../session/mode.ts';
import type { DisplayPlan } from '../session/plan.ts';
import type { DisplayLease, VirtualDisplayBackend } from '../vdisplay/port.ts';

/** How long a screen outlives its dropped stream. */
export const LINGER_MS = 10_000;

const log = logger('vdisplay');

interface Held {
  readonly identity: string;
  readonly plan: DisplayPlan;
  readonly lease: DisplayLease;
  lingerTimer: ReturnType<typeof setTimeout> | null;
  /** The compositor took it away. */
  isLost: boolean;
}

export class DisplayLeases {
  readonly #backends: ReadonlyMap<string, VirtualDisplayBackend>;
  readonly #lingerMs: number;
  readonly #held = new Map<string, Held>();
  /** What was asked for last, by device. */
  readonly #latest = new Map<string, Promise<unknown>>();

  constructor(backends: readonly VirtualDisplayBackend[], lingerMs = LINGER_MS) {
    this.#backends = new Map(backends.map((backend) => [backend.name, backend]));
    this.#lingerMs = lingerMs;
  }

  /**
   * The device's screen as planned: the one it has when that still fits, else a new one.
   *
   * @param isRenewal the one it has does not deliver pictures and is not taken again
   */
  acquire(identity: string, plan: DisplayPlan, isRenewal = false): Promise<DisplayLease> {
    return this.#inOrder(identity, async () => {
      const held = this.#held.get(identity);
      if (held && !held.isLost && !isRenewal && isSamePlan(held.plan, plan)) {
        this.#cancelLinger(held);
        return held.lease;
      }
      await this.#release(identity);
      const lease = await this.#open(identity, plan);
      const entry: Held = { identity, plan, lease, lingerTimer: null, isLost: false };
      this.#held.set(identity, entry);
      void lease.lost.then((cause) => this.#lost(entry, cause));
      return lease;
    });
  }

  /** Keeps the screen for the linger time, then removes it. */
  linger(identity: string): void {
    void this.#inOrder(identity, async () => {
      const held = this.#held.get(identity);
      if (!held || held.lingerTimer) return;
      const timer = setTimeout(() => {
        // A device that came back meanwhile has stopped this timer.
        void this.#releaseWhile(held, () => held.lingerTimer === timer);
      }, this.#lingerMs);
      held.lingerTimer = timer;
    });
  }

  /** Removes the device's screen now. Never rejects. */
  release(identity: string): Promise<void> {
    return this.#inOrder(identity, () => this.#release(identity));
  }

  /** Removes every screen, also those that are still being made. Never rejects. */
  async releaseAll(): Promise<void> {
    const identities = new Set([...this.#held.keys(), ...this.#latest.keys()]);
    await Promise.all([...identities].map((identity) => this.release(identity)));
  }

  #inOrder<T>(identity: string, work: () => Promise<T>): Promise<T> {
    const before = this.#latest.get(identity) ?? Promise.resolve();
    const result = before.then(work);
    const settled = result.then(
      () => {},
      () => {},
    );
    this.#latest.set(identity, settled);
    void settled.then(() => {
      if (this.#latest.get(identity) === settled) this.#latest.delete(identity);
    });
    return result;
  }

  async #release(identity: string): Promise<void> {
    const held = this.#held.get(identity);
    if (!held) return;
    this.#held.delete(identity);
    this.#cancelLinger(held);
    try {
      await held.lease.release();
    } catch (error) {
      log.warn('a screen could not be removed; it is tried again at the next start', {
        output: held.lease.outputName,
        cause: error instanceof Error ? error.message : String(error),
      });
    }
  }

  #lost(entry: Held, cause: string): void {
    if (this.#held.get(entry.identity) !== entry) return;
    entry.isLost = true;
    log.warn('a screen was taken away', { output: entry.lease.outputName, cause });
    void this.#releaseWhile(entry, () => true);
  }

  #releaseWhile(entry: Held, isWanted: () => boolean): Promise<void> {
    return this.#inOrder(entry.identity, async () => {
      if (this.#held.get(entry.identity) !== entry || !isWanted()) return;
      await this.#release(entry.identity);
    });
  }

  #cancelLinger(held: Held): void {
    if (held.lingerTimer) clearTimeout(held.lingerTimer);
    held.lingerTimer = null;
  }

  async #open(identity: string, plan: DisplayPlan): Promise<DisplayLease> {
    if (plan.backend === 'synthetic') return syntheticLease(plan.mode);
    const backend = this.#backends.get(plan.backend);
    if (!backend) throw new Error(`this build has no display backend ${plan.backend}`);
    return await backend.acquire({
      mode: plan.mode,
      identity,
      kind: plan.source === 'mirror' ? 'mirror' : 'virtual',
      ...(plan.outputName === undefined ? {} : { outputName: plan.outputName }),
    });
  }
}

function isSamePlan(a: DisplayPlan, b: DisplayPlan): boolean {
  return (
    a.backend === b.backend &&
    a.source === b.source &&
    a.outputName === b.outputName &&
    formatMode(a.mode) === formatMode(b.mode)
  );
}

/** The test card's screen: exists nowhere, always has the mode that was asked for. */
function syntheticLease(mode: DisplayMode): DisplayLease {
  const source: CaptureSource = { kind: 'synthetic', mode };
  return {
    backend: 'synthetic',
    outputName: 'test-card',
    mode,
    source,
    readBack: async () => mode,
    openInjector: async () => ignoringInjector(),
    lost: new Promise(() => {}),
    release: async () => {},
  };
}

/** There is no desktop behind the test card, so input has no effect. */
function ignoringInjector(): Injector {
  const ignore = (): void => {};
  return {
    description: 'none (test card)',
    moveRelative: ignore,
    moveAbsolute: ignore,
    button: ignore,
    scroll: ignore,
    key: ignore,
    text: ignore,
    touch: ignore,
    pen: ignore,
    close: ignore,
  };
}
