import { describe, expect, test } from 'bun:test';
import {
  inputProblem,
  parametersProblem,
  planRate,
  referenceDepth,
  sliceThreads,
} from '../../src/encode/x264-settings.ts';
import { seededRandom } from '../support/random.ts';
import { parametersFor } from './moving-pictures.ts';

const AT_60 = { fpsNum: 60, fpsDen: 1, vbvFrames: 1, maxAccessUnitBytes: 1 << 20 };

describe('rate of software encoding', () => {
  test('the buffer is one frame’s share of the rate', () => {
    expect(planRate(10_000, AT_60)).toEqual({ bitrateKbps: 10_000, vbvBufferKbit: 167 });
    expect(planRate(10_000, { ...AT_60, vbvFrames: 1.5 }).vbvBufferKbit).toBe(250);
    expect(planRate(10_000, { ...AT_60, fpsNum: 5994, fpsDen: 100 }).vbvBufferKbit).toBe(167);
  });

  test('100 Mbit/s is the ceiling and 100 kbit/s the floor', () => {
    expect(planRate(500_000, AT_60).bitrateKbps).toBe(100_000);
    expect(planRate(1, AT_60).bitrateKbps).toBe(100);
  });

  test('rate and buffer shrink so that no access unit outgrows the wire', () => {
    const random = seededRandom('planRate');
    for (let round = 0; round < 20_000; round += 1) {
      const parameters = {
        fpsNum: random.int(1, 240),
        fpsDen: 1,
        vbvFrames: random.int(10, 40) / 10,
        maxAccessUnitBytes: random.int(20_000, 2_000_000),
      };
      const { bitrateKbps, vbvBufferKbit } = planRate(random.int(100, 500_000), parameters);
      const frameKbit = bitrateKbps / parameters.fpsNum;
      expect((vbvBufferKbit * 1000) / 8).toBeLessThanOrEqual(parameters.maxAccessUnitBytes);
      expect(vbvBufferKbit).toBeGreaterThanOrEqual(Math.floor(frameKbit));
    }
  });
});

describe('threads and references of software encoding', () => {
  test.each([
    [1, 2, 1080, 2],
    [1, 1, 1080, 2],
    [1, 16, 1080, 4],
    [6, 2, 1080, 6],
    [64, 2, 2160, 16],
    [4, 16, 144, 2],
    [1, 2, 64, 1],
  ])('%i slices asked, %i cores, %i lines: %i threads', (slices, cores, height, threads) => {
    expect(sliceThreads(slices, cores, height)).toBe(threads);
  });

  test.each([
    [0, 5],
    [1, 1],
    [3, 3],
    [16, 5],
  ])('a limit of %i references keeps %i pictures', (limit, depth) => {
    expect(referenceDepth(limit)).toBe(depth);
  });
});

describe('what reaches native code', () => {
  const I420 = (y: number, u: number, v: number) =>
    ({
      kind: 'i420',
      y: new Uint8Array(y),
      u: new Uint8Array(u),
      v: new Uint8Array(v),
      yStrideBytes: 64,
      uvStrideBytes: 32,
    }) as const;

  test('planes are measured to their last sample', () => {
    expect(inputProblem(I420(64 * 32, 32 * 16, 32 * 16), 64, 32)).toBeNull();
    expect(inputProblem(I420(64 * 32, 32 * 16, 32 * 16), 60, 32)).toBeNull();
    expect(inputProblem(I420(64 * 31 + 60, 32 * 15 + 30, 32 * 15 + 30), 60, 32)).toBeNull();
    expect(inputProblem(I420(64 * 32 - 1, 32 * 16, 32 * 16), 64, 32)).toContain('64x32');
    expect(inputProblem(I420(64 * 32, 32 * 16 - 1, 32 * 16), 64, 32)).toContain('64x32');
    expect(inputProblem(I420(64 * 32, 32 * 16, 0), 64, 32)).toContain('64x32');
    expect(inputProblem(I420(66 * 34, 33 * 17, 33 * 17), 66, 34)).toContain('66x34');
  });

  test('an NV12 plane that begins inside the luma plane is refused', () => {
    const data = new Uint8Array(64 * 48);
    const nv12 = { kind: 'nv12', data, strideBytes: 64 } as const;
    expect(inputProblem({ ...nv12, chromaOffsetBytes: 64 * 32 }, 64, 32)).toBeNull();
    expect(inputProblem({ ...nv12, chromaOffsetBytes: 64 * 31 }, 64, 32)).toContain('64x32');
    expect(inputProblem({ ...nv12, chromaOffsetBytes: 64 * 33 }, 64, 32)).toContain('64x32');
  });

  test.each([
    ['a rate of zero', { fpsNum: 0 }],
    ['a width of 14', { width: 14 }],
    ['a width of NaN', { width: Number.NaN }],
    ['a fractional height', { height: 480.5 }],
    ['a limit of 100 bytes', { maxAccessUnitBytes: 100 }],
    ['HDR', { hdr: true }],
  ])('%s is refused with a sentence', (_, change) => {
    expect(parametersProblem(parametersFor(change))).toBeString();
    expect(parametersProblem(parametersFor({}))).toBeNull();
  });
});
