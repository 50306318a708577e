/**
 * Collects the bytes of one RTSP connection until they hold one whole request, plain or sealed.
 * Grows by doubling up to the request limit and refuses what would be longer. Pure.
 */

import type { RtspRequest } from './rtsp-message.ts';
import { findHeaderEnd, parseRtspRequest, RTSP_REQUEST_BYTES_MAX } from './rtsp-message.ts';
import { isSealedStart, SEALED_HEADER_BYTES, sealedBodyBytes } from './rtsp-seal.ts';

const FIRST_CAPACITY_BYTES = 1024;
const CAPACITY_MAX = RTSP_REQUEST_BYTES_MAX + SEALED_HEADER_BYTES;

export type Collected =
  | { readonly kind: 'more' }
  | { readonly kind: 'plain'; readonly request: RtspRequest }
  /** Whole sealed message, still closed. */
  | { readonly kind: 'sealed'; readonly wire: Uint8Array }
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly cseq: number;
      /** A sealed connection cannot be answered in plain text. */
      readonly isSealed: boolean;
      readonly reason: string;
    };

export class RtspCollector {
  #bytes = new Uint8Array(FIRST_CAPACITY_BYTES);
  #length = 0;
  #scannedBytes = 0;
  #hasHeader = false;

  get length(): number {
    return this.#length;
  }

  /** Takes the next piece; anything but `more` ends the collection. */
  push(piece: Uint8Array): Collected {
    const taken = Math.min(piece.length, CAPACITY_MAX - this.#length);
    this.#reserve(this.#length + taken);
    this.#bytes.set(piece.subarray(0, taken), this.#length);
    this.#length += taken;
    if (this.#length === 0) return { kind: 'more' };
    const received = this.#bytes.subarray(0, this.#length);
    return isSealedStart(received[0] ?? 0) ? collectSealed(received) : this.#collectPlain(received);
  }

  #collectPlain(received: Uint8Array): Collected {
    if (!this.#hasHeader) {
      this.#hasHeader = findHeaderEnd(received, this.#scannedBytes - 3) >= 0;
      this.#scannedBytes = received.length;
      if (!this.#hasHeader && received.length < RTSP_REQUEST_BYTES_MAX) return { kind: 'more' };
    }
    const parsed = parseRtspRequest(received);
    if (parsed.kind === 'incomplete') return { kind: 'more' };
    if (parsed.kind === 'request') return { kind: 'plain', request: parsed.request };
    const { status, cseq, reason } = parsed;
    return { kind: 'refused', status, cseq, isSealed: false, reason };
  }

  #reserve(neededBytes: number): void {
    if (neededBytes <= this.#bytes.length) return;
    let capacity = this.#bytes.length;
    while (capacity < neededBytes) capacity *= 2;
    const grown = new Uint8Array(Math.min(capacity, CAPACITY_MAX));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

function collectSealed(received: Uint8Array): Collected {
  if (received.length < 4) return { kind: 'more' };
  const bodyBytes = sealedBodyBytes(received);
  if (bodyBytes > RTSP_REQUEST_BYTES_MAX) {
    const reason = 'the sealed request is longer than 16 KiB';
    return { kind: 'refused', status: 413, cseq: 0, isSealed: true, reason };
  }
  const wireBytes = SEALED_HEADER_BYTES + bodyBytes;
  if (received.length < wireBytes) return { kind: 'more' };
  return { kind: 'sealed', wire: received.slice(0, wireBytes) };
}
