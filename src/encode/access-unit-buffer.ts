/**
 * Collects what an encoder returned for one picture and makes it fit for the wire: own memory, no
 * user data in front of the slices, parameter sets checked.
 */
import { cleanAccessUnit, leadProblem, newAccessUnitLead } from './annexb.ts';

/**
 * Payload that every device's first datagram can hold: the smallest packet size on the wire is 1024
 * bytes, less sealing (32), packet header (16) and frame header (8).
 */
export const FIRST_PACKET_BYTES = 1024 - 32 - 16 - 8;
const INITIAL_BYTES = 1 << 16;

export class AccessUnitBuffer {
  readonly #encoderName: string;
  readonly #lead = newAccessUnitLead();
  #bytes = new Uint8Array(new ArrayBuffer(INITIAL_BYTES));
  #length = 0;

  constructor(encoderName: string) {
    this.#encoderName = encoderName;
  }

  clear(): void {
    this.#length = 0;
  }

  append(bytes: Uint8Array): void {
    const end = this.#length + bytes.length;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(new ArrayBuffer(end * 2));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = end;
  }

  /**
   * The collected access unit; `data` is valid until the next `clear`. Throws when no device could
   * decode it: that is a fault of the encoder's settings, not of the picture.
   */
  finish(pictureId: number): { data: Uint8Array; isIdr: boolean } {
    const isWhole = cleanAccessUnit(this.#bytes, this.#length, this.#lead);
    const problem = isWhole
      ? leadProblem(this.#lead, FIRST_PACKET_BYTES)
      : `${this.#length} bytes without a slice`;
    if (problem !== null) throw new Error(`${this.#encoderName}, picture ${pictureId}: ${problem}`);
    return { data: this.#bytes.subarray(0, this.#lead.lengthBytes), isIdr: this.#lead.isIdr };
  }
}
