/**
 * The 90 kHz clock of video datagrams, taken from capture times, so that skipped or repeated frames
 * keep their true distance. It starts at 1, rises with every frame and is never 0, which receivers
 * take for unknown. Source: RFC 3550 §5.1; GameStream §9.1.
 */

const TICKS_PER_NS = 90_000 / 1e9;
const WRAP = 2 ** 32;

export class RtpClock {
  #firstNs: number | null = null;
  #ticks = 0;

  /** Timestamp of a frame captured at `captureNs`; equal or backward times advance by one tick. */
  timestamp(captureNs: number): number {
    this.#firstNs ??= captureNs;
    const elapsed = 1 + Math.round((captureNs - this.#firstNs) * TICKS_PER_NS);
    this.#ticks = Math.max(this.#ticks + 1, elapsed);
    if (this.#ticks % WRAP === 0) this.#ticks += 1;
    return this.#ticks % WRAP;
  }
}
