import { describe, expect, test } from 'bun:test';
import {
  COUNTER_HEIGHT,
  COUNTER_SQUARE_PIXELS,
  COUNTER_WIDTH,
  readCounter,
} from '../../src/capture/card-counter.ts';
import { FrameConverter } from '../../src/capture/convert.ts';
import { type CardClock, SyntheticCapturer } from '../../src/capture/synthetic.ts';
import { CARD_HEIGHT_MIN, CARD_WIDTH_MIN, TestCard } from '../../src/capture/test-card.ts';
import { seededRandom } from '../support/random.ts';

/** Luma plane of what the card shows, straight from its pixels (green will do for black and white). */
function greenOf(card: { data: Uint8Array; width: number; height: number }): Uint8Array {
  const luma = new Uint8Array(card.width * card.height);
  for (let index = 0; index < luma.length; index += 1) luma[index] = card.data[index * 4 + 1] ?? 0;
  return luma;
}

/** A clock that only sleeping moves. */
class FakeClock implements CardClock {
  now = 5_000_000_000;
  readonly sleeps: number[] = [];
  nowNs(): number {
    return this.now;
  }
  sleepUntilNs(deadlineNs: number): void {
    this.sleeps.push(deadlineNs - this.now);
    this.now = Math.max(this.now, deadlineNs);
  }
  wallMs(): number {
    return this.now / 1e6;
  }
}

const capturerAt = (refreshNum: number, refreshDen = 1) => {
  const clock = new FakeClock();
  const mode = { width: CARD_WIDTH_MIN, height: CARD_HEIGHT_MIN, refreshNum, refreshDen };
  return { clock, capturer: new SyntheticCapturer({ kind: 'synthetic', mode }, clock) };
};

describe('test card', () => {
  test('any counter is read back from the smallest card', () => {
    const random = seededRandom('counter');
    const card = new TestCard(CARD_WIDTH_MIN, CARD_HEIGHT_MIN);
    const counters = [0, 1, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff];
    for (let round = 0; round < 200; round += 1) counters.push(random.next());
    for (const counter of counters) {
      card.draw(counter, 0);
      expect(readCounter(greenOf(card), card.width)).toBe(counter);
    }
  });

  test('the counter survives conversion to both ranges and noise of a third of the contrast', () => {
    const random = seededRandom('noise');
    const card = new TestCard(320, 200);
    for (const fullRange of [false, true]) {
      const colour = { matrix: 'bt709', fullRange } as const;
      const converter = new FrameConverter({ width: 320, height: 200, colour, output: 'i420' });
      card.draw(0xdeadbeef, 0);
      const { data, strideBytes } = card;
      const size = { width: 320, height: 200, captureNs: 0 };
      const input = converter.convert({
        kind: 'memory',
        format: 'BGRx',
        data,
        strideBytes,
        ...size,
      });
      if (input.kind !== 'i420') throw new Error('no I420');
      const noisy = input.y.map((value) => Math.min(255, Math.max(0, value + random.int(-72, 72))));
      expect(readCounter(noisy, input.yStrideBytes)).toBe(0xdeadbeef);
    }
  });

  test('a flipped square, a dimmed one or another picture is no counter', () => {
    const card = new TestCard(CARD_WIDTH_MIN, CARD_HEIGHT_MIN);
    card.draw(1234, 0);
    const luma = greenOf(card);
    const paint = (square: number, level: number): Uint8Array => {
      const painted = luma.slice();
      const left = (square % 12) * COUNTER_SQUARE_PIXELS;
      const top = Math.floor(square / 12) * COUNTER_SQUARE_PIXELS;
      for (let row = top; row < top + COUNTER_SQUARE_PIXELS; row += 1) {
        const start = row * card.width + left;
        painted.fill(level, start, start + COUNTER_SQUARE_PIXELS);
      }
      return painted;
    };
    const flipped = (square: number): number => {
      const at = Math.floor(square / 12) * 16 * card.width + (square % 12) * 16;
      return (luma[at] ?? 0) > 127 ? 0 : 255;
    };
    expect(readCounter(luma, card.width)).toBe(1234);
    for (let square = 2; square < 36; square += 1) {
      expect(readCounter(paint(square, flipped(square)), card.width)).toBeNull();
      expect(readCounter(paint(square, 128), card.width)).toBeNull();
    }
    expect(readCounter(paint(0, 10), card.width)).toBeNull();
    expect(readCounter(new Uint8Array(luma.length).fill(90), card.width)).toBeNull();
    expect(readCounter(new Uint8Array(0), card.width)).toBeNull();
    expect(readCounter(luma, COUNTER_WIDTH - 1)).toBeNull();
    expect(readCounter(luma.subarray(0, COUNTER_HEIGHT), card.width)).toBeNull();
  });

  test('the picture depends on frame number and time only, not on what was drawn before', () => {
    const straight = new TestCard(400, 300);
    const jumpy = new TestCard(400, 300);
    for (const frame of [3, 99, 7, 121, 240]) jumpy.draw(frame, frame * 1000);
    jumpy.draw(50, 45_296_789);
    straight.draw(50, 45_296_789);
    expect(Buffer.compare(straight.data, jumpy.data)).toBe(0);
  });

  test('each picture differs from the last in its moving parts and nowhere else', () => {
    const card = new TestCard(640, 360);
    card.draw(10, 1000);
    const before = card.data.slice();
    card.draw(11, 1017);
    const changed = new Set<number>();
    for (let index = 0; index < before.length; index += 4) {
      if (before[index] !== card.data[index] || before[index + 1] !== card.data[index + 1]) {
        changed.add(Math.floor(index / 4 / 640));
      }
    }
    const still = [...changed].filter((row) => row >= COUNTER_HEIGHT && row < 360 * 0.5);
    expect(still).toEqual([]);
    expect(changed.size).toBeGreaterThan(20);
  });

  test.each([
    [256, 144],
    [720, 1280],
    [1366, 769],
    [3840, 1080],
  ])('a %ix%i card keeps all parts inside', (width, height) => {
    const card = new TestCard(width, height);
    card.draw(4_294_967_295, 86_399_999);
    expect(readCounter(greenOf(card), width)).toBe(4_294_967_295);
    expect(card.data).toHaveLength(width * height * 4);
  });

  test('a size without room for the parts is refused', () => {
    expect(() => new TestCard(CARD_WIDTH_MIN - 1, CARD_HEIGHT_MIN)).toThrow('255x144');
    expect(() => new TestCard(CARD_WIDTH_MIN, Number.NaN)).toThrow('256x144');
  });
});

