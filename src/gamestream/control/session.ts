/**
 * The control plane of one session: opens what the device sends, seals what the host sends, and
 * keeps what belongs to the conversation (replay window, pads, rumble rate, the way it ends).
 *
 * A device may reconnect with a new ENet peer; the peer whose message authenticated last is the one
 * that is answered. Without I/O; driven by the control server. Source: GameStream §7.
 */
import type { InputEvent } from '../../inject/dispatch-events.ts';
import type { DisconnectReason, EnetHost } from '../enet/host.ts';
import { SlidingWindow } from '../enet/sliding-window.ts';
import { decodeInput } from '../input/packets.ts';
import { type PadChange, PadRegistry } from '../input/pads.ts';
import {
  type AdaptiveTrigger,
  encodeAdaptiveTriggers,
  encodeHdrMode,
  encodeLight,
  encodeMotion,
  encodeTermination,
  encodeTriggerRumble,
  type HdrMetadata,
  type MotionSensor,
} from './feedback.ts';
import { type ClientMessage, decodeClientMessage } from './messages.ts';
import { RumbleLimiter } from './rumble-limiter.ts';
import {
  type ControlMessage,
  type ControlVariant,
  type Opened,
  openControl,
  sealControl,
} from './seal.ts';

/** The device sends a keep-alive every 100 ms; silent for this long it is gone. */
export const CONTROL_SILENCE_MS = 10_000;
/** Longest wait for the ack of the termination message. */
const TERMINATION_ACK_MS = 500;
/** Everything from the host travels on this channel. */
const HOST_CHANNEL = 0;

export interface ControlExpectation {
  readonly launchId: string;
  /** AES-128 key of the launch. */
  readonly key: Uint8Array;
  readonly variant: ControlVariant;
  /** `X-SS-Connect-Data` of SETUP. */
  readonly connectData: number;
  /** The device knows session ids; otherwise it is recognised by its address. */
  readonly usesSessionIds: boolean;
  readonly peerAddress: string;
}

export type ControlEvent =
  /** First authentic message, or the first one from another ENet connection of the device. */
  | { readonly kind: 'connected' }
  | Exclude<ClientMessage, { kind: 'input' }>
  | { readonly kind: 'input'; readonly event: InputEvent }
  | { readonly kind: 'pad'; readonly change: PadChange }
  /** Told once. `silent`: no message for {@link CONTROL_SILENCE_MS}. */
  | { readonly kind: 'ended'; readonly reason: DisconnectReason | 'silent' };

export interface ControlCounters {
  received: number;
  sent: number;
  /** First word is not the sealed one: dropped, as clients do. */
  unsealed: number;
  malformed: number;
  unauthentic: number;
  replayed: number;
  /** Message types that this host does not know. */
  unknown: number;
  /** Input packets that are damaged or of an unknown kind. */
  badInput: number;
}

export interface ControlSessionParts {
  readonly expectation: ControlExpectation;
  readonly enet: EnetHost;
  readonly nowMs: () => number;
  /** Something was queued or a deadline changed. */
  readonly wake: () => void;
  readonly onEvent: (event: ControlEvent) => void;
}

export class ControlSession {
  readonly expectation: ControlExpectation;
  readonly pads = new PadRegistry();
  readonly counters: ControlCounters = {
    received: 0,
    sent: 0,
    unsealed: 0,
    malformed: 0,
    unauthentic: 0,
    replayed: 0,
    unknown: 0,
    badInput: 0,
  };
  readonly #enet: EnetHost;
  readonly #nowMs: () => number;
  readonly #wake: () => void;
  readonly #onEvent: (event: ControlEvent) => void;
  readonly #window = new SlidingWindow();
  readonly #rumble = new RumbleLimiter();
  #peer: number | null = null;
  #hostSequence = 0;
  #lastMessageAtMs: number;
  #hdrMode: ControlMessage | null = null;
  #termination: { readonly atMs: number; readonly done: () => void } | null = null;
  #isEnded = false;
  #lastOpened: { readonly wire: Uint8Array; readonly opened: Opened } | null = null;

