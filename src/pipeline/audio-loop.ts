/**
 * The audio worker's loop: capture → Opus → parity → (CBC) → send, one packet per 5 or 10 ms,
 * silence included. It follows the source's clock while sound flows and its own when it does not.
 */

import type { OpusMultistreamEncoder } from '../audio/opus-encoder.ts';
import type { AudioCapture } from '../audio/port.ts';
import type { AudioPacketizer } from '../packet/gamestream-audio.ts';
import type { StreamControl } from './stream-control.ts';

const NS_PER_MS = 1e6;
/** How late a flowing source may be before silence takes its place. */
const SOURCE_GRACE_MS = 15;
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
  let addressVersion = 0;
  let address: Uint8Array | null = null;
  try {
    while (control.get('stop') === 0) {
      control.add('audioHeartbeat');
      const hasSound = source.read(block, deadlineNs);
      if (!hasSound) {
        block.fill(0);
        sleepUntilNs(deadlineNs);
        control.add('audioSilentPackets');
      }
      const now = nowNs();
      deadlineNs = (hasSound || now - deadlineNs > RESYNC_NS ? now : deadlineNs) + periodNs;
      const version = control.get('audioAddressVersion');
      if (version !== addressVersion) {
        addressVersion = version;
        address = control.address('audio');
      }
      // The device counts from its first packet on: nothing is numbered before it can be sent.
      if (!address) continue;
      const count = packetizer.push(encoder.encode(block));
      for (let index = 0; index < count; index += 1) {
        if (ports.send(packetizer.datagram(index), address)) control.add('audioPackets');
      }
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
  #reopenAtNs = 0;
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
    this.#isFlowing = capture.read(block, waitMs);
    const cause = capture.lost();
    if (cause !== null) {
      capture.close();
      this.#capture = null;
      this.#reopenAtNs = this.#ports.nowNs() + REOPEN_INTERVAL_NS;
      this.#ports.report({ name: 'audio', value: `lost: ${cause}` });
    }
    return this.#isFlowing;
  }

  close(): void {
    this.#capture?.close();
    this.#capture = null;
  }

  #ensureOpen(): AudioCapture | null {
    if (this.#capture || this.#ports.nowNs() < this.#reopenAtNs) return this.#capture;
    try {
      this.#capture = this.#ports.openCapture();
      this.#ports.report({ name: 'audio', value: this.#capture.description });
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      if (problem !== this.#lastProblem) this.#ports.report({ name: 'audio', value: problem });
      this.#lastProblem = problem;
      this.#reopenAtNs = this.#ports.nowNs() + REOPEN_INTERVAL_NS;
    }
    return this.#capture;
  }
}
