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
/**
 * A producer gets back one buffer with each picture it sends, so as many stay away from it as ever
 * came in one burst, and it stops for good when none is left: many buffers are safe, few are not.
 */
const BUFFER_COUNT = { min: 6, max: 16 } as const;
const BUFFER_BUDGET_BYTES = 96 * 1024 * 1024;
/** What is accepted when the producer insists. */
const BUFFER_COUNT_FLOOR = 2;
const BYTES_PER_PIXEL = 4;
const RELAXED_RATE_FACTOR = 2;
/** Highest rate Mutter takes for a stream. */
const RATE_MAX_HZ = 1000;
/** The one we hold, one on its way, and one the producer fills. */
const STARVED_MARGIN = 3;

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

/**
 * Offers for a fixed-size source whose screen already exists, with room above its rate.
 *
 * Mutter makes its virtual monitor for the first size and rate asked for and leaves it alone while
 * the size stays; later it only drops pictures that come sooner than the rate allows. Asked for
 * exactly the monitor's rate it drops those that are microseconds early, a third of all.
 */
export function relaxedVideoOffers(mode: DisplayMode, tag: number): Uint8Array[] {
  const refreshNum = Math.min(mode.refreshNum * RELAXED_RATE_FACTOR, RATE_MAX_HZ * mode.refreshDen);
  return videoOffers({ ...mode, refreshNum }, true, tag);
}

/** Buffers and Meta pods that answer an agreed format. */
export function videoAnswers({ width, height }: VideoFormat): Uint8Array[] {
  const affordable = Math.floor(BUFFER_BUDGET_BYTES / (width * height * BYTES_PER_PIXEL));
  const wanted = Math.min(BUFFER_COUNT.max, Math.max(BUFFER_COUNT.min, affordable));
  const count = { wanted, min: BUFFER_COUNT_FLOOR, max: BUFFER_COUNT.max };
  const memoryKinds = MEMORY_KINDS.memFd | MEMORY_KINDS.memPtr;
  return [encodeBuffers({ count, memoryKinds }), encodeHeaderMeta()];
}

/** Whether a burst of pictures left the producer with too few buffers to go on. */
export function isStarved(burstCount: number, bufferCount: number): boolean {
  return burstCount > 1 && burstCount + STARVED_MARGIN > bufferCount;
}

/** Reads the agreed format; a sentence when it cannot be captured. */
export function agreedVideoFormat(pod: Uint8Array): VideoFormat | string {
  const decoded = decodePod(pod);
  return decoded.ok ? readVideoFormat(decoded.pod) : `unreadable format (${decoded.reason})`;
}