  constructor(parts: ControlSessionParts) {
    this.expectation = parts.expectation;
    this.#enet = parts.enet;
    this.#nowMs = parts.nowMs;
    this.#wake = parts.wake;
    this.#onEvent = parts.onEvent;
    this.#lastMessageAtMs = parts.nowMs();
  }

  get isConnected(): boolean {
    return this.#peer !== null;
  }

  /** Whether the device has been silent for {@link CONTROL_SILENCE_MS}. */
  isDeadAt(nowMs: number): boolean {
    return nowMs - this.#lastMessageAtMs >= CONTROL_SILENCE_MS;
  }

  /** Smoothed round-trip time of the control plane; null before it was measured. */
  rttMs(): number | null {
    return this.#peer === null ? null : this.#enet.rttMs(this.#peer);
  }

  /** Motors 0–65535. At most 100 per second and pad go out; the last value always does. */
  sendRumble(pad: number, lowMotor: number, highMotor: number): boolean {
    if (this.#peer === null) return false;
    const isTaken = this.#rumble.set(pad, lowMotor, highMotor);
    if (isTaken) this.#sendRumbleDue();
    this.#wake();
    return isTaken;
  }

  sendTriggerRumble(pad: number, left: number, right: number): boolean {
    if (!this.pads.describe(pad)?.capabilities.triggerRumble) return false;
    return this.#send(encodeTriggerRumble(pad, left, right));
  }

  /** Asks for motion reports at `rateHz`; 0 stops them. */
  sendMotionEnable(pad: number, rateHz: number, sensor: MotionSensor): boolean {
    if (!this.pads.describe(pad)?.capabilities[sensor]) return false;
    return this.#send(encodeMotion(pad, rateHz, sensor));
  }

  sendLight(pad: number, red: number, green: number, blue: number): boolean {
    if (!this.pads.describe(pad)?.capabilities.light) return false;
    return this.#send(encodeLight(pad, red, green, blue));
  }

  /** Null leaves a trigger as it is. Only PlayStation pads have such triggers. */
  sendAdaptiveTriggers(
    pad: number,
    left: AdaptiveTrigger | null,
    right: AdaptiveTrigger | null,
  ): boolean {
    if (this.pads.describe(pad)?.padKind !== 'playstation') return false;
    return this.#send(encodeAdaptiveTriggers(pad, left, right));
  }

  /** Remembered and sent again when the device connects anew. */
  sendHdrMode(isOn: boolean, metadata: HdrMetadata | null): boolean {
    this.#hdrMode = encodeHdrMode(isOn, metadata);
    return this.#send(this.#hdrMode);
  }

  /**
   * Tells the device why the stream ends, waits at most half a second for its ack, says goodbye.
   * Resolves at once when no device is connected.
   */
  terminate(code: number): Promise<void> {
    const peer = this.#peer;
    if (peer === null || this.#termination || this.#isEnded) return Promise.resolve();
    const isQueued = this.#send(encodeTermination(code));
    if (!isQueued) {
      this.#enet.disconnect(peer, this.#nowMs(), 'now');
      return Promise.resolve();
    }
    return new Promise((done) => {
      this.#termination = { atMs: this.#nowMs() + TERMINATION_ACK_MS, done };
      this.tick();
      this.#wake();
    });
  }

  /** Whether the session's key opens `wire`, seen before or not. Changes nothing. */
  opens(wire: Uint8Array): boolean {
    return this.#open(wire).ok;
  }

  /** Whether the session's key opens `wire` as a message that was not seen. Changes nothing. */
  isAuthentic(wire: Uint8Array): boolean {
    // The older form cannot tell a message from its repetition, so it proves no new address.
    if (this.expectation.variant === 'legacy') return false;
    const opened = this.#open(wire);
    return opened.ok && this.#window.isFresh(opened.sequence);
  }

  /** Takes one ENet message of `peer` in. */
  receive(peer: number, wire: Uint8Array): void {
    if (this.#isEnded) return;
    const opened = this.#open(wire);
    this.#lastOpened = null;
    if (!opened.ok) {
      this.counters[opened.reason] += 1;
      return;
    }
    if (this.expectation.variant === 'v2' && !this.#window.accept(opened.sequence)) {
      this.counters.replayed += 1;
      return;
    }
    this.counters.received += 1;
    this.#lastMessageAtMs = this.#nowMs();
    if (peer !== this.#peer) this.#adopt(peer);
    const decoded = decodeClientMessage(opened.message);
    if (!decoded.ok) {
      this.counters[decoded.reason === 'unknown' ? 'unknown' : 'malformed'] += 1;
    } else if (decoded.message.kind === 'input') {
      this.#receiveInput(decoded.message.packet);
    } else {
      this.#onEvent(decoded.message);
    }
  }

  /** The ENet connection of `peer` is over. */
  disconnected(peer: number, reason: DisconnectReason): void {
    if (peer !== this.#peer) return;
    this.#peer = null;
    this.#finish(this.#termination ? 'local' : reason);
  }

  /** Runs what is due. */
  tick(): void {
    const nowMs = this.#nowMs();
    this.#sendRumbleDue();
    if (this.#peer === null || this.#isEnded) return;
    if (this.#termination) {
      const isOver = nowMs >= this.#termination.atMs;
      if (!isOver && !this.#enet.isDelivered(this.#peer)) return;
      const peer = this.#peer;
      this.#peer = null;
      this.#enet.disconnect(peer, nowMs, 'now');
      this.#finish('local');
    } else if (this.isDeadAt(nowMs)) {
      const peer = this.#peer;
      this.#peer = null;
      this.#enet.drop(peer, nowMs);
      this.#finish('silent');
    }
  }

  nextWakeMs(): number {
    if (this.#peer === null || this.#isEnded) return Number.POSITIVE_INFINITY;
    const silentAtMs = this.#lastMessageAtMs + CONTROL_SILENCE_MS;
    const endsAtMs = this.#termination?.atMs ?? silentAtMs;
    return Math.min(endsAtMs, this.#rumble.nextWakeMs());
  }

  /** Ends the conversation without a word from the device's side: the session is forgotten. */
  close(): void {
    const peer = this.#peer;
    this.#peer = null;
    if (peer !== null) this.#enet.drop(peer, this.#nowMs());
    this.#finish('local');
  }

  /** A message is asked about before it is received; it is opened once for both. */
  #open(wire: Uint8Array): Opened {
    if (this.#lastOpened?.wire === wire) return this.#lastOpened.opened;
    const { key, variant } = this.expectation;
    const opened = openControl(key, variant, 'client', wire);
    this.#lastOpened = { wire, opened };
    return opened;
  }

  #adopt(peer: number): void {
    const former = this.#peer;
    this.#peer = peer;
    if (former !== null) this.#enet.drop(former, this.#nowMs());
    if (this.#hdrMode) this.#send(this.#hdrMode);
    this.#onEvent({ kind: 'connected' });
  }

  #receiveInput(packet: Uint8Array): void {
    const decoded = decodeInput(packet);
    if (!decoded.ok) {
      this.counters.badInput += 1;
      return;
    }
    const { event } = decoded;
    switch (event.kind) {
      case 'pad-arrival':
      case 'pad-state':
      case 'pad-touch':
      case 'pad-motion':
      case 'pad-battery':
        for (const change of this.pads.apply(event)) this.#onEvent({ kind: 'pad', change });
        return;
      default:
        this.#onEvent({ kind: 'input', event });
    }
  }

  #sendRumbleDue(): void {
    for (const message of this.#rumble.takeDue(this.#nowMs())) this.#send(message);
  }

  #send(message: ControlMessage): boolean {
    if (this.#peer === null || this.#termination || this.#isEnded) return false;
    const { key, variant } = this.expectation;
    const wire = sealControl(key, variant, 'host', this.#hostSequence, message);
    const nowMs = this.#nowMs();
    if (!this.#enet.send(this.#peer, HOST_CHANNEL, wire, 'reliable', nowMs)) return false;
    this.#hostSequence = (this.#hostSequence + 1) >>> 0;
    this.counters.sent += 1;
    this.#wake();
    return true;
  }

  #finish(reason: DisconnectReason | 'silent'): void {
    const termination = this.#termination;
    this.#termination = null;
    if (!this.#isEnded) {
      this.#isEnded = true;
      for (const change of this.pads.clear()) this.#onEvent({ kind: 'pad', change });
      this.#onEvent({ kind: 'ended', reason });
    }
    termination?.done();
  }
}
