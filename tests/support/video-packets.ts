/** A packetizer on a memory of its own, and its datagrams as separate arrays. */
import { bindParityKernel } from '../../src/fec/parity-kernel.ts';
import { GameStreamVideoPacketizer, type VideoFrame } from '../../src/packet/gamestream-video.ts';
import type { VideoPacketFormat } from '../../src/packet/gamestream-video-format.ts';
import { RuntimeVideoSealer } from '../../src/packet/gamestream-video-seal.ts';
import { loadParityModule } from '../../src/pipeline/parity-module.ts';
import {
  blockSlotsOf,
  createStreamMemory,
  parityTablesOffsetOf,
} from '../../src/pipeline/stream-memory.ts';

const parityModule = loadParityModule();

export const TEST_KEY = Uint8Array.from({ length: 16 }, (_, index) => index);

export interface PacketBench {
  readonly packetizer: GameStreamVideoPacketizer;
  /** Datagrams of a frame, block by block; null when the packetizer refused it. */
  split(
    accessUnit: Uint8Array,
    frame: Partial<VideoFrame> & { readonly frameIndex: number },
  ): Uint8Array[][] | null;
}

/** A packetizer of `format`; `maxShards` forces small blocks. */
export function createPacketBench(format: VideoPacketFormat, maxShards?: number): PacketBench {
  const { memory, ring } = createStreamMemory(format);
  const slots = blockSlotsOf(memory, format);
  const kernel = bindParityKernel(parityModule, memory, parityTablesOffsetOf(format));
  const sealer = format.sealVideo ? new RuntimeVideoSealer(TEST_KEY, slots) : null;
  const packetizer = new GameStreamVideoPacketizer(format, slots, kernel, sealer, maxShards);
  const bytes = new Uint8Array(slots.memory);
  return {
    packetizer,
    split(accessUnit, frame) {
      bytes.set(accessUnit, ring.dataOffsetBytes);
      const isAccepted = packetizer.begin({
        offsetBytes: ring.dataOffsetBytes,
        lengthBytes: accessUnit.length,
        rtpTimestamp: 1,
        frameType: 1,
        latencyTenthMs: 0,
        ...frame,
      });
      if (!isAccepted) return null;
      const blocks: Uint8Array[][] = [];
      for (let count = packetizer.nextBlock(); count > 0; count = packetizer.nextBlock()) {
        packetizer.seal(0, count);
        const at = (index: number) => slots.offsetBytes + index * slots.slotBytes;
        blocks.push(
          Array.from({ length: count }, (_, index) => bytes.slice(at(index), at(index + 1))),
        );
      }
      return blocks;
    },
  };
}
