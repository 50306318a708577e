/**
 * Keeps rumble below 100 messages per second and pad: a burst is merged to its latest value, and
 * the last value always goes out, so that a motor never keeps running. Pure.
 * Source: GameStream §7.3 (the client's queue holds 30 entries).
 */
import { PADS_MAX } from '../input/pad-packets.ts';
import { encodeRumble } from './feedback.ts';
import type { ControlMessage } from './seal.ts';

const RUMBLE_INTERVAL_MS = 10;

interface PadRumble {
  sentAtMs: number;
  lowMotor: number;
  highMotor: number;
  isPending: boolean;
}

export class RumbleLimiter {
  readonly #pads: PadRumble[] = Array.from({ length: PADS_MAX }, () => ({
    sentAtMs: Number.NEGATIVE_INFINITY,
    lowMotor: 0,
    highMotor: 0,
    isPending: false,
  }));

  /** Sets what the pad shall do; false when there is no such pad number. */
  set(pad: number, lowMotor: number, highMotor: number): boolean {
    const rumble = this.#pads[pad];
    if (!rumble) return false;
    rumble.lowMotor = lowMotor;
    rumble.highMotor = highMotor;
    rumble.isPending = true;
    return true;
  }

  /** Messages that may be sent now. */
  takeDue(nowMs: number): readonly ControlMessage[] {
    const due: ControlMessage[] = [];
    for (const [pad, rumble] of this.#pads.entries()) {
      if (!rumble.isPending || nowMs - rumble.sentAtMs < RUMBLE_INTERVAL_MS) continue;
      rumble.isPending = false;
      rumble.sentAtMs = nowMs;
      due.push(encodeRumble(pad, rumble.lowMotor, rumble.highMotor));
    }
    return due;
  }

  nextWakeMs(): number {
    let wakeMs = Number.POSITIVE_INFINITY;
    for (const rumble of this.#pads) {
      if (rumble.isPending) wakeMs = Math.min(wakeMs, rumble.sentAtMs + RUMBLE_INTERVAL_MS);
    }
    return wakeMs;
  }
}
