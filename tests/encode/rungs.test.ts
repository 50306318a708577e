import { describe, expect, test } from 'bun:test';
import { readCounter } from '../../src/capture/card-counter.ts';
import { FIRST_PACKET_BYTES } from '../../src/encode/access-unit-buffer.ts';
import { addonX264Rung } from '../../src/encode/addon-x264.ts';
import { forEachNal, NAL, nalHeaderAt } from '../../src/encode/annexb.ts';
import { parseSps, spsProblem } from '../../src/encode/h264-sps.ts';
import type { EncodedChunk, EncoderInput, VideoEncoder } from '../../src/encode/port.ts';
import { x264Rung } from '../../src/encode/x264.ts';
import { decodeLuma, ffmpegPath, ffprobePath, NO_FFMPEG, streamFacts } from './decoding.ts';
import { panningTexture, parametersFor, testCardPictures } from './moving-pictures.ts';

const WIDTH = 640;
const HEIGHT = 368;
const FPS = 60;
const MATRICES = ['bt601', 'bt709', 'bt2020'] as const;

interface Unit extends EncodedChunk {
  readonly data: Uint8Array;
}

/** Encodes one picture and copies its access unit out. */
function encode(encoder: VideoEncoder, input: EncoderInput, id: number, idr = false): Unit {
  encoder.submit(input, id, { idr });
  const chunk = encoder.poll();
  if (!chunk) throw new Error(`no access unit for picture ${id}`);
  expect(encoder.poll()).toBeNull();
  return { ...chunk, data: chunk.data.slice() };
}

function nalTypes(unit: Uint8Array): number[] {
  const types: number[] = [];
  forEachNal(unit, (type) => types.push(type));
  return types;
}

function spsOf(unit: Uint8Array) {
  let found: ReturnType<typeof parseSps> = null;
  forEachNal(unit, (type, start, end) => {
    if (type === NAL.sps) found = parseSps(unit, nalHeaderAt(unit, start), end);
  });
  return found as ReturnType<typeof parseSps>;
}

