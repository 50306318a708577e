/**
 * Byte layout of a GameStream video datagram, shared by sender and receiver.
 *
 * | offset | size | field                                                                     |
 * |--------|------|---------------------------------------------------------------------------|
 * | 0      | 1    | 0x90: RTP version 2, extension bit                                        |
 * | 1      | 1    | 0: packet type                                                            |
 * | 2      | 2 BE | sequence number over all shards of all frames                             |
 * | 4      | 4 BE | timestamp, 90 kHz, the same for the whole frame                           |
 * | 8      | 8    | 0: SSRC, reserved                                                         |
 * | 16     | 4 LE | stream packet index: 24 bits of the sequence number << 8                  |
 * | 20     | 4 LE | frame index, from 1                                                       |
 * | 24     | 1    | flags: 1 picture, 2 end of block, 4 start of block                        |
 * | 25     | 1    | extra flags: 1 long-term reference                                        |
 * | 26     | 1    | 0x10                                                                      |
 * | 27     | 1    | block index << 4, last block index << 6                                   |
 * | 28     | 4 LE | parity percent << 4, shard index << 12, data shards << 22                 |
 * | 32     |      | payload                                                                   |
 *
 * A sealed datagram carries 32 bytes in front: IV 12, frame index 4 LE, GCM tag 16; the rest is the
 * ciphertext of the datagram above. Source: GameStream §9.1, §9.3, §9.6.
 */

/** Bytes in front of the payload. */
export const VIDEO_HEADER_BYTES = 32;
/** Bytes of the header that are not counted by the negotiated packet size. */
export const RTP_HEADER_BYTES = 16;
/** Bytes in front of a sealed datagram. */
export const SEAL_PREFIX_BYTES = 32;
export const SEAL_IV_BYTES = 12;
export const SEAL_TAG_OFFSET = 16;
export const SEAL_TAG_BYTES = 16;
/** Frame header at the front of a frame's first shard. */
export const FRAME_HEADER_BYTES = 8;

export const FLAG_PICTURE = 1;
export const FLAG_END = 2;
export const FLAG_START = 4;

/** Byte 3 of the frame header. */
export const FRAME_TYPE = { predicted: 1, idr: 2, intraRefresh: 4, afterInvalidation: 5 } as const;

/** Smallest packet size: one header and one more 16-byte line of payload. */
export const PACKET_SIZE_MIN = 32;
/** Largest packet size: 16-bit UDP length minus the IPv4, UDP, RTP and seal headers, in lines of 16. */
export const PACKET_SIZE_MAX = 65424;

/** What the packetizer and the receiver need to know of the agreed format. */
export interface VideoPacketFormat {
  /** `packetSize` of ANNOUNCE, a multiple of 16: a datagram is 16 bytes longer, 48 when sealed. */
  readonly packetSize: number;
  readonly parityPct: number;
  readonly minParityShards: number;
  readonly sealVideo: boolean;
}

/** Bytes of coded picture in one shard. */
export function payloadBytesOf(packetSize: number): number {
  return packetSize - (VIDEO_HEADER_BYTES - RTP_HEADER_BYTES);
}

/** Bytes of every datagram on the wire. */
export function datagramBytesOf(format: VideoPacketFormat): number {
  return format.packetSize + RTP_HEADER_BYTES + (format.sealVideo ? SEAL_PREFIX_BYTES : 0);
}

/** Whether a packet size can be used at all; parity and segmentation work on lines of 16 bytes. */
export function isUsablePacketSize(packetSize: number): boolean {
  return (
    Number.isInteger(packetSize) &&
    packetSize % 16 === 0 &&
    packetSize >= PACKET_SIZE_MIN &&
    packetSize <= PACKET_SIZE_MAX
  );
}
