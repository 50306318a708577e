import { describe, expect, test } from 'bun:test';
import { KeyframeGate } from '../../src/pipeline/keyframe-gate.ts';

const INTERVAL_NS = 16_666_667;
const gateWithRfi = () => new KeyframeGate({ intervalNs: INTERVAL_NS, canInvalidate: true });

function sendFrames(gate: KeyframeGate, count: number, firstIsIdr = true): void {
  for (let index = 1; index <= count; index += 1) {
    gate.sent(index, index + 99, { isIdr: firstIsIdr && index === 1, isAnchor: false });
  }
}

describe('keyframe gate', () => {
  test('the first picture is an IDR and the next is not', () => {
    const gate = gateWithRfi();
    expect(gate.takeIdr(0)).toBe(true);
    expect(gate.takeIdr(INTERVAL_NS)).toBe(false);
  });

  test('IDR wishes in a storm are served at most once per two frame intervals and never lost', () => {
    const gate = gateWithRfi();
    let served = 0;
    for (let frame = 0; frame < 120; frame += 1) {
      gate.requestIdr();
      if (gate.takeIdr(frame * INTERVAL_NS)) served += 1;
    }
    expect(served).toBe(60);
    expect(gate.takeIdr(200 * INTERVAL_NS)).toBe(true);
  });

  test('a lost range is answered by invalidation with the pictures that carried it', () => {
    const gate = gateWithRfi();
    sendFrames(gate, 20);
    expect(gate.lost(10, 11)).toEqual({ kind: 'invalidate', firstPicture: 109, lastPicture: 110 });
  });

  test('a request that a recovery anchor already answered changes nothing', () => {
    const gate = gateWithRfi();
    sendFrames(gate, 20);
    gate.lost(10, 11);
    gate.sent(21, 120, { isIdr: false, isAnchor: true });
    expect(gate.lost(10, 12)).toEqual({ kind: 'none' });
  });

  test('losing the recovery anchor itself is repaired again', () => {
    const gate = gateWithRfi();
    sendFrames(gate, 20);
    gate.lost(10, 11);
    gate.sent(21, 120, { isIdr: false, isAnchor: true });
    expect(gate.lost(10, 21)).toEqual({ kind: 'invalidate', firstPicture: 109, lastPicture: 120 });
  });

  test.each([
    ['before the first IDR was sent', 0, 1, 1],
    ['that covers the last IDR', 20, 1, 3],
    ['with first above last', 20, 9, 3],
    ['for frames never sent', 20, 500, 501],
  ])('a request %s needs an IDR', (_name, sent, first, last) => {
    const gate = gateWithRfi();
    gate.takeIdr(0);
    sendFrames(gate, sent);
    expect(gate.lost(first, last)).toEqual({ kind: 'idr' });
    expect(gate.takeIdr(1e9)).toBe(true);
  });

  test('frames older than the history need an IDR', () => {
    const gate = gateWithRfi();
    sendFrames(gate, 2000);
    expect(gate.lost(100, 101)).toEqual({ kind: 'idr' });
  });

  test('an encoder without invalidation answers every loss with an IDR', () => {
    const gate = new KeyframeGate({ intervalNs: INTERVAL_NS, canInvalidate: false });
    sendFrames(gate, 20);
    expect(gate.lost(10, 11)).toEqual({ kind: 'idr' });
    expect(gate.dropped(150, false)).toEqual({ kind: 'idr' });
  });

  test('a picture the host dropped is invalidated, a dropped IDR is made again', () => {
    const gate = gateWithRfi();
    gate.takeIdr(0);
    expect(gate.dropped(5, false)).toEqual({ kind: 'invalidate', firstPicture: 5, lastPicture: 5 });
    expect(gate.dropped(6, true)).toEqual({ kind: 'idr' });
    expect(gate.takeIdr(1e9)).toBe(true);
  });
});
