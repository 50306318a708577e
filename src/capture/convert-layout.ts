/**
 * Where everything lies in a converter's memory, and how a source of another size is fitted. Pure.
 *
 * A source that differs by at most one pixel per side is taken as it is: its last column or row is
 * repeated or left out. Any other source is scaled to fit and centred on black, first by halving
 * while it is twice as large, then by linear interpolation.
 */

const PAGE_BYTES = 65536;
/** Kernels work on 16 pixels at a time. */
const GRAIN_PIXELS = 16;
/** Room behind a row for whole-vector access. */
const SLACK_BYTES = 64;
/** Six vectors of weights and two biases, see kernels/convert.as.ts. */
export const COEFFICIENT_BYTES = 128;
/** Largest side of a source: 8K with reserve. */
export const SOURCE_SIDE_MAX = 16384;

export interface Fit {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly top: number;
  /** How often the source is halved before interpolation. */
  readonly halvings: number;
}

export interface Picture {
  readonly offset: number;
  readonly strideBytes: number;
  readonly width: number;
  readonly height: number;
}

export interface ConvertLayout {
  readonly source: Picture;
  /** Null: the source is converted as it is. */
  readonly scaling: {
    readonly fit: Fit;
    /** The source, then each halved copy. */
    readonly levels: readonly Picture[];
    readonly canvas: Picture;
    /** Per target column: offset of the left source pixel, and weights. */
    readonly columns: number;
    readonly weights: number;
    readonly blended: number;
  } | null;
  readonly luma: number;
  readonly cb: number;
  readonly cr: number;
  readonly lumaStride: number;
  readonly chromaStride: number;
  readonly coefficients: number;
  readonly bytes: number;
  readonly pages: number;
}

const align = (value: number, grain: number): number => Math.ceil(value / grain) * grain;
const evenFloor = (value: number): number => Math.max(2, Math.floor(value / 2) * 2);

/** Largest picture of the source's shape inside the target; sizes and offsets are even. */
export function fitInside(
  sourceWidth: number,
  sourceHeight: number,
  targetWidth: number,
  targetHeight: number,
): Fit {
  const ratio = Math.min(targetWidth / sourceWidth, targetHeight / sourceHeight);
  const width = Math.min(targetWidth, evenFloor(Math.round(sourceWidth * ratio) + 1));
  const height = Math.min(targetHeight, evenFloor(Math.round(sourceHeight * ratio) + 1));
  let halvings = 0;
  while (sourceWidth >> (halvings + 1) >= width && sourceHeight >> (halvings + 1) >= height) {
    halvings += 1;
  }
  return {
    width,
    height,
    left: Math.floor((targetWidth - width) / 4) * 2,
    top: Math.floor((targetHeight - height) / 4) * 2,
    halvings,
  };
}

/** @param interleaved NV12 instead of I420 */
export function layoutFor(
  source: { readonly width: number; readonly height: number },
  target: { readonly width: number; readonly height: number },
  interleaved: boolean,
): ConvertLayout {
  let end = 0;
  const place = (bytes: number): number => {
    const offset = end;
    end += align(bytes + SLACK_BYTES, SLACK_BYTES);
    return offset;
  };
  const picture = (width: number, height: number): Picture => {
    const strideBytes = align(width, GRAIN_PIXELS) * 4;
    return { offset: place(strideBytes * height), strideBytes, width, height };
  };

  const isDirect =
    Math.abs(source.width - target.width) <= 1 && Math.abs(source.height - target.height) <= 1;
  const first = isDirect
    ? picture(Math.max(source.width, target.width), Math.max(source.height, target.height))
    : picture(source.width, source.height);
  const lumaStride = align(target.width, GRAIN_PIXELS);
  const chromaStride = interleaved ? lumaStride : lumaStride / 2;
  const scaling = isDirect ? null : scalingFor(first);
  const luma = place(lumaStride * target.height);
  const cb = place((chromaStride * target.height) / 2);
  const cr = interleaved ? cb : place((chromaStride * target.height) / 2);
  const coefficients = place(COEFFICIENT_BYTES);
  return {
    source: first,
    scaling,
    luma,
    cb,
    cr,
    lumaStride,
    chromaStride,
    coefficients,
    bytes: end,
    pages: Math.ceil(end / PAGE_BYTES),
  };

  function scalingFor(full: Picture): ConvertLayout['scaling'] {
    const fit = fitInside(source.width, source.height, target.width, target.height);
    const levels = [full];
    for (let level = 1; level <= fit.halvings; level += 1) {
      levels.push(picture(source.width >> level, source.height >> level));
    }
    const smallest = levels.at(-1) ?? full;
    return {
      fit,
      levels,
      canvas: picture(target.width, target.height),
      columns: place(target.width * 4),
      weights: place(target.width * 16),
      blended: place(smallest.strideBytes),
    };
  }
}
