/**
 * The pads of one device: which slots are filled, with what, in which state. Turns the packets of
 * the wire into plain "appeared, changed, gone" for a gamepad backend, and knows what feedback a
 * pad may be sent. Pure. Source: GameStream §8.
 */
import type { PadCapabilities, PadEvent, PadKind, PadState } from '../../inject/dispatch-events.ts';
import { PADS_MAX } from './pad-packets.ts';

export interface PadDescription {
  readonly padKind: PadKind;
  readonly capabilities: PadCapabilities;
  readonly supportedButtons: number;
}

export type PadChange =
  | { readonly kind: 'appeared'; readonly pad: number; readonly description: PadDescription }
  | { readonly kind: 'changed'; readonly pad: number; readonly state: PadState }
  | { readonly kind: 'gone'; readonly pad: number }
  | Extract<PadEvent, { kind: 'pad-touch' | 'pad-motion' | 'pad-battery' }>;

/** A pad that sends its state without having been announced. */
const UNANNOUNCED: PadDescription = {
  padKind: 'xbox',
  capabilities: {
    analogueTriggers: true,
    rumble: true,
    triggerRumble: false,
    touchpad: false,
    accelerometer: false,
    gyro: false,
    battery: false,
    light: false,
    dualTouchpad: false,
  },
  supportedButtons: 0xf7ff,
};

const NO_CHANGES: readonly PadChange[] = [];

export class PadRegistry {
  readonly #pads: ({ description: PadDescription; state: PadState | null } | null)[] = new Array(
    PADS_MAX,
  ).fill(null);

  /** Bit n: slot n is filled. */
  get mask(): number {
    return this.#pads.reduce((mask, pad, slot) => (pad ? mask | (1 << slot) : mask), 0);
  }

  describe(pad: number): PadDescription | null {
    return this.#pads[pad]?.description ?? null;
  }

  /** Last state that the pad sent; null before the first and for empty slots. */
  state(pad: number): PadState | null {
    return this.#pads[pad]?.state ?? null;
  }

  /** Takes a pad event in; what a backend has to do about it, in order. */
  apply(event: PadEvent): readonly PadChange[] {
    switch (event.kind) {
      case 'pad-arrival': {
        const { padKind, capabilities, supportedButtons } = event;
        return this.#arrive(event.pad, { padKind, capabilities, supportedButtons });
      }
      case 'pad-state':
        return this.#change(event);
      default:
        // Reports of a pad that is not there have nowhere to go.
        return this.#pads[event.pad] ? [event] : NO_CHANGES;
    }
  }

  /** Empties all slots: the session ends. */
  clear(): readonly PadChange[] {
    const gone: PadChange[] = [];
    for (const [slot, pad] of this.#pads.entries()) {
      if (!pad) continue;
      this.#pads[slot] = null;
      gone.push({ kind: 'gone', pad: slot });
    }
    return gone;
  }

  #arrive(slot: number, description: PadDescription): readonly PadChange[] {
    const wasThere = this.#pads[slot] !== null;
    this.#pads[slot] = { description, state: null };
    const appeared: PadChange = { kind: 'appeared', pad: slot, description };
    return wasThere ? [{ kind: 'gone', pad: slot }, appeared] : [appeared];
  }

  #change(event: Extract<PadEvent, { kind: 'pad-state' }>): readonly PadChange[] {
    const changes: PadChange[] = [];
    for (const [slot, pad] of this.#pads.entries()) {
      if (!pad || (event.activeMask & (1 << slot)) !== 0) continue;
      this.#pads[slot] = null;
      changes.push({ kind: 'gone', pad: slot });
    }
    if ((event.activeMask & (1 << event.pad)) === 0) return changes;
    let pad = this.#pads[event.pad];
    if (!pad) {
      pad = { description: UNANNOUNCED, state: null };
      this.#pads[event.pad] = pad;
      changes.push({ kind: 'appeared', pad: event.pad, description: UNANNOUNCED });
    }
    pad.state = event.state;
    changes.push({ kind: 'changed', pad: event.pad, state: event.state });
    return changes;
  }
}
