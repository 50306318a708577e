/**
 * A peer's goodbye while it is in doubt. ENet does not say who sent it, so it is believed when
 * nothing more is heard of the peer: a living device sends a sealed keep-alive every 100 ms. Pure.
 * Source: GameStream §6.3, §7.2.
 */

/** Silence after which a goodbye is believed. */
export const GOODBYE_DOUBT_MS = 300;
/** What arrives within this time may have been sent before the goodbye and overtaken by it. */
const OVERTAKEN_MS = 50;

export class Goodbye {
  #heardAtMs: number | null = null;
  #wantsAck = false;

  /** When it is believed; infinite without one. */
  get dueAtMs(): number {
    return this.#heardAtMs === null ? Number.POSITIVE_INFINITY : this.#heardAtMs + GOODBYE_DOUBT_MS;
  }

  get wantsAck(): boolean {
    return this.#wantsAck;
  }

  /** Repetitions do not put the decision off. */
  hear(wantsAck: boolean, nowMs: number): void {
    if (this.#heardAtMs !== null) return;
    this.#heardAtMs = nowMs;
    this.#wantsAck = wantsAck;
  }

  /** The peer was heard; true when that shows the goodbye to be forged. */
  contradict(nowMs: number): boolean {
    if (this.#heardAtMs === null || nowMs - this.#heardAtMs < OVERTAKEN_MS) return false;
    this.#heardAtMs = null;
    return true;
  }

  forget(): void {
    this.#heardAtMs = null;
  }
}
