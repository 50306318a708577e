import { describe, expect, test } from 'bun:test';
import { colourCoefficients, LUMA_SHARES } from '../../src/capture/colour-coefficients.ts';
import { FrameConverter } from '../../src/capture/convert.ts';
import { scalarKernels } from '../../src/capture/convert-scalar.ts';
import type { MemoryFrame, PixelFormat } from '../../src/capture/port.ts';
import type { EncoderInput } from '../../src/encode/port.ts';
import type { ColourDescription, ColourMatrix } from '../../src/session/mode.ts';
import { seededRandom } from '../support/random.ts';

type Rgb = readonly [red: number, green: number, blue: number];
const MATRICES: readonly ColourMatrix[] = ['bt601', 'bt709', 'bt2020'];
const BT709: ColourDescription = { matrix: 'bt709', fullRange: false };
const RGB_FORMATS = ['BGRx', 'BGRA', 'RGBx', 'RGBA'] as const;

function frameOf(
  width: number,
  height: number,
  format: (typeof RGB_FORMATS)[number],
  colourAt: (x: number, y: number) => Rgb,
  strideBytes = width * 4,
): MemoryFrame {
  const data = new Uint8Array(strideBytes * height).fill(0x5a);
  const isRedFirst = format.startsWith('R');
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const [red, green, blue] = colourAt(x, y);
      const at = y * strideBytes + x * 4;
      data.set(isRedFirst ? [red, green, blue, x & 255] : [blue, green, red, x & 255], at);
    }
  }
  return { kind: 'memory', format, width, height, data, strideBytes, captureNs: 0 };
}

/** Exact conversion of one colour, straight from the definition. */
function exact([red, green, blue]: Rgb, { matrix, fullRange }: ColourDescription): number[] {
  const shares = LUMA_SHARES[matrix];
  const luma =
    (shares.red * red + (1 - shares.red - shares.blue) * green + shares.blue * blue) / 255;
  const cb = (blue / 255 - luma) / (2 * (1 - shares.blue));
  const cr = (red / 255 - luma) / (2 * (1 - shares.red));
  return fullRange
    ? [255 * luma, 128 + 255 * cb, 128 + 255 * cr]
    : [16 + 219 * luma, 128 + 224 * cb, 128 + 224 * cr];
}

interface Planes {
  readonly y: number[][];
  readonly u: number[][];
  readonly v: number[][];
}

/** Samples of the visible picture, row by row. */
function planesOf(input: EncoderInput, width: number, height: number): Planes {
  const rows = (bytes: Uint8Array, stride: number, columns: number, count: number, step = 1) =>
    Array.from({ length: count }, (_, row) =>
      Array.from({ length: columns }, (_, x) => bytes[row * stride + x * step] ?? -1),
    );
  if (input.kind === 'i420') {
    return {
      y: rows(input.y, input.yStrideBytes, width, height),
      u: rows(input.u, input.uvStrideBytes, width / 2, height / 2),
      v: rows(input.v, input.uvStrideBytes, width / 2, height / 2),
    };
  }
  if (input.kind !== 'nv12') throw new Error(`no planes in ${input.kind}`);
  const chroma = input.data.subarray(input.chromaOffsetBytes);
  return {
    y: rows(input.data, input.strideBytes, width, height),
    u: rows(chroma, input.strideBytes, width / 2, height / 2, 2),
    v: rows(chroma.subarray(1), input.strideBytes, width / 2, height / 2, 2),
  };
}

function convert(
  frame: MemoryFrame,
  width: number,
  height: number,
  colour = BT709,
  output: 'i420' | 'nv12' = 'i420',
  kernels?: typeof scalarKernels,
): Planes {
  const converter = new FrameConverter({ width, height, colour, output }, kernels);
  const planes = planesOf(converter.convert(frame), width, height);
  converter.close();
  return planes;
}

