/**
 * RGB to YUV kernels on 128-bit vectors. Four-byte pixels in, planes out; all addresses are byte
 * offsets into the imported memory and multiples of 16, widths are multiples of 16 pixels.
 *
 * Coefficients are Q15 per byte position, so one kernel serves BGRx and RGBx, every matrix and both
 * ranges. Block at `coefficients`: for luma, Cb and Cr a vector of the pattern c0 c2 and one of the
 * pattern c1 0 (i16), then two i32 biases (luma, chroma) that hold offset and rounding.
 * The scalar twin is convert-scalar.ts; both give the same bytes.
 */

// @ts-nocheck: AssemblyScript, compiled by packaging/build-wasm.ts.

/**
 * Weighted sum of four pixels, one i32 each: bytes 0 and 2 of a pixel as one pair of i16, byte 1 and
 * the unused byte as the other.
 */
// @ts-ignore: decorator
@inline
function component(pixels: v128, outer: v128, middle: v128, bias: v128): v128 {
  const even = i32x4.dot_i16x8_s(v128.and(pixels, i16x8.splat(255)), outer);
  const odd = i32x4.dot_i16x8_s(i16x8.shr_u(pixels, 8), middle);
  return i32x4.shr_s(i32x4.add(i32x4.add(even, odd), bias), 15);
}

/** Average of 2x2 blocks: eight pixels of two rows become four. */
// @ts-ignore: decorator
@inline
function shrink(a: v128, b: v128): v128 {
  return i8x16.avgr_u(
    v128.shuffle<i32>(a, b, 0, 2, 4, 6),
    v128.shuffle<i32>(a, b, 1, 3, 5, 7),
  );
}

/** Luma of 16 pixels to `target`. */
// @ts-ignore: decorator
@inline
function lumaRow16(
  p0: v128,
  p1: v128,
  p2: v128,
  p3: v128,
  outer: v128,
  middle: v128,
  bias: v128,
  target: usize,
): void {
  const low = i16x8.narrow_i32x4_s(
    component(p0, outer, middle, bias),
    component(p1, outer, middle, bias),
  );
  const high = i16x8.narrow_i32x4_s(
    component(p2, outer, middle, bias),
    component(p3, outer, middle, bias),
  );
  v128.store(target, i8x16.narrow_i16x8_u(low, high));
}

/**
 * Converts `width` x (2 * `rowPairs`) pixels to I420 (`chromaStep` 0) or NV12 (1; then `cb` is the
 * interleaved plane and `cr` is not used).
 */
export function convert(
  source: usize,
  sourceStride: usize,
  luma: usize,
  lumaStride: usize,
  cb: usize,
  cr: usize,
  chromaStride: usize,
  width: i32,
  rowPairs: i32,
  coefficients: usize,
  interleaved: i32,
): void {
  const outerY = v128.load(coefficients);
  const middleY = v128.load(coefficients, 16);
  const outerB = v128.load(coefficients, 32);
  const middleB = v128.load(coefficients, 48);
  const outerR = v128.load(coefficients, 64);
  const middleR = v128.load(coefficients, 80);
  const biasY = v128.load32_splat(coefficients, 96);
  const biasC = v128.load32_splat(coefficients, 100);
  for (let pair = 0; pair < rowPairs; pair += 1) {
    let upper = source + <usize>(2 * pair) * sourceStride;
    let lower = upper + sourceStride;
    let y0 = luma + <usize>(2 * pair) * lumaStride;
    let y1 = y0 + lumaStride;
    let u = cb + <usize>pair * chromaStride;
    let v = cr + <usize>pair * chromaStride;
    for (let x = 0; x < width; x += 16) {
      const a0 = v128.load(upper);
      const a1 = v128.load(upper, 16);
      const a2 = v128.load(upper, 32);
      const a3 = v128.load(upper, 48);
      const b0 = v128.load(lower);
      const b1 = v128.load(lower, 16);
      const b2 = v128.load(lower, 32);
      const b3 = v128.load(lower, 48);
      lumaRow16(a0, a1, a2, a3, outerY, middleY, biasY, y0);
      lumaRow16(b0, b1, b2, b3, outerY, middleY, biasY, y1);
      const c0 = shrink(i8x16.avgr_u(a0, b0), i8x16.avgr_u(a1, b1));
      const c1 = shrink(i8x16.avgr_u(a2, b2), i8x16.avgr_u(a3, b3));
      const blue = i16x8.narrow_i32x4_s(
        component(c0, outerB, middleB, biasC),
        component(c1, outerB, middleB, biasC),
      );
      const red = i16x8.narrow_i32x4_s(
        component(c0, outerR, middleR, biasC),
        component(c1, outerR, middleR, biasC),
      );
      // Low half: eight Cb, high half: eight Cr.
      const both = i8x16.narrow_i16x8_u(blue, red);
      if (interleaved) {
        v128.store(
          u,
          v128.shuffle<i8>(both, both, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15),
        );
        u += 16;
      } else {
        v128.store64_lane(u, both, 0);
        v128.store64_lane(v, both, 1);
        u += 8;
        v += 8;
      }
      upper += 64;
      lower += 64;
      y0 += 16;
      y1 += 16;
    }
  }
}

