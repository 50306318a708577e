/** Fields of a plain video datagram that a device looks at (GameStream §9.1, §9.6). Pure. */
import { viewOf } from './bytes.ts';
import { openGcm } from './gcm.ts';

const SEAL_BYTES = 32;
export const SHARD_HEADER_BYTES = 32;

export interface ShardHeader {
  readonly sequence: number;
  readonly rtpTimestamp: number;
  readonly frameIndex: number;
  readonly flags: number;
  readonly blockIndex: number;
  readonly blockCount: number;
  readonly shard: number;
  readonly dataShards: number;
  readonly parityShards: number;
  readonly percentField: number;
  /** SSRC and reserved bytes are as they must be; in data shards byte 26 too (parity codes over it). */
  readonly hasRightConstants: boolean;
}

/** The datagram inside a sealed one, or null when its tag does not fit. */
export function openVideoDatagram(key: Uint8Array, wire: Uint8Array): Uint8Array | null {
  if (wire.length <= SEAL_BYTES) return null;
  return openGcm(key, wire.subarray(0, 12), wire.subarray(16, 32), wire.subarray(SEAL_BYTES));
}

export function readShardHeader(datagram: Uint8Array): ShardHeader | null {
  if (datagram.length <= SHARD_HEADER_BYTES || ((datagram[0] ?? 0) & 0x90) !== 0x90) return null;
  const view = viewOf(datagram);
  const description = view.getUint32(28, true);
  const dataShards = description >>> 22;
  const percentField = (description >>> 4) & 255;
  const shard = (description >>> 12) & 1023;
  const isParity = shard >= dataShards;
  return {
    sequence: view.getUint16(2),
    rtpTimestamp: view.getUint32(4),
    frameIndex: view.getUint32(20, true),
    flags: view.getUint8(24),
    blockIndex: (view.getUint8(27) >>> 4) & 3,
    blockCount: (view.getUint8(27) >>> 6) + 1,
    shard,
    dataShards,
    parityShards: Math.floor((dataShards * percentField + 99) / 100),
    percentField,
    hasRightConstants:
      view.getUint32(8) === 0 &&
      view.getUint32(12) === 0 &&
      (isParity || view.getUint8(26) === 0x10),
  };
}