describe('colour conversion', () => {
  test.each([
    ['black', [0, 0, 0], [16, 128, 128]],
    ['white', [255, 255, 255], [235, 128, 128]],
    ['red', [255, 0, 0], [63, 102, 240]],
    ['green', [0, 255, 0], [173, 42, 26]],
    ['blue', [0, 0, 255], [32, 240, 118]],
    ['mid-grey', [128, 128, 128], [126, 128, 128]],
  ] as [string, Rgb, number[]][])('%s is exact in BT.709 limited range', (_, rgb, yuv) => {
    const { y, u, v } = convert(
      frameOf(32, 2, 'BGRx', () => rgb),
      32,
      2,
    );
    expect([y[0]?.[0], u[0]?.[0], v[0]?.[0]]).toEqual(yuv);
    expect([y[1]?.[31], u[0]?.[15], v[0]?.[15]]).toEqual(yuv);
  });

  test('every colour of a 9x9x9 grid lies within 1 of the definition, all matrices and ranges', () => {
    for (const matrix of MATRICES) {
      for (const fullRange of [false, true]) {
        const colour = { matrix, fullRange };
        // One colour per 2x2 block, so that chroma has no neighbours to mix with.
        const colourOf = (block: number): Rgb => [
          Math.round((block % 9) * 31.875),
          Math.round((Math.floor(block / 9) % 9) * 31.875),
          Math.round(Math.floor(block / 81) * 31.875),
        ];
        const { y, u, v } = convert(
          frameOf(1458, 2, 'RGBx', (x) => colourOf(x >> 1)),
          1458,
          2,
          colour,
        );
        for (let block = 0; block < 729; block += 1) {
          const wanted = exact(colourOf(block), colour);
          const got = [y[0]?.[block * 2], u[0]?.[block], v[0]?.[block]];
          got.forEach((value, index) => {
            expect(Math.abs((value ?? -9) - (wanted[index] ?? 0))).toBeLessThanOrEqual(1);
          });
        }
      }
    }
  });

  test('greys have chroma exactly 128 and white its nominal level in every description', () => {
    for (const matrix of MATRICES) {
      for (const fullRange of [false, true]) {
        const grey = frameOf(512, 2, 'BGRx', (x) => [x >> 1, x >> 1, x >> 1]);
        const { y, u, v } = convert(grey, 512, 2, { matrix, fullRange });
        expect(new Set([...(u[0] ?? []), ...(v[0] ?? [])])).toEqual(new Set([128]));
        expect([y[0]?.[0], y[0]?.[511]]).toEqual(fullRange ? [0, 255] : [16, 235]);
      }
    }
  });

  test('the weights of BT.709 limited range are the published integers', () => {
    expect(colourCoefficients(BT709)).toMatchObject({
      luma: [5983, 20127, 2032],
      cb: [-3298, -11094, 14392],
      cr: [14392, -13072, -1320],
    });
  });

  test('vectors and scalar twin give the same bytes for random sizes, strides and contents', () => {
    const random = seededRandom('convert');
    for (let round = 0; round < 60; round += 1) {
      const sourceWidth = random.int(1, 90);
      const sourceHeight = random.int(1, 40);
      const format = RGB_FORMATS[random.int(0, 3)] ?? 'BGRx';
      const strideBytes = sourceWidth * 4 + random.int(0, 5) * 4;
      const frame: MemoryFrame = {
        kind: 'memory',
        format,
        width: sourceWidth,
        height: sourceHeight,
        data: random.bytes(strideBytes * sourceHeight),
        strideBytes,
        captureNs: 0,
      };
      // Half of the rounds keep the size, the others scale.
      const keeps = round % 2 === 0;
      const width = (keeps ? (sourceWidth + 1) >> 1 : random.int(1, 50)) * 2;
      const height = (keeps ? (sourceHeight + 1) >> 1 : random.int(1, 30)) * 2;
      const colour = {
        matrix: MATRICES[random.int(0, 2)] ?? 'bt709',
        fullRange: random.int(0, 1) === 1,
      };
      const output = random.int(0, 1) === 1 ? 'nv12' : 'i420';
      const vector = convert(frame, width, height, colour, output);
      const scalar = convert(frame, width, height, colour, output, scalarKernels);
      expect(vector).toEqual(scalar);
    }
  });

  test('all four byte orders and both outputs show the same picture', () => {
    const random = seededRandom('byte orders');
    const colours = random.bytes(64 * 16 * 3);
    const colourAt = (x: number, y: number): Rgb => {
      const at = (y * 64 + x) * 3;
      return [colours[at] ?? 0, colours[at + 1] ?? 0, colours[at + 2] ?? 0];
    };
    const first = convert(frameOf(64, 16, 'BGRx', colourAt), 64, 16);
    for (const format of RGB_FORMATS) {
      const frame = frameOf(64, 16, format, colourAt, 300);
      expect(convert(frame, 64, 16)).toEqual(first);
      expect(convert(frame, 64, 16, BT709, 'nv12')).toEqual(first);
    }
  });
});

