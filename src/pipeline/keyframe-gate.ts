/**
 * Decides when a picture must be an IDR and which reference invalidations reach the encoder.
 *
 * All wishes meet here: the device's IDR and RFI requests, and the host's own dropped pictures. At
 * most one forced IDR per two frame intervals; a wish that comes earlier waits, it is never lost.
 * Reference invalidation is not limited. Pure: time is passed in.
 */

/** Forced IDRs are at least this many frame intervals apart. */
export const IDR_SPACING_INTERVALS = 2;

/** How many sent frames can still be named by an RFI request. */
const HISTORY_FRAMES = 512;

export type RepairAction =
  | { readonly kind: 'none' }
  | { readonly kind: 'invalidate'; readonly firstPicture: number; readonly lastPicture: number }
  | { readonly kind: 'idr' };

const NOTHING: RepairAction = { kind: 'none' };
const NEED_IDR: RepairAction = { kind: 'idr' };

export class KeyframeGate {
  readonly #spacingNs: number;
  readonly #canInvalidate: boolean;
  #wantsIdr = true;
  #lastIdrNs = Number.NEGATIVE_INFINITY;
  /** Picture id of sent frame n at n mod HISTORY_FRAMES. */
  readonly #pictures = new Int32Array(HISTORY_FRAMES).fill(-1);
  #lastFrameIndex = 0;
  #lastIdrFrameIndex = 0;
  #lastAnchorFrameIndex = 0;
  #answeredFirst = 0;

  constructor(options: { readonly intervalNs: number; readonly canInvalidate: boolean }) {
    this.#spacingNs = options.intervalNs * IDR_SPACING_INTERVALS;
    this.#canInvalidate = options.canInvalidate;
  }

  requestIdr(): void {
    this.#wantsIdr = true;
  }

  /** True when the picture submitted at `nowNs` must be an IDR; the wish is then spent. */
  takeIdr(nowNs: number): boolean {
    if (!this.#wantsIdr || nowNs - this.#lastIdrNs < this.#spacingNs) return false;
    this.#wantsIdr = false;
    this.#lastIdrNs = nowNs;
    return true;
  }

  /** The frame went to the packet worker under `frameIndex`. */
  sent(frameIndex: number, pictureId: number, flags: { isIdr: boolean; isAnchor: boolean }): void {
    this.#pictures[frameIndex % HISTORY_FRAMES] = pictureId;
    this.#lastFrameIndex = frameIndex;
    if (flags.isIdr) this.#lastIdrFrameIndex = frameIndex;
    if (flags.isIdr || flags.isAnchor) this.#lastAnchorFrameIndex = frameIndex;
  }

  /** The host itself lost an encoded picture: what must happen before the next one. */
  dropped(pictureId: number, isIdr: boolean): RepairAction {
    if (isIdr || !this.#canInvalidate) {
      this.requestIdr();
      return NEED_IDR;
    }
    return { kind: 'invalidate', firstPicture: pictureId, lastPicture: pictureId };
  }

  /**
   * The device lost wire frames `first`…`last`. A request for frames that an IDR or recovery anchor
   * already replaced is answered; one that reaches behind the history needs an IDR.
   */
  lost(first: number, last: number): RepairAction {
    if (first > last || this.#lastIdrFrameIndex === 0) return this.#idr();
    const isAnswered = last < this.#lastAnchorFrameIndex && first >= this.#answeredFirst;
    if (last < this.#lastIdrFrameIndex || isAnswered) return NOTHING;
    const oldest = Math.max(this.#lastIdrFrameIndex + 1, this.#lastFrameIndex - HISTORY_FRAMES + 1);
    if (!this.#canInvalidate || first < oldest || first > this.#lastFrameIndex) return this.#idr();
    this.#answeredFirst = first;
    return {
      kind: 'invalidate',
      firstPicture: this.#pictures[first % HISTORY_FRAMES] ?? -1,
      lastPicture: this.#pictures[Math.min(last, this.#lastFrameIndex) % HISTORY_FRAMES] ?? -1,
    };
  }

  #idr(): RepairAction {
    this.requestIdr();
    return NEED_IDR;
  }
}
