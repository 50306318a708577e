/**
 * What a video capturer offers and answers on a PipeWire stream. Pure: pods in, pods out.
 *
 * Memory is shared by descriptor (memfd) or plain pointer. DMA-BUF is not offered: a format without
 * a modifier keeps the producer on memory.
 */
import {
  encodeBuffers,
  encodeHeaderMeta,
  MEMORY_KINDS,
} from '../../desktop/pipewire/buffer-params.ts';
import { decodePod } from '../../desktop/pipewire/pod-decode.ts';
import {
  encodeVideoOffer,
  type PackedPixelFormat,
  readVideoFormat,
  type VideoFormat,
} from '../../desktop/pipewire/video-format.ts';
import type { DisplayMode } from '../../session/mode.ts';

/** Most wanted first: what compositors render in needs no swizzle on their side. */
const FORMATS: readonly PackedPixelFormat[] = ['BGRx', 'BGRA', 'RGBx', 'RGBA'];
/** One held by us, one being filled, two to spare; the producer may insist on up to 16. */
const BUFFER_COUNT = { wanted: 4, min: 2, max: 16 } as const;

/**
 * EnumFormat pods for a source that shall (fixed) or may have `mode`.
 * @param tag different for each opening of the node, 1…2³¹−1 (see VideoOffer).
 */
export function videoOffers(mode: DisplayMode, isFixedSize: boolean, tag: number): Uint8Array[] {
  return [
    encodeVideoOffer({
      formats: FORMATS,
      width: mode.width,
      height: mode.height,
      isFixedSize,
      maxFramerate: { num: mode.refreshNum, den: mode.refreshDen },
      tag,
    }),
  ];
}

/** Buffers and Meta pods that answer an agreed format. */
export function videoAnswers(): Uint8Array[] {
  const memoryKinds = MEMORY_KINDS.memFd | MEMORY_KINDS.memPtr;
  return [encodeBuffers({ count: BUFFER_COUNT, memoryKinds }), encodeHeaderMeta()];
}

/** Reads the agreed format; a sentence when it cannot be captured. */
export function agreedVideoFormat(pod: Uint8Array): VideoFormat | string {
  const decoded = decodePod(pod);
  return decoded.ok ? readVideoFormat(decoded.pod) : `unreadable format (${decoded.reason})`;
}
