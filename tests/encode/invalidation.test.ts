import { describe, expect, test } from 'bun:test';
import type { VideoEncoder } from '../../src/encode/port.ts';
import { ReferenceHistory } from '../../src/encode/reference-history.ts';
import { x264Rung } from '../../src/encode/x264.ts';
import { ffmpegPath, NO_FFMPEG, pictureHashes } from './decoding.ts';
import { panningTexture, parametersFor } from './moving-pictures.ts';

const WIDTH = 640;
const HEIGHT = 368;
const rung = x264Rung(2);
const probed = rung.probe();
const REASON = probed.available ? NO_FFMPEG : ` (skipped: ${probed.missing})`;
const isMissing = !probed.available;

interface Recorded {
  readonly data: Uint8Array;
  readonly isIdr: boolean;
  readonly isRecoveryAnchor: boolean;
}

/** Encodes `count` pictures; `before` may act on the encoder before each. */
function record(
  count: number,
  changes: Parameters<typeof parametersFor>[0],
  before: (encoder: VideoEncoder, id: number) => boolean | undefined,
): Recorded[] {
  const encoder = rung.open(parametersFor({ width: WIDTH, height: HEIGHT, ...changes }));
  const picture = panningTexture(WIDTH, HEIGHT);
  const units: Recorded[] = [];
  for (let id = 0; id < count; id += 1) {
    const idr = before(encoder, id) ?? false;
    encoder.submit(picture(id), id, { idr });
    const chunk = encoder.poll();
    if (chunk) units.push({ ...chunk, data: chunk.data.slice() });
  }
  encoder.close();
  return units;
}

const without = (units: readonly Recorded[], from: number, to: number): Uint8Array[] =>
  units.filter((_, id) => id < from || id > to).map(({ data }) => data);

describe(`reference invalidation of x264${REASON}`, () => {
  for (const preset of ['superfast', 'ultrafast'] as const) {
    test.skipIf(isMissing || !ffmpegPath)(
      `${preset}: pictures 52 to 55 are lost and all later ones decode bit for bit`,
      () => {
        const units = record(120, { preset }, (encoder, id) => {
          if (id === 56) expect(encoder.invalidate(52, 55)).toBe(true);
          return undefined;
        });

        const whole = pictureHashes(units.map(({ data }) => data));
        const damaged = pictureHashes(without(units, 52, 55));

        expect(units.filter(({ isIdr }) => isIdr)).toHaveLength(1);
        expect(units.findIndex(({ isRecoveryAnchor }) => isRecoveryAnchor)).toBe(56);
        expect(units.filter(({ isRecoveryAnchor }) => isRecoveryAnchor)).toHaveLength(1);
        expect(whole).toHaveLength(120);
        expect(damaged.slice(-64)).toEqual(whole.slice(56));
      },
    );
  }

  test.skipIf(isMissing || !ffmpegPath)(
    'without the invalidation the same loss does damage later pictures',
    () => {
      const units = record(70, {}, () => undefined);

      const whole = pictureHashes(units.map(({ data }) => data));
      const damaged = pictureHashes(without(units, 52, 55));

      expect(damaged.slice(-10)).not.toEqual(whole.slice(60));
    },
  );

  test.skipIf(isMissing || !ffmpegPath)(
    'a second loss right after the repair is repaired as well',
    () => {
      const units = record(60, {}, (encoder, id) => {
        if (id === 32) expect(encoder.invalidate(31, 31)).toBe(true);
        if (id === 34) expect(encoder.invalidate(33, 33)).toBe(true);
        return undefined;
      });
      const whole = pictureHashes(units.map(({ data }) => data));
      const kept = units.filter((_, id) => id !== 31 && id !== 33).map(({ data }) => data);

      expect(pictureHashes(kept).slice(-26)).toEqual(whole.slice(34));
    },
  );

  test.skipIf(isMissing)('a loss behind the reference window is refused until an IDR came', () => {
    const units = record(40, {}, (encoder, id) => {
      if (id === 30) expect(encoder.invalidate(25, 29)).toBe(false);
      if (id === 31) expect(encoder.invalidate(30, 30)).toBe(false);
      if (id === 34) expect(encoder.invalidate(33, 33)).toBe(true);
      return id === 32;
    });
    expect(units.findIndex(({ isRecoveryAnchor }) => isRecoveryAnchor)).toBe(34);
  });

  test.skipIf(isMissing)(
    'an IDR answers a loss: no anchor is marked and older ranges are done',
    () => {
      const units = record(40, {}, (encoder, id) => {
        if (id === 30) expect(encoder.invalidate(28, 29)).toBe(true);
        if (id === 33) expect(encoder.invalidate(20, 25)).toBe(true);
        return id === 30;
      });
      expect(units[30]).toMatchObject({ isIdr: true, isRecoveryAnchor: false });
      expect(units.some(({ isRecoveryAnchor }) => isRecoveryAnchor)).toBe(false);
    },
  );

  test.skipIf(isMissing)('a device that allows one reference gets no invalidation', () => {
    const encoder = rung.open(
      parametersFor({ width: WIDTH, height: HEIGHT, maxReferenceFrames: 1 }),
    );
    const picture = panningTexture(WIDTH, HEIGHT);
    for (let id = 0; id < 5; id += 1) encoder.submit(picture(id), id, { idr: false });
    expect(encoder.capabilities.canInvalidate).toBe(false);
    expect(encoder.invalidate(4, 4)).toBe(false);
    encoder.close();
  });
});

describe('reference history', () => {
  const filled = (depth: number, last: number): ReferenceHistory => {
    const history = new ReferenceHistory(depth);
    for (let id = 0; id <= last; id += 1) history.submitted(id, id === 0);
    return history;
  };

  test.each([
    [9, 9, 'repair'],
    [6, 9, 'repair'],
    [5, 9, 'idr'],
    [0, 9, 'idr'],
    [10, 12, 'repair'],
  ] as const)('five kept pictures up to 9: loss of %i to %i answers %s', (first, last, answer) => {
    expect(filled(5, 9).lose(first, last)).toBe(answer);
  });

  test('lost pictures keep their place until they fall out', () => {
    const history = filled(5, 9);
    expect(history.lose(6, 9)).toBe('repair');
    history.submitted(10, false);
    // 5 fell out; 6 to 9 are lost, so 10 stands alone.
    expect(history.lose(10, 10)).toBe('idr');
  });

  test('an IDR empties the window and settles older losses', () => {
    const history = filled(5, 9);
    history.submitted(10, true);
    expect(history.lose(7, 9)).toBe('nothing');
    history.submitted(11, false);
    expect(history.lose(11, 11)).toBe('repair');
  });

  test('after a loss that nothing repairs only an IDR helps', () => {
    const history = filled(5, 9);
    expect(history.lose(3, 9)).toBe('idr');
    history.submitted(10, false);
    expect(history.lose(10, 10)).toBe('idr');
    history.submitted(11, true);
    history.submitted(12, false);
    expect(history.lose(12, 12)).toBe('repair');
  });
});
