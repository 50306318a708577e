/**
 * How one frame's shards are grouped into blocks and how much parity each block gets.
 *
 * The wire carries no parity count: a receiver derives M = ⌊(D · field + 99) / 100⌋ from the percent
 * field, so every count chosen here must come back out of that formula.
 * Source: GameStream §9.5.
 */
import { BLOCK_SHARDS_MAX } from './cauchy.ts';

/** The block index has two bits on the wire. */
export const BLOCKS_MAX = 4;
/** The data shard count has ten bits on the wire. */
export const BLOCK_DATA_SHARDS_LIMIT = 1023;
const PERCENT_FIELD_MAX = 255;

/** What the two sides agreed on about parity. */
export interface ParityRule {
  /** Parity shards per hundred data shards, 0…255; 0: data only. */
  readonly parityPct: number;
  /** Least parity shards per block, where there is parity at all. */
  readonly minParityShards: number;
}

/** Layout of one frame; one object may be reused for every frame. */
export interface BlockLayout {
  blockCount: number;
  /** Data shards of every block but the last. */
  dataShards: number;
  lastDataShards: number;
  /** Parity percent that applies to this frame: the rule's, or 0 for an oversize frame. */
  parityPct: number;
  /** More than four protected blocks would be needed: sent without parity, or not at all. */
  isOversize: boolean;
}

/** Parity shards a receiver derives from the wire's percent field. */
export function parityShardsOfField(dataShards: number, percentField: number): number {
  return Math.floor((dataShards * percentField + 99) / 100);
}

/**
 * Percent field for a block of `dataShards`: the rule's percentage, raised where the block would
 * otherwise get fewer than `minParityShards`; at most 255, which also bounds what a tiny block gets.
 */
export function percentFieldFor(dataShards: number, rule: ParityRule): number {
  const { parityPct, minParityShards } = rule;
  if (parityPct === 0) return 0;
  if (parityShardsOfField(dataShards, parityPct) >= minParityShards) return parityPct;
  let field = Math.floor((100 * minParityShards) / dataShards);
  // In blocks above a hundred shards rounding down can lose a parity shard again.
  if (parityShardsOfField(dataShards, field) < minParityShards) field += 1;
  return Math.min(field, PERCENT_FIELD_MAX);
}

/** Most data shards one protected block can hold: D + M ≤ 255 with the rule's parity. */
export function maxDataShards(rule: ParityRule): number {
  let dataShards = BLOCK_SHARDS_MAX;
  while (
    dataShards > 1 &&
    dataShards + parityShardsOfField(dataShards, percentFieldFor(dataShards, rule)) >
      BLOCK_SHARDS_MAX
  ) {
    dataShards -= 1;
  }
  return dataShards;
}

/**
 * Splits `shardCount` (≥ 1) data shards into blocks.
 *
 * @param maxShards data shards a protected block may hold, from {@link maxDataShards}
 * @returns false when the frame cannot be sent at all (more than 4 × 1023 shards); `into` then only
 * says that it is oversize
 */
export function layOutBlocks(
  shardCount: number,
  maxShards: number,
  parityPct: number,
  into: BlockLayout,
): boolean {
  const wanted = Math.ceil(shardCount / maxShards);
  into.isOversize = wanted > BLOCKS_MAX;
  into.parityPct = into.isOversize ? 0 : parityPct;
  const perBlock = Math.ceil(shardCount / Math.min(wanted, BLOCKS_MAX));
  if (perBlock > BLOCK_DATA_SHARDS_LIMIT) return false;
  into.dataShards = perBlock;
  into.blockCount = Math.ceil(shardCount / perBlock);
  into.lastDataShards = shardCount - perBlock * (into.blockCount - 1);
  return true;
}

/** An empty layout for {@link layOutBlocks} to fill. */
export function emptyLayout(): BlockLayout {
  return { blockCount: 0, dataShards: 0, lastDataShards: 0, parityPct: 0, isOversize: false };
}
