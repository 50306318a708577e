/**
 * Buffers and Meta parameters: what a stream answers once a format is agreed.
 * Keys from spa/param/buffers.h (libspa-0.2).
 */
import { podChoice, podId, podInt } from './pod.ts';
import { encodePod } from './pod-encode.ts';

const OBJECT_PARAM_BUFFERS = 0x40004;
const OBJECT_PARAM_META = 0x40005;
const PARAM_BUFFERS = 5;
const PARAM_META = 6;
const BUFFERS_KEYS = { buffers: 1, blocks: 2, size: 3, stride: 4, align: 5, dataType: 6 } as const;
const META_KEYS = { type: 1, size: 2 } as const;

/** `enum spa_data_type` as a bit mask. */
export const MEMORY_KINDS = { memPtr: 1 << 1, memFd: 1 << 2, dmaBuf: 1 << 3 } as const;

const META_HEADER = 1;
const META_VIDEO_DAMAGE = 3;
const META_CURSOR = 5;
const META_HEADER_BYTES = 32;
const META_REGION_BYTES = 16;
/** Header of a cursor and of its bitmap. */
const META_CURSOR_BYTES = 28 + 20;
const CURSOR_SIDE_MAX = 384;
const CURSOR_SIDE_DEFAULT = 64;

export interface BufferWish {
  readonly count: { readonly wanted: number; readonly min: number; readonly max: number };
  /** Or of {@link MEMORY_KINDS}. */
  readonly memoryKinds: number;
  /** Bytes of one buffer and of one row or sample frame, where the consumer decides them. */
  readonly sizeBytes?: { readonly wanted: number; readonly min: number; readonly max: number };
  readonly strideBytes?: number;
}

export function encodeBuffers(wish: BufferWish): Uint8Array {
  const { count, sizeBytes, strideBytes } = wish;
  return encodePod({
    type: 'object',
    objectType: OBJECT_PARAM_BUFFERS,
    id: PARAM_BUFFERS,
    properties: [
      { key: BUFFERS_KEYS.buffers, value: intRange(count) },
      { key: BUFFERS_KEYS.blocks, value: podInt(1) },
      ...(sizeBytes ? [{ key: BUFFERS_KEYS.size, value: intRange(sizeBytes) }] : []),
      ...(strideBytes ? [{ key: BUFFERS_KEYS.stride, value: podInt(strideBytes) }] : []),
      {
        key: BUFFERS_KEYS.dataType,
        value: podChoice('flags', podInt(wish.memoryKinds), []),
      },
    ],
  });
}

/** Asks for the header with the producer's time stamp. */
export function encodeHeaderMeta(): Uint8Array {
  return encodeMeta(META_HEADER, podInt(META_HEADER_BYTES));
}

/** Asks for damage rectangles, at most `regionCount`. */
export function encodeDamageMeta(regionCount: number): Uint8Array {
  return encodeMeta(
    META_VIDEO_DAMAGE,
    intRange({
      wanted: META_REGION_BYTES * regionCount,
      min: META_REGION_BYTES,
      max: META_REGION_BYTES * regionCount,
    }),
  );
}

/** Asks for the pointer's position and picture instead of having it drawn in. */
export function encodeCursorMeta(): Uint8Array {
  const sizeFor = (side: number) => META_CURSOR_BYTES + side * side * 4;
  return encodeMeta(
    META_CURSOR,
    intRange({
      wanted: sizeFor(CURSOR_SIDE_DEFAULT),
      min: sizeFor(1),
      max: sizeFor(CURSOR_SIDE_MAX),
    }),
  );
}

function encodeMeta(type: number, size: Parameters<typeof encodePod>[0]): Uint8Array {
  return encodePod({
    type: 'object',
    objectType: OBJECT_PARAM_META,
    id: PARAM_META,
    properties: [
      { key: META_KEYS.type, value: podId(type) },
      { key: META_KEYS.size, value: size },
    ],
  });
}

function intRange(range: { readonly wanted: number; readonly min: number; readonly max: number }) {
  return podChoice('range', podInt(range.wanted), [podInt(range.min), podInt(range.max)]);
}
