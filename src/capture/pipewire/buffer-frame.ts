/**
 * One filled PipeWire buffer as a frame, without copying. Sizes and strides come from the producer
 * and are checked against the mapped memory before anything is read.
 */
import type { VideoFormat } from '../../desktop/pipewire/video-format.ts';
import type { MemoryFrame } from '../port.ts';

const BYTES_PER_PIXEL = 4;
/** A producer's stamp this far off the monotonic clock is another clock's. */
const STAMP_PAST_MAX_NS = 2_000_000_000;
const STAMP_FUTURE_MAX_NS = 100_000_000;

/** What the producer says about plane 0. */
export interface BufferFacts {
  readonly bytes: Uint8Array | null;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  /** 0 or negative: not said. */
  readonly strideBytes: number;
  readonly isCorrupted: boolean;
  /** Producer's presentation stamp, or null when it gave none. */
  readonly stampNs: number | null;
}

/**
 * @returns the frame, or why the buffer carries no picture (`empty`: only metadata changed).
 */
export function frameOfBuffer(
  facts: BufferFacts,
  format: VideoFormat,
  nowNs: number,
): MemoryFrame | 'empty' | 'corrupted' | 'not-mapped' | 'too-small' {
  if (facts.isCorrupted) return 'corrupted';
  if (facts.sizeBytes === 0) return 'empty';
  if (!facts.bytes) return 'not-mapped';
  const rowBytes = format.width * BYTES_PER_PIXEL;
  const strideBytes = facts.strideBytes > 0 ? facts.strideBytes : rowBytes;
  if (strideBytes < rowBytes) return 'too-small';
  const offset = facts.offsetBytes;
  const end = offset + strideBytes * (format.height - 1) + rowBytes;
  if (end > facts.bytes.length) return 'too-small';
  return {
    kind: 'memory',
    format: format.format,
    width: format.width,
    height: format.height,
    data: facts.bytes.subarray(
      offset,
      Math.min(offset + strideBytes * format.height, facts.bytes.length),
    ),
    strideBytes,
    captureNs: captureTime(facts.stampNs, nowNs),
  };
}

/** The producer's stamp when it is plausibly CLOCK_MONOTONIC, else the time of arrival. */
export function captureTime(stampNs: number | null, nowNs: number): number {
  if (stampNs === null || stampNs <= 0) return nowNs;
  const ageNs = nowNs - stampNs;
  return ageNs <= STAMP_PAST_MAX_NS && ageNs >= -STAMP_FUTURE_MAX_NS ? stampNs : nowNs;
}
