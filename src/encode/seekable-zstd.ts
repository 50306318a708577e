/**
 * The seek table at the end of a chunked zstd file, so that a large asset is decompressed chunk by
 * chunk instead of as a whole. Pure; reads and writes the table only.
 * Source: zstd "seekable format" 0.1.0 (contrib/seekable_format): a skippable frame with one entry
 * per frame and a nine-byte footer.
 *
 * | offset from the table's start | size | field                                     |
 * |-------------------------------|------|-------------------------------------------|
 * | 0                             | 4 LE | 0x184D2A5E, skippable frame                |
 * | 4                             | 4 LE | bytes that follow                          |
 * | 8 + 8n                        | 4 LE | compressed bytes of frame n                |
 * | 12 + 8n                       | 4 LE | decompressed bytes of frame n              |
 * | end − 9                       | 4 LE | number of frames                           |
 * | end − 5                       | 1    | descriptor; 0: entries carry no checksums  |
 * | end − 4                       | 4 LE | 0x8F92EAB1                                 |
 */
const SKIPPABLE_MAGIC = 0x184d2a5e;
const SEEKABLE_MAGIC = 0x8f92eab1;
const HEADER_BYTES = 8;
const ENTRY_BYTES = 8;
const FOOTER_BYTES = 9;
/** An asset of 1 GiB in chunks of 1 MiB; more is a damaged file. */
const CHUNKS_MAX = 1024;
const CHUNK_BYTES_MAX = 64 << 20;

export interface ZstdChunk {
  readonly offsetBytes: number;
  readonly compressedBytes: number;
  readonly bytes: number;
}

/** Chunks of the file, or null when it does not end in a valid table that covers all of it. */
export function readSeekTable(file: Uint8Array): ZstdChunk[] | null {
  if (file.length < HEADER_BYTES + FOOTER_BYTES) return null;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const footer = file.length - FOOTER_BYTES;
  const count = view.getUint32(footer, true);
  if (view.getUint32(footer + 5, true) !== SEEKABLE_MAGIC || file[footer + 4] !== 0) return null;
  if (count > CHUNKS_MAX) return null;
  const table = footer - count * ENTRY_BYTES - HEADER_BYTES;
  if (table < 0 || view.getUint32(table, true) !== SKIPPABLE_MAGIC) return null;
  if (view.getUint32(table + 4, true) !== count * ENTRY_BYTES + FOOTER_BYTES) return null;
  const chunks: ZstdChunk[] = [];
  let offsetBytes = 0;
  for (let index = 0; index < count; index += 1) {
    const entry = table + HEADER_BYTES + index * ENTRY_BYTES;
    const compressedBytes = view.getUint32(entry, true);
    const bytes = view.getUint32(entry + 4, true);
    if (bytes > CHUNK_BYTES_MAX || offsetBytes + compressedBytes > table) return null;
    chunks.push({ offsetBytes, compressedBytes, bytes });
    offsetBytes += compressedBytes;
  }
  return offsetBytes === table ? chunks : null;
}

/** The table to append behind the frames. */
export function seekTable(
  frames: readonly { readonly compressedBytes: number; readonly bytes: number }[],
): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES + frames.length * ENTRY_BYTES + FOOTER_BYTES);
  const view = new DataView(out.buffer);
  view.setUint32(0, SKIPPABLE_MAGIC, true);
  view.setUint32(4, out.length - HEADER_BYTES, true);
  frames.forEach((frame, index) => {
    view.setUint32(HEADER_BYTES + index * ENTRY_BYTES, frame.compressedBytes, true);
    view.setUint32(HEADER_BYTES + index * ENTRY_BYTES + 4, frame.bytes, true);
  });
  const footer = out.length - FOOTER_BYTES;
  view.setUint32(footer, frames.length, true);
  view.setUint32(footer + 5, SEEKABLE_MAGIC, true);
  return out;
}