/** Halves a picture in both directions: averages of 2x2 pixels. Widths in pixels, target width. */
export function halve(
  source: usize,
  sourceStride: usize,
  target: usize,
  targetStride: usize,
  targetWidth: i32,
  targetHeight: i32,
): void {
  for (let row = 0; row < targetHeight; row += 1) {
    let upper = source + <usize>(2 * row) * sourceStride;
    let lower = upper + sourceStride;
    let out = target + <usize>row * targetStride;
    for (let x = 0; x < targetWidth; x += 4) {
      v128.store(
        out,
        shrink(
          i8x16.avgr_u(v128.load(upper), v128.load(lower)),
          i8x16.avgr_u(v128.load(upper, 16), v128.load(lower, 16)),
        ),
      );
      upper += 32;
      lower += 32;
      out += 16;
    }
  }
}

/** `a` and `b` blended by 256ths, rounded. */
// @ts-ignore: decorator
@inline
function blend(a: v128, b: v128, weightA: v128, weightB: v128, half: v128): v128 {
  return i16x8.shr_u(
    i16x8.add(i16x8.add(i16x8.mul(a, weightA), i16x8.mul(b, weightB)), half),
    8,
  );
}

/** A pixel and its right neighbour at `source`, times their weights. */
// @ts-ignore: decorator
@inline
function weighPair(source: usize, weights: usize): v128 {
  return i16x8.mul(i16x8.extend_low_i8x16_u(v128.load64_zero(source)), v128.load(weights));
}

/**
 * One target row by linear interpolation; `targetWidth` is even. `columns` holds one u32 per target
 * pixel, the byte offset of its left source pixel; `weights` holds eight i16 per target pixel, the
 * share of the left pixel in 256ths four times, then that of the right one. The two source rows are
 * blended first by `rowWeight` (0–255) into `blended`, which has room for one source row and 32
 * bytes more.
 */
export function bilinearRow(
  upper: usize,
  lower: usize,
  rowWeight: i32,
  sourceWidth: i32,
  blended: usize,
  columns: usize,
  weights: usize,
  target: usize,
  targetWidth: i32,
): void {
  const weightLower = i16x8.splat(<i16>rowWeight);
  const weightUpper = i16x8.splat(<i16>(256 - rowWeight));
  const half = i16x8.splat(128);
  const bytes = <usize>sourceWidth * 4;
  for (let at: usize = 0; at < bytes; at += 16) {
    const a = v128.load(upper + at);
    const b = v128.load(lower + at);
    v128.store(
      blended + at,
      i8x16.narrow_i16x8_u(
        blend(
          i16x8.extend_low_i8x16_u(a),
          i16x8.extend_low_i8x16_u(b),
          weightUpper,
          weightLower,
          half,
        ),
        blend(
          i16x8.extend_high_i8x16_u(a),
          i16x8.extend_high_i8x16_u(b),
          weightUpper,
          weightLower,
          half,
        ),
      ),
    );
  }
  // The pixel right of the last one repeats it.
  store<u32>(blended + bytes, load<u32>(blended + bytes - 4));
  const end = columns + (<usize>targetWidth << 2);
  let column = columns;
  let weight = weights;
  let out = target;
  while (column < end) {
    const first = weighPair(blended + <usize>load<u32>(column), weight);
    const second = weighPair(blended + <usize>load<u32>(column, 4), weight + 16);
    const sum = i16x8.add(
      i16x8.add(
        v128.shuffle<i64>(first, second, 0, 2),
        v128.shuffle<i64>(first, second, 1, 3),
      ),
      half,
    );
    const pixels = i16x8.shr_u(sum, 8);
    v128.store64_lane(out, i8x16.narrow_i16x8_u(pixels, pixels), 0);
    column += 8;
    weight += 32;
    out += 8;
  }
}
