/**
 * How a device recognises a key picture: parameter sets at the very front, then a key slice, all
 * within the first shard (GameStream §9.4). Pure.
 */

export type Codec = 'h264' | 'hevc' | 'av1';

export interface PictureStart {
  /** The first byte after the frame header belongs to a start code. */
  readonly hasStartCode: boolean;
  readonly isKey: boolean;
}

const H264 = { slice: 1, keySlice: 5, sei: 6, sps: 7, pps: 8, delimiter: 9 } as const;
const HEVC = { vps: 32, sps: 33, pps: 34, delimiter: 35, sei: 39 } as const;

/** @param head bytes of the access unit that lie in the first shard */
export function readPictureStart(codec: Codec, head: Uint8Array, frameType: number): PictureStart {
  if (codec === 'av1') return { hasStartCode: true, isKey: frameType === 2 };
  const units = unitsOf(codec, head);
  const hasStartCode = units[0]?.at === 0;
  return {
    hasStartCode,
    isKey:
      hasStartCode &&
      isKey(
        codec,
        units.map((unit) => unit.type),
      ),
  };
}

function isKey(codec: 'h264' | 'hevc', types: readonly number[]): boolean {
  const skipped: readonly number[] =
    codec === 'h264' ? [H264.delimiter, H264.sei] : [HEVC.delimiter, HEVC.sei];
  const wanted = codec === 'h264' ? [H264.sps, H264.pps] : [HEVC.vps, HEVC.sps, HEVC.pps];
  let next = 0;
  for (const type of types) {
    if (skipped.includes(type)) continue;
    if (next < wanted.length) {
      if (type !== wanted[next]) return false;
      next += 1;
      continue;
    }
    return codec === 'h264' ? type === H264.keySlice : type >= 16 && type <= 21;
  }
  return false;
}

/** Types of the units that begin in `head`, and where their start codes begin. */
function unitsOf(codec: 'h264' | 'hevc', head: Uint8Array): { type: number; at: number }[] {
  const units: { type: number; at: number }[] = [];
  for (let at = 0; at + 3 < head.length; at += 1) {
    if (head[at] !== 0 || head[at + 1] !== 0 || head[at + 2] !== 1) continue;
    const first = head[at + 3] ?? 0;
    const start = at > 0 && head[at - 1] === 0 ? at - 1 : at;
    units.push({ type: codec === 'h264' ? first & 31 : (first >> 1) & 63, at: start });
    at += 3;
  }
  return units;
}
