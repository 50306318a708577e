/**
 * The one piece of memory a stream's pictures pass through: parity tables, the frame ring, and the
 * slots of one block, in a shared WebAssembly memory that the kernel, the video worker, the packet
 * worker and the operating system all address.
 *
 * | part         | bytes                                                   |
 * |--------------|---------------------------------------------------------|
 * | tables       | 8192                                                    |
 * | ring head    | FRAME_RING_HEAD_BYTES                                   |
 * | ring slots   | 2 × largest sendable access unit                        |
 * | block slots  | 1023 × datagram                                         |
 *
 * Pages are only touched where frames really reach, so the reserve for oversize frames costs nothing.
 */
import { PARITY_TABLE_BYTES } from '../fec/parity-kernel.ts';
import { BLOCK_SLOTS_MAX, maxSendableBytes } from '../packet/gamestream-video.ts';
import { datagramBytesOf, type VideoPacketFormat } from '../packet/gamestream-video-format.ts';
import type { SlotArea } from '../packet/gamestream-video-seal.ts';
import { FRAME_RING_DEPTH, FRAME_RING_HEAD_BYTES, type FrameRingLayout } from './frame-ring.ts';

const PAGE_BYTES = 65536;
/** Ring slots and datagram slots start on cache lines. */
const LINE_BYTES = 64;

interface StreamMemoryOffsets {
  readonly tablesOffsetBytes: number;
  readonly ringHeadOffsetBytes: number;
  readonly ringDataOffsetBytes: number;
  readonly ringSlotBytes: number;
  readonly slotsOffsetBytes: number;
  readonly totalBytes: number;
}

/** Memory of a stream with its frame ring, as main hands it to the workers. */
export interface StreamMemory {
  readonly memory: WebAssembly.Memory;
  readonly ring: FrameRingLayout;
}

/** Makes the memory for streams of `format`; the packet worker finds its parts by the same rule. */
export function createStreamMemory(format: VideoPacketFormat): StreamMemory {
  const offsets = offsetsOf(format);
  const pages = Math.ceil(offsets.totalBytes / PAGE_BYTES);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  return {
    memory,
    ring: {
      memory: sharedBuffer(memory),
      headOffsetBytes: offsets.ringHeadOffsetBytes,
      dataOffsetBytes: offsets.ringDataOffsetBytes,
      slotBytes: offsets.ringSlotBytes,
    },
  };
}

/** Datagram slots of one block in a memory made by {@link createStreamMemory}. */
export function blockSlotsOf(memory: WebAssembly.Memory, format: VideoPacketFormat): SlotArea {
  return {
    memory: sharedBuffer(memory),
    offsetBytes: offsetsOf(format).slotsOffsetBytes,
    slotBytes: datagramBytesOf(format),
    slotCount: BLOCK_SLOTS_MAX,
  };
}

/** Where the parity kernel's tables lie. */
export function parityTablesOffsetOf(format: VideoPacketFormat): number {
  return offsetsOf(format).tablesOffsetBytes;
}

function offsetsOf(format: VideoPacketFormat): StreamMemoryOffsets {
  const ringHeadOffsetBytes = alignUp(PARITY_TABLE_BYTES);
  const ringDataOffsetBytes = alignUp(ringHeadOffsetBytes + FRAME_RING_HEAD_BYTES);
  const ringSlotBytes = alignUp(maxSendableBytes(format));
  const slotsOffsetBytes = alignUp(ringDataOffsetBytes + FRAME_RING_DEPTH * ringSlotBytes);
  return {
    tablesOffsetBytes: 0,
    ringHeadOffsetBytes,
    ringDataOffsetBytes,
    ringSlotBytes,
    slotsOffsetBytes,
    totalBytes: slotsOffsetBytes + BLOCK_SLOTS_MAX * datagramBytesOf(format),
  };
}

function alignUp(bytes: number): number {
  return Math.ceil(bytes / LINE_BYTES) * LINE_BYTES;
}

function sharedBuffer(memory: WebAssembly.Memory): SharedArrayBuffer {
  // The DOM types say ArrayBuffer; a memory made with `shared` has a SharedArrayBuffer.
  return memory.buffer as unknown as SharedArrayBuffer;
}
