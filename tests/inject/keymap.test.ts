import { describe, expect, test } from 'bun:test';
import { EVDEV_CODE_MAX, evdevOfVirtualKey, reachableEvdevCodes } from '../../src/inject/keymap.ts';
import vectors from '../fixtures/evdev-vk.json' with { type: 'json' };

describe('evdevOfVirtualKey', () => {
  test('every virtual key of the vector reaches its evdev code', () => {
    for (const [virtualKey, code] of Object.entries(vectors.hostVkToEvdev)) {
      expect([virtualKey, evdevOfVirtualKey(Number.parseInt(virtualKey, 16))]).toEqual([
        virtualKey,
        code,
      ]);
    }
  });

  test('what a Linux device sends for a key comes back as the same key', () => {
    for (const [code, virtualKey] of Object.entries(vectors.evdevToVk)) {
      expect(evdevOfVirtualKey(virtualKey)).toBe(Number(code));
    }
  });

  test('F13 to F24, volume and the unassigned', () => {
    expect([0x7c, 0x87, 0xad, 0xae, 0xaf].map(evdevOfVirtualKey)).toEqual([
      183, 194, 113, 114, 115,
    ]);
    expect([0, 0x07, 0x3a, 0xff, 0x100, -1].map(evdevOfVirtualKey)).toEqual(
      new Array(6).fill(null),
    );
  });

  test('every code fits a bitmap of EVDEV_CODE_MAX and an XKB keymap', () => {
    const codes = reachableEvdevCodes();

    expect(codes.length).toBeGreaterThan(110);
    expect(Math.max(...codes)).toBe(EVDEV_CODE_MAX);
    expect(EVDEV_CODE_MAX + 8).toBeLessThan(256);
  });
});
