/**
 * Counts what arrived of the current block, for the parity status a device reports when a frame
 * needed recovery or was lost (GameStream §7.2, 0x5502). Pure.
 */
import type { ParityStatus } from './control-messages.ts';
import type { ShardHeader } from './shard-header.ts';

export class ParityLedger {
  #header: ShardHeader | null = null;
  readonly #received = new Set<number>();

  /** Counts a shard; returns the status of the block before it when that one ended incomplete. */
  count(header: ShardHeader): ParityStatus | null {
    const current = this.#header;
    const isSameBlock =
      current?.frameIndex === header.frameIndex && current.blockIndex === header.blockIndex;
    const left = isSameBlock ? null : this.status();
    if (!isSameBlock) {
      this.#header = header;
      this.#received.clear();
    }
    this.#received.add(header.shard);
    return left;
  }

  /** Status of the current block; null when all its data shards arrived by themselves. */
  status(): ParityStatus | null {
    const header = this.#header;
    if (!header) return null;
    const shards = [...this.#received];
    const receivedData = shards.filter((shard) => shard < header.dataShards).length;
    if (receivedData === header.dataShards) return null;
    const highest = Math.max(...shards);
    let contiguous = 0;
    while (this.#received.has(contiguous)) contiguous += 1;
    const sequenceOf = (shard: number) => (header.sequence + shard - header.shard) & 0xffff;
    return {
      frameIndex: header.frameIndex,
      highestSequence: sequenceOf(highest),
      nextContiguousSequence: sequenceOf(contiguous),
      missingBeforeHighest: highest + 1 - shards.length,
      dataShards: header.dataShards,
      parityShards: header.parityShards,
      receivedData,
      receivedParity: shards.length - receivedData,
      percentField: header.percentField,
      blockIndex: header.blockIndex,
      blockCount: header.blockCount,
    };
  }
}