describe('synthetic capturer', () => {
  test('pictures come at the exact refresh and count from 1', () => {
    const { clock, capturer } = capturerAt(5994, 100);
    const stamps: number[] = [];
    for (let picture = 1; picture <= 60; picture += 1) {
      const result = capturer.next(50);
      if (result.kind !== 'frame' || result.frame.kind !== 'memory') throw new Error(result.kind);
      const { frame } = result;
      expect(readCounter(greenOf(frame), frame.width)).toBe(picture);
      stamps.push(frame.captureNs);
    }
    expect(stamps[0]).toBe(5_000_000_000);
    expect(Math.abs((stamps[59] ?? 0) - 5e9 - (59 * 1e11) / 5994)).toBeLessThan(1000);
    expect(capturer.description).toBe('synthetic test card 256x144@59.94');
    expect(clock.sleeps).toHaveLength(59);
  });

  test('a timeout before the next refresh ends with no picture and loses none', () => {
    const { clock, capturer } = capturerAt(10);
    expect(capturer.next(5).kind).toBe('frame');
    const begin = clock.now;
    expect(capturer.next(30).kind).toBe('none');
    expect(clock.now - begin).toBe(30e6);
    expect(capturer.next(0).kind).toBe('none');
    expect(capturer.next(80).kind).toBe('frame');
    expect(clock.now - begin).toBe(100e6);
  });

  test('a caller that stalls gets one picture at once and then the usual pace', () => {
    const { clock, capturer } = capturerAt(60);
    capturer.next(50);
    clock.now += 1e9;
    const begin = clock.now;
    expect(capturer.next(50).kind).toBe('frame');
    expect(clock.now).toBe(begin);
    expect(capturer.next(50).kind).toBe('frame');
    expect(Math.abs(clock.now - begin - 1e9 / 60)).toBeLessThan(1000);
  });

  test('the system clock paces it for real', () => {
    const mode = { width: 256, height: 144, refreshNum: 200, refreshDen: 1 };
    const capturer = new SyntheticCapturer({ kind: 'synthetic', mode });
    const stamps: number[] = [];
    while (stamps.length < 11) {
      const result = capturer.next(100);
      if (result.kind === 'frame') stamps.push(result.frame.captureNs);
    }
    capturer.close();
    expect((stamps[10] ?? 0) - (stamps[0] ?? 0)).toBeGreaterThanOrEqual(49e6);
  });
});
