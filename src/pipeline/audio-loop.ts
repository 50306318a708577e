/**
 * The audio worker's loop: capture → Opus → parity → (CBC) → send, one packet per 5 or 10 ms,
 * silence included. It follows the source's clock while sound flows and its own when it does not.
 *
 * A source may deliver in portions of many packets (a large PipeWire quantum); they leave a little
 * faster than they play, not all at once, so that the device's buffer stays small.
 */

import type { OpusMultistreamEncoder } from '../audio/opus-encoder.ts';
import type { AudioCapture } from '../audio/port.ts';
import type { AudioPacketizer } from '../packet/gamestream-audio.ts';
import type { StreamControl } from './stream-control.ts';

const NS_PER_MS = 1e6;
/** How late a flowing source may be before silence takes its place. */
const SOURCE_GRACE_MS = 15;
/** Packets that are already there follow each other at this share of their duration. */
const CATCH_UP_RATIO = 0.9;
/** Further behind than this, the schedule starts anew instead of catching up. */
const RESYNC_NS = 100e6;
/** Between attempts to open a lost source again. */
const REOPEN_INTERVAL_NS = 1e9;

export interface AudioLoopPorts {
  /** Opens the source; called again after it was lost. Throws when it cannot be opened. */
  openCapture(): AudioCapture;
  encoder: OpusMultistreamEncoder;
  packetizer: AudioPacketizer;
  /** Sends one datagram to the packed address; false when the kernel refused it. */
  send(datagram: Uint8Array, sockaddr: Uint8Array): boolean;
  nowNs(): number;
  sleepUntilNs(deadlineNs: number): void;
  report(fact: { name: string; value: string }): void;
  /** Called after each packet; see housekeeper.ts. */
  housekeep?(): void;
}

export interface AudioLoopSetup {
  readonly channels: number;
  readonly packetDurationMs: number;
}

/** Runs until `control.stop`. */
export function runAudioLoop(
  setup: AudioLoopSetup,
  ports: AudioLoopPorts,
  control: StreamControl,
): void {
  const { encoder, packetizer, nowNs, sleepUntilNs } = ports;
  const block = new Float32Array(encoder.framesPerPacket * setup.channels);
  const source = new SoundSource(ports);
  const periodNs = setup.packetDurationMs * NS_PER_MS;
  let deadlineNs = nowNs() + periodNs;
  let earliestNs = 0;
  let addressVersion = 0;
  let address: Uint8Array | null = null;
  try {
    while (control.get('stop') === 0) {
      control.add('audioHeartbeat');
      if (earliestNs > nowNs()) sleepUntilNs(earliestNs);
      const hasSound = source.read(block, deadlineNs);
      if (!hasSound) {
        block.fill(0);
        sleepUntilNs(deadlineNs);
      }
      const now = nowNs();
      earliestNs = now + periodNs * CATCH_UP_RATIO;
      deadlineNs = (hasSound || now - deadlineNs > RESYNC_NS ? now : deadlineNs) + periodNs;
      const version = control.get('audioAddressVersion');
      if (version !== addressVersion) {
        addressVersion = version;
        address = control.address('audio');
      }
      // The device counts from its first packet on: nothing is numbered before it can be sent.
      if (!address) continue;
      if (!hasSound) control.add('audioSilentPackets');
      const count = packetizer.push(encoder.encode(block));
      for (let index = 0; index < count; index += 1) {
        if (ports.send(packetizer.datagram(index), address)) control.add('audioPackets');
      }
      ports.housekeep?.();
    }
  } finally {
    source.close();
  }
}

/** The capture with its recovery: lost sources are opened again, silent ones do not hold the loop. */
class SoundSource {
  readonly #ports: AudioLoopPorts;
  #capture: AudioCapture | null = null;
  #isFlowing = false;
  #hasFlowed = false;
  #hasOpened = false;
  #reopenAtNs = Number.NEGATIVE_INFINITY;
  #lastProblem = '';

  constructor(ports: AudioLoopPorts) {
    this.#ports = ports;
  }

  /** Fills `block`; false when there was no sound by the deadline (plus grace while flowing). */
  read(block: Float32Array, deadlineNs: number): boolean {
    const capture = this.#ensureOpen();
    if (!capture) return false;
    const graceMs = this.#isFlowing ? SOURCE_GRACE_MS : 0;
    const waitMs = Math.max(0, (deadlineNs - this.#ports.nowNs()) / NS_PER_MS) + graceMs;
    let cause: string | null;
    try {
      this.#isFlowing = capture.read(block, waitMs);
      cause = capture.lost();
    } catch (error) {
      this.#isFlowing = false;
      cause = messageOf(error);
    }
    if (cause !== null) this.#lose(capture, `lost: ${cause}`);
    else if (this.#isFlowing && !this.#hasFlowed) this.#flows(capture);
    return this.#isFlowing;
  }

  close(): void {
    this.#capture?.close();
    this.#capture = null;
  }

  #ensureOpen(): AudioCapture | null {
    if (this.#capture || this.#ports.nowNs() < this.#reopenAtNs) return this.#capture;
    this.#hasFlowed = false;
    try {
      this.#capture = this.#ports.openCapture();
      if (!this.#hasOpened) this.#say(this.#capture.description);
      this.#hasOpened = true;
    } catch (error) {
      this.#complain(messageOf(error));
      this.#reopenAtNs = this.#ports.nowNs() + REOPEN_INTERVAL_NS;
    }
    return this.#capture;
  }

  /** A source that was opened again is announced once it delivers. */
  #flows(capture: AudioCapture): void {
    this.#hasFlowed = true;
    if (this.#lastProblem !== '') this.#say(capture.description);
    this.#lastProblem = '';
  }

  #lose(capture: AudioCapture, problem: string): void {
    this.#capture = null;
    this.#isFlowing = false;
    this.#reopenAtNs = this.#ports.nowNs() + REOPEN_INTERVAL_NS;
    this.#complain(problem);
    try {
      capture.close();
    } catch (error) {
      this.#complain(messageOf(error));
    }
  }

  /** The same trouble once a second is said once. */
  #complain(problem: string): void {
    if (problem !== this.#lastProblem) this.#say(problem);
    this.#lastProblem = problem;
  }

  #say(value: string): void {
    this.#ports.report({ name: 'audio', value });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