describe('sources that differ from the encode size', () => {
  const ramp = (x: number, y: number): Rgb => [(x * 7) & 255, (y * 11) & 255, (x * y) & 255];

  test('an odd source repeats its last column and row', () => {
    const odd = convert(frameOf(33, 17, 'BGRx', ramp), 34, 18);
    const padded = frameOf(34, 18, 'BGRx', (x, y) => ramp(Math.min(x, 32), Math.min(y, 16)));
    expect(odd).toEqual(convert(padded, 34, 18));
  });

  test('a source one pixel larger loses its last column and row', () => {
    const larger = convert(frameOf(33, 17, 'BGRx', ramp), 32, 16);
    expect(larger).toEqual(convert(frameOf(32, 16, 'BGRx', ramp), 32, 16));
  });

  test.each([
    [64, 48, 128, 72],
    [100, 40, 64, 64],
    [1280, 720, 320, 240],
    [37, 91, 64, 64],
  ])('%ix%i into %ix%i keeps its shape, centred on black', (sw, sh, width, height) => {
    const { y, u } = convert(
      frameOf(sw, sh, 'BGRx', () => [255, 255, 255]),
      width,
      height,
    );
    const row = y[height / 2] ?? [];
    const column = y.map((line) => line[width / 2] ?? 0);
    const whiteWidth = row.filter((value) => value === 235).length;
    const whiteHeight = column.filter((value) => value === 235).length;
    const ratio = Math.min(width / sw, height / sh);

    expect(Math.abs(whiteWidth - sw * ratio)).toBeLessThanOrEqual(2);
    expect(Math.abs(whiteHeight - sh * ratio)).toBeLessThanOrEqual(2);
    expect(new Set(y.flat())).toEqual(new Set([16, 235]));
    expect(Math.abs(row.indexOf(235) - (width - row.lastIndexOf(235) - 1))).toBeLessThanOrEqual(2);
    expect(new Set(u.flat())).toEqual(new Set([128]));
  });

  test('scaling a smooth ramp keeps it smooth and in place', () => {
    for (const [width, height] of [
      [480, 270],
      [160, 90],
      [106, 60],
    ] as const) {
      const source = frameOf(320, 180, 'BGRx', (x) => [x * 0.8, x * 0.8, x * 0.8]);
      const line = convert(source, width, height, { matrix: 'bt709', fullRange: true }).y[20] ?? [];
      line.forEach((value, x) => {
        const wanted = (((x + 0.5) * 320) / width - 0.5) * 0.8;
        expect(Math.abs(value - Math.max(0, wanted))).toBeLessThanOrEqual(2.5);
      });
    }
  });

  test('the size may change between frames; the result is always the encode size', () => {
    const converter = new FrameConverter({ width: 64, height: 64, colour: BT709, output: 'i420' });
    for (const [width, height] of [
      [64, 64],
      [128, 128],
      [30, 30],
      [64, 64],
    ] as const) {
      const input = converter.convert(frameOf(width, height, 'BGRx', () => [255, 255, 255]));
      expect(planesOf(input, 64, 64).y[32]?.[32]).toBe(235);
    }
  });
});