for (const rung of [x264Rung(2), addonX264Rung(2)]) {
  const probed = rung.probe();
  const reason = probed.available ? '' : ` (skipped: ${probed.missing})`;
  const isMissing = !probed.available;

  describe(`encoder rung ${rung.name}${reason}`, () => {
    test.skipIf(isMissing || !ffmpegPath)(
      `120 frames decode to 120 pictures whose counters follow each other${NO_FFMPEG}`,
      () => {
        const encoder = rung.open(
          parametersFor({ width: WIDTH, height: HEIGHT, bitrateKbps: 3000 }),
        );
        const picture = testCardPictures(WIDTH, HEIGHT);
        const units = Array.from({ length: 120 }, (_, id) => encode(encoder, picture(id), id));
        encoder.close();

        const counters = decodeLuma(
          units.map((unit) => unit.data),
          WIDTH,
          HEIGHT,
        ).map((luma) => readCounter(luma, WIDTH));

        expect(counters).toEqual(Array.from({ length: 120 }, (_, id) => id));
      },
    );

    test.skipIf(isMissing)(
      'no access unit outgrows 1.1 frame budgets, forced IDRs included',
      () => {
        for (const bitrateKbps of [3000, 10_000]) {
          const budgetBytes = (bitrateKbps * 1000) / 8 / FPS;
          const encoder = rung.open(parametersFor({ width: WIDTH, height: HEIGHT, bitrateKbps }));
          const picture = panningTexture(WIDTH, HEIGHT);
          let largestIdr = 0;
          let largest = 0;
          for (let id = 0; id < 90; id += 1) {
            const unit = encode(encoder, picture(id), id, id % 30 === 0);
            expect(unit.isIdr).toBe(id % 30 === 0);
            if (unit.isIdr) largestIdr = Math.max(largestIdr, unit.data.length);
            largest = Math.max(largest, unit.data.length);
          }
          encoder.close();

          expect(largestIdr).toBeLessThanOrEqual(budgetBytes * 1.1);
          expect(largest).toBeLessThanOrEqual(budgetBytes * 1.1);
        }
      },
    );

    test.skipIf(isMissing)('a new bitrate shows within five pictures and costs no IDR', () => {
      const encoder = rung.open(
        parametersFor({ width: WIDTH, height: HEIGHT, bitrateKbps: 12_000 }),
      );
      const picture = panningTexture(WIDTH, HEIGHT);
      const sizes: number[] = [];
      let idrs = 0;
      for (let id = 0; id < 90; id += 1) {
        if (id === 30) expect(encoder.reconfigure(3000)).toBe(true);
        if (id === 60) expect(encoder.reconfigure(12_000)).toBe(true);
        const unit = encode(encoder, picture(id), id);
        if (unit.isIdr) idrs += 1;
        sizes.push(unit.data.length);
      }
      encoder.close();
      const mean = (from: number, to: number): number =>
        sizes.slice(from, to).reduce((sum, size) => sum + size, 0) / (to - from);

      expect(encoder.appliedBitrateKbps()).toBe(12_000);
      expect(idrs).toBe(1);
      expect(Math.max(...sizes.slice(34, 60))).toBeLessThanOrEqual(((3000 * 1000) / 8 / FPS) * 1.1);
      expect(mean(35, 60)).toBeLessThan(mean(5, 30) * 0.4);
      expect(mean(65, 90)).toBeGreaterThan(mean(5, 30) * 0.8);
    });

    test.skipIf(isMissing)(
      'parameter sets lead each IDR and the first slice follows at once',
      () => {
        const encoder = rung.open(
          parametersFor({ width: WIDTH, height: HEIGHT, slicesPerFrame: 4, bitrateKbps: 8000 }),
        );
        const picture = panningTexture(WIDTH, HEIGHT);
        for (let id = 0; id < 20; id += 1) {
          const { data, isIdr } = encode(encoder, picture(id), id, id === 7);
          const types = nalTypes(data);
          if (isIdr) {
            expect(types.slice(0, 3)).toEqual([NAL.sps, NAL.pps, NAL.idrSlice]);
            expect(types.slice(2).every((type) => type === NAL.idrSlice)).toBe(true);
          } else {
            expect(types.every((type) => type === NAL.slice)).toBe(true);
          }
          expect(types.filter((type) => type < NAL.sei)).toHaveLength(4);
          forEachNal(data, (type, start) => {
            if (type < NAL.sei && start < 200) expect(start + 8).toBeLessThan(FIRST_PACKET_BYTES);
          });
        }
        encoder.close();
      },
    );

    test.skipIf(isMissing)('the SPS forbids reordering and names the colours asked for', () => {
      for (const matrix of MATRICES) {
        for (const fullRange of [false, true]) {
          const colour = { matrix, fullRange };
          for (const maxReferenceFrames of [0, 1, 2]) {
            const encoder = rung.open(
              parametersFor({ width: WIDTH, height: HEIGHT, colour, maxReferenceFrames }),
            );
            const { data } = encode(encoder, panningTexture(WIDTH, HEIGHT)(0), 0);
            encoder.close();

            const sps = spsOf(data);
            expect(sps).not.toBeNull();
            if (sps) expect(spsProblem(sps, colour, maxReferenceFrames)).toBeNull();
          }
        }
      }
    });

    test.skipIf(isMissing || !ffprobePath)(
      `an independent parser reads the same sequence parameters${NO_FFMPEG}`,
      () => {
        const encoder = rung.open(
          parametersFor({
            width: 1922,
            height: 1082,
            colour: { matrix: 'bt601', fullRange: true },
            bitrateKbps: 8000,
          }),
        );
        const { data } = encode(encoder, panningTexture(1922, 1082)(0), 0);
        encoder.close();
        const facts = streamFacts([data]);
        const sps = spsOf(data);

        expect(sps).toMatchObject({
          width: 1922,
          height: 1082,
          levelIdc: facts['level'] as number,
        });
        expect(facts).toMatchObject({
          width: 1922,
          height: 1082,
          has_b_frames: 0,
          color_range: 'pc',
          color_space: 'smpte170m',
          color_transfer: 'smpte170m',
          color_primaries: 'smpte170m',
        });
      },
    );

    test.skipIf(isMissing)('a fractional rate and every preset open and keep their budget', () => {
      for (const preset of ['superfast', 'ultrafast'] as const) {
        const encoder = rung.open(
          parametersFor({ width: WIDTH, height: HEIGHT, preset, fpsNum: 5994, fpsDen: 100 }),
        );
        const picture = panningTexture(WIDTH, HEIGHT);
        for (let id = 0; id < 12; id += 1) {
          const { data } = encode(encoder, picture(id), id);
          expect(data.length).toBeLessThanOrEqual(((5000 * 1000) / 8 / 59.94) * 1.1);
        }
        encoder.close();
      }
    });

    test.skipIf(isMissing)('access units stay below the limit of the wire', () => {
      const maxAccessUnitBytes = 20_000;
      const encoder = rung.open(
        parametersFor({
          width: WIDTH,
          height: HEIGHT,
          bitrateKbps: 50_000,
          vbvFrames: 3,
          maxAccessUnitBytes,
        }),
      );
      const picture = panningTexture(WIDTH, HEIGHT);
      for (let id = 0; id < 40; id += 1) {
        const { data } = encode(encoder, picture(id), id, id % 10 === 0);
        expect(data.length).toBeLessThanOrEqual(maxAccessUnitBytes);
      }
      expect(encoder.appliedBitrateKbps()).toBeLessThan(50_000);
      encoder.close();
    });

    test.skipIf(isMissing)('reset starts again with an IDR; close may be called twice', () => {
      const encoder = rung.open(parametersFor({ width: WIDTH, height: HEIGHT }));
      const picture = panningTexture(WIDTH, HEIGHT);
      encode(encoder, picture(0), 0);
      expect(encode(encoder, picture(1), 1).isIdr).toBe(false);
      expect(encoder.reset()).toBe(true);
      expect(encode(encoder, picture(2), 2).isIdr).toBe(true);
      expect(encode(encoder, picture(3), 3).isIdr).toBe(false);
      encoder.close();
      encoder.close();
      expect(encoder.poll()).toBeNull();
      expect(() => encoder.submit(picture(4), 4, { idr: false })).toThrow('closed');
    });

    test.skipIf(isMissing)('planes that are too short are refused, not read past their end', () => {
      const encoder = rung.open(parametersFor({ width: WIDTH, height: HEIGHT }));
      const whole = panningTexture(WIDTH, HEIGHT)(0);
      const short = { ...whole, v: whole.v.subarray(0, whole.v.length - 1) };
      expect(() => encoder.submit(short, 0, { idr: true })).toThrow('smaller than 640x368');
      const bgrx = { kind: 'bgrx', data: new Uint8Array(4), strideBytes: 4 } as const;
      expect(() => encoder.submit({ ...bgrx, chromaOffsetBytes: 0 }, 0, { idr: true })).toThrow(
        'not bgrx',
      );
      encoder.close();
    });

    test.skipIf(isMissing)('what software cannot encode is refused with a sentence', () => {
      const size = { width: WIDTH, height: HEIGHT };
      expect(() => rung.open(parametersFor({ ...size, codec: 'hevc' }))).toThrow('H.264 only');
      expect(() => rung.open(parametersFor({ ...size, bitDepth: 10 }))).toThrow('8-bit');
      expect(() => rung.open(parametersFor({ ...size, chroma: '444' }))).toThrow('4:2:0');
      expect(() => rung.open(parametersFor({ ...size, width: 641 }))).toThrow('641x368');
      expect(() => rung.open(parametersFor({ ...size, height: 4098 }))).toThrow('640x4098');
    });
  });
}
