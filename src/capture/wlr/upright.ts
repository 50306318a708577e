/** Turns pictures whose rows lie bottom-up. One native copy per row, no allocation per picture. */
import { addressOf, libc } from '../../../ffi/libc.ts';
import { pin, stableBytes, unpin } from '../../../ffi/pins.ts';

export class UprightCopy {
  // KEEP: pinned until close() or a picture of another size; memcpy writes it during the call.
  #bytes: Uint8Array<ArrayBuffer> | null = null;

  /** The picture with its rows reversed; valid until the next call. */
  turn(bytes: Uint8Array, strideBytes: number, height: number): Uint8Array<ArrayBuffer> {
    let upright = this.#bytes;
    if (upright?.length !== bytes.length) {
      this.close();
      upright = pin(stableBytes(bytes.length));
      this.#bytes = upright;
    }
    const rows = Math.min(height, Math.floor(bytes.length / strideBytes));
    const from = addressOf(bytes);
    const to = addressOf(upright);
    const c = libc();
    for (let row = 0; row < rows; row += 1) {
      c.memcpy(to + row * strideBytes, from + (rows - 1 - row) * strideBytes, strideBytes);
    }
    return upright;
  }

  close(): void {
    if (this.#bytes) unpin(this.#bytes);
    this.#bytes = null;
  }
}