describe('sources that are YUV already', () => {
  function yuvFrame(format: Extract<PixelFormat, 'I420' | 'NV12'>, width: number, height: number) {
    const strideBytes = width + 3;
    const chromaRows = (height + 1) >> 1;
    const chromaStride = format === 'I420' ? (strideBytes + 1) >> 1 : strideBytes;
    const data = new Uint8Array(strideBytes * height + chromaStride * chromaRows * 2);
    const chroma = strideBytes * height;
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) data[y * strideBytes + x] = 20 + x + y;
    }
    for (let y = 0; y < chromaRows; y += 1) {
      for (let x = 0; x < (width + 1) >> 1; x += 1) {
        const u = format === 'I420' ? y * chromaStride + x : y * chromaStride + 2 * x;
        const v = format === 'I420' ? u + chromaStride * chromaRows : u + 1;
        data[chroma + u] = 100 + x;
        data[chroma + v] = 150 + y;
      }
    }
    return { kind: 'memory', format, width, height, data, strideBytes, captureNs: 0 } as const;
  }

  test('I420 and NV12 arrive unchanged in either output', () => {
    for (const format of ['I420', 'NV12'] as const) {
      for (const output of ['i420', 'nv12'] as const) {
        const { y, u, v } = convert(yuvFrame(format, 48, 20), 48, 20, BT709, output);
        expect([y[0]?.[0], y[19]?.[47]]).toEqual([20, 86]);
        expect([u[0]?.[0], u[9]?.[23], v[0]?.[0], v[9]?.[23]]).toEqual([100, 123, 150, 159]);
      }
    }
  });

  test('another size is centred on black or cut', () => {
    const small = convert(yuvFrame('I420', 20, 10), 40, 30);
    expect([small.y[0]?.[0], small.u[0]?.[0], small.y[10]?.[10]]).toEqual([16, 128, 20]);
    const large = convert(yuvFrame('NV12', 40, 30), 20, 10);
    expect(large.y[0]?.[0]).toBe(20 + 10 + 10);
  });
});

describe('what a converter refuses', () => {
  test('an odd encode size', () => {
    const parameters = { height: 64, colour: BT709, output: 'i420' } as const;
    expect(() => new FrameConverter({ ...parameters, width: 63 })).toThrow('63x64');
  });

  test('a picture that is shorter than its size says, in every format', () => {
    const converter = new FrameConverter({ width: 64, height: 64, colour: BT709, output: 'i420' });
    for (const format of [...RGB_FORMATS, 'I420', 'NV12'] as const) {
      const isYuv = format === 'I420' || format === 'NV12';
      const wholeBytes = 64 * 64 * (isYuv ? 1.5 : 4);
      const frame = {
        kind: 'memory',
        format,
        width: 64,
        height: 64,
        strideBytes: isYuv ? 64 : 256,
        captureNs: 0,
      } as const;
      converter.convert({ ...frame, data: new Uint8Array(wholeBytes) });
      const short = new Uint8Array(wholeBytes - 1);
      expect(() => converter.convert({ ...frame, data: short })).toThrow('64x64');
      const narrow = { ...frame, strideBytes: frame.strideBytes - 1, data: new Uint8Array(65536) };
      expect(() => converter.convert(narrow)).toThrow('64x64');
    }
  });

  test('a picture of no size or of an absurd one', () => {
    const converter = new FrameConverter({ width: 64, height: 64, colour: BT709, output: 'i420' });
    for (const [width, height] of [
      [0, 64],
      [64, Number.NaN],
      [20_000, 64],
    ] as const) {
      const frame = frameOf(1, 1, 'BGRx', () => [0, 0, 0]);
      expect(() => converter.convert({ ...frame, width, height })).toThrow('cannot be converted');
    }
  });
});
