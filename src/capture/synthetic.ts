/**
 * Capture backend `synthetic`: a test card at the mode's size and rate. What a machine without a
 * desktop streams, and what tests read frame by frame.
 */
import { monotonicNs, sleepUntilNs } from '../../ffi/libc-time.ts';
import { formatMode, refreshHz } from '../session/mode.ts';
import type { CaptureResult, Capturer, CaptureSource } from './port.ts';
import { TestCard } from './test-card.ts';

const NS_PER_MS = 1e6;

/** Time as the capturer needs it; tests pass their own. */
export interface CardClock {
  /** CLOCK_MONOTONIC. */
  nowNs(): number;
  sleepUntilNs(deadlineNs: number): void;
  /** Milliseconds since the epoch, for the clock on the card. */
  wallMs(): number;
}

const SYSTEM_CLOCK: CardClock = { nowNs: monotonicNs, sleepUntilNs, wallMs: () => Date.now() };

export class SyntheticCapturer implements Capturer {
  readonly description: string;
  readonly #card: TestCard;
  readonly #clock: CardClock;
  readonly #intervalNs: number;
  #startNs: number;
  /** Refresh ticks since `#startNs`; the next picture is due at tick `#tick`. */
  #tick = 0;
  #frameNumber = 0;

  constructor(
    source: Extract<CaptureSource, { kind: 'synthetic' }>,
    clock: CardClock = SYSTEM_CLOCK,
  ) {
    const { mode } = source;
    this.description = `synthetic test card ${formatMode(mode)}`;
    this.#card = new TestCard(mode.width, mode.height);
    this.#clock = clock;
    this.#intervalNs = 1e9 / refreshHz(mode);
    this.#startNs = clock.nowNs();
  }

  /** Waits for the next refresh; `none` when it lies behind the timeout. Pictures count from 1. */
  next(timeoutMs: number): CaptureResult {
    const dueNs = this.#startNs + this.#tick * this.#intervalNs;
    const nowNs = this.#clock.nowNs();
    const limitNs = nowNs + timeoutMs * NS_PER_MS;
    if (dueNs > limitNs) {
      this.#clock.sleepUntilNs(limitNs);
      return { kind: 'none' };
    }
    if (dueNs > nowNs) this.#clock.sleepUntilNs(dueNs);
    const captureNs = this.#clock.nowNs();
    this.#tick += 1;
    if (captureNs - dueNs > this.#intervalNs) {
      // Too late by a refresh or more: start counting anew instead of catching up.
      this.#startNs = captureNs;
      this.#tick = 1;
    }
    this.#frameNumber += 1;
    this.#card.draw(this.#frameNumber, this.#clock.wallMs());
    const { width, height, strideBytes, data } = this.#card;
    return {
      kind: 'frame',
      frame: { kind: 'memory', format: 'BGRx', width, height, data, strideBytes, captureNs },
    };
  }

  close(): void {
    // Nothing outside this object is held.
  }
}
