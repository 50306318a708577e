import { describe, expect, test } from 'bun:test';
import { type ArrivedFrame, LossRecovery } from './moonlight/recovery.ts';

const frame = (frameIndex: number, frameType = 1): ArrivedFrame => ({
  frameIndex,
  frameType,
  isKey: frameType === 2,
});

/** A recovery that has shown the IDR 1. */
function running(canInvalidate: boolean): LossRecovery {
  const recovery = new LossRecovery(canInvalidate);
  expect(recovery.arrived(frame(1, 2))).toEqual({ isShown: true, requests: [] });
  return recovery;
}

describe('without invalidation', () => {
  test('a loss asks for one IDR, when the next frame is whole, and freezes until it comes', () => {
    const recovery = running(false);
    expect(recovery.lost(2)).toEqual([]);
    expect(recovery.arrived(frame(3))).toEqual({ isShown: false, requests: [{ kind: 'idr' }] });
    expect(recovery.arrived(frame(4))).toEqual({ isShown: false, requests: [] });
    expect(recovery.arrived(frame(5, 5)).isShown).toBe(false);
    expect(recovery.arrived(frame(6, 2))).toEqual({ isShown: true, requests: [] });
    expect(recovery.isFrozen).toBe(false);
  });

  test('120 frames dropped in a row ask again', () => {
    const recovery = running(false);
    recovery.lost(2);
    const asked: number[] = [];
    for (let index = 3; index < 130; index += 1) {
      if (recovery.arrived(frame(index)).requests.length > 0) asked.push(index);
    }
    expect(asked).toEqual([3, 120]);
  });
});

describe('with invalidation', () => {
  test('a loss is named at once, the range grows, and a frame of type 5 resumes', () => {
    const recovery = running(true);
    recovery.arrived(frame(2));
    expect(recovery.lost(3)).toEqual([{ kind: 'invalidate', first: 3, last: 3 }]);
    expect(recovery.arrived(frame(4))).toEqual({
      isShown: false,
      requests: [{ kind: 'invalidate', first: 3, last: 4 }],
    });
    expect(recovery.arrived(frame(5, 5))).toEqual({ isShown: true, requests: [] });
    expect(recovery.lost(6)).toEqual([{ kind: 'invalidate', first: 6, last: 6 }]);
    expect(recovery.arrived(frame(7, 2)).isShown).toBe(true);
  });

  test('before the first IDR only an IDR helps', () => {
    const recovery = new LossRecovery(true);
    expect(recovery.lost(1)).toEqual([]);
    expect(recovery.arrived(frame(2, 5))).toEqual({ isShown: false, requests: [{ kind: 'idr' }] });
    expect(recovery.arrived(frame(3, 2)).isShown).toBe(true);
  });
});
