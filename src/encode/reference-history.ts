/**
 * Which pictures x264 still holds as references, so that an invalidation is only promised when one
 * good picture remains. Mirrors the encoder's sliding window: every picture is a reference, an IDR
 * empties the window, the oldest falls out, lost ones keep their place. Pure.
 * Source: ITU-T H.264 §8.2.5.3; x264.h on x264_encoder_invalidate_reference.
 */
export class ReferenceHistory {
  readonly #ids: Float64Array;
  readonly #isLost: Uint8Array;
  #count = 0;
  #lastIdrId = -1;
  /** No good reference is left: whatever is encoded before the next IDR builds on a lost picture. */
  #needsIdr = false;

  constructor(depth: number) {
    this.#ids = new Float64Array(depth);
    this.#isLost = new Uint8Array(depth);
  }

  submitted(pictureId: number, isIdr: boolean): void {
    if (isIdr) {
      this.#count = 0;
      this.#lastIdrId = pictureId;
      this.#needsIdr = false;
    }
    if (this.#count === this.#ids.length) {
      this.#ids.copyWithin(0, 1);
      this.#isLost.copyWithin(0, 1);
      this.#count -= 1;
    }
    this.#ids[this.#count] = pictureId;
    this.#isLost[this.#count] = 0;
    this.#count += 1;
  }

  /**
   * Pictures from `firstId` on are lost, with all that came after them.
   * @returns `nothing` when an IDR has replaced them, `repair` when a good reference remains in the
   * window, else `idr`; then every further loss needs that IDR too.
   */
  lose(firstId: number, lastId: number): 'nothing' | 'repair' | 'idr' {
    if (lastId < this.#lastIdrId) return 'nothing';
    if (this.#needsIdr) return 'idr';
    let hasGood = false;
    for (let index = 0; index < this.#count; index += 1) {
      if ((this.#ids[index] ?? 0) >= firstId) this.#isLost[index] = 1;
      else if (this.#isLost[index] === 0) hasGood = true;
    }
    this.#needsIdr = !hasGood;
    return hasGood ? 'repair' : 'idr';
  }
}
