/**
 * Who may hold an RTSP connection open: bounds by total and by address, with room that strangers
 * cannot take from devices that launched. Pure.
 */

export const RTSP_CONNECTIONS_MAX = 64;
/** Places that only addresses with a living launch may fill. */
export const RTSP_RESERVED = 32;
export const RTSP_CONNECTIONS_PER_ADDRESS_MAX = 8;

export class RtspAdmission {
  readonly #open = new Map<string, number>();
  #total = 0;
  #refusedCount = 0;

  get openCount(): number {
    return this.#total;
  }

  get refusedCount(): number {
    return this.#refusedCount;
  }

  /** Takes a place for a connection from `address`; false: close it at once. */
  enter(address: string, hasLaunch: boolean): boolean {
    const mine = this.#open.get(address) ?? 0;
    const limit = RTSP_CONNECTIONS_MAX - (hasLaunch ? 0 : RTSP_RESERVED);
    if (this.#total >= limit || mine >= RTSP_CONNECTIONS_PER_ADDRESS_MAX) {
      this.#refusedCount += 1;
      return false;
    }
    this.#total += 1;
    this.#open.set(address, mine + 1);
    return true;
  }

  /** Gives the place back; once per successful {@link enter}. */
  leave(address: string): void {
    const mine = this.#open.get(address);
    if (mine === undefined) return;
    this.#total -= 1;
    if (mine === 1) this.#open.delete(address);
    else this.#open.set(address, mine - 1);
  }
}
