/**
 * What a device shows and what it asks for after a loss (GameStream §9.7). Pure.
 *
 * Without invalidation it waits for an IDR and asks for one when the next frame arrived whole; with
 * it, it names the lost range at once, drops frames until one of header type 2, 4 or 5, and names
 * the growing range with each frame it drops. 120 dropped frames in a row ask for an IDR anyway.
 */

const DROPS_MAX = 120;

export type RecoveryRequest =
  | { readonly kind: 'idr' }
  | { readonly kind: 'invalidate'; readonly first: number; readonly last: number };

export interface ArrivedFrame {
  readonly frameIndex: number;
  /** Byte 3 of the frame header. */
  readonly frameType: number;
  /** The access unit itself starts like a key picture. */
  readonly isKey: boolean;
}

export class LossRecovery {
  readonly #canInvalidate: boolean;
  #waitsForKey = true;
  #waitsForAnchor = false;
  #waitsForWhole = false;
  #hasShownKey = false;
  /** First frame that was not shown since the last one that was. */
  #firstUnshown = 1;
  #expected = 1;
  #drops = 0;

  constructor(canInvalidate: boolean) {
    this.#canInvalidate = canInvalidate;
  }

  get isFrozen(): boolean {
    return this.#waitsForKey || this.#waitsForAnchor;
  }

  /** Frames `first` … `last` are known to be lost. */
  lost(last: number): RecoveryRequest[] {
    const requests = this.#drop();
    if (this.#waitsForKey) return requests;
    this.#expected = last + 1;
    return [...requests, { kind: 'invalidate', first: this.#firstUnshown, last }];
  }

  arrived(frame: ArrivedFrame): { isShown: boolean; requests: RecoveryRequest[] } {
    const requests: RecoveryRequest[] = [];
    if (frame.frameIndex > this.#expected) {
      this.#waitsForWhole = true;
      requests.push(...this.#drop());
    }
    this.#expected = frame.frameIndex + 1;
    const isAnchor = frame.frameType === 2 || frame.frameType === 4 || frame.frameType === 5;
    if (isAnchor && this.#waitsForAnchor) {
      this.#waitsForAnchor = false;
      this.#waitsForWhole = false;
    }
    if (frame.isKey) {
      this.#waitsForKey = false;
      this.#waitsForAnchor = false;
      this.#waitsForWhole = false;
    }
    if (this.isFrozen) {
      if (!this.#waitsForKey) {
        requests.push({ kind: 'invalidate', first: this.#firstUnshown, last: frame.frameIndex });
      } else if (this.#waitsForWhole) {
        requests.push({ kind: 'idr' });
      }
      this.#waitsForWhole = false;
      return { isShown: false, requests: [...requests, ...this.#drop()] };
    }
    this.#hasShownKey ||= frame.isKey;
    this.#drops = 0;
    this.#firstUnshown = this.#expected;
    return { isShown: true, requests };
  }

  #drop(): RecoveryRequest[] {
    if (!this.#canInvalidate || !this.#hasShownKey || this.#waitsForKey) this.#waitsForKey = true;
    else this.#waitsForAnchor = true;
    this.#drops += 1;
    if (this.#drops < DROPS_MAX) return [];
    this.#drops = 0;
    this.#waitsForKey = true;
    return [{ kind: 'idr' }];
  }
}
