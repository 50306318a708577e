import { describe, expect, test } from 'bun:test';
import { pinnedCount } from '../../ffi/pins.ts';
import { chooseShmFormat, pixelFormat, stampNs } from '../../src/capture/wlr/copy-engine.ts';
import { UprightCopy } from '../../src/capture/wlr/upright.ts';

describe('picture formats of wl_shm', () => {
  test.each([
    ['XRGB8888', 1, 'BGRx'],
    ['ARGB8888', 0, 'BGRA'],
    ['XBGR8888', 0x34324258, 'RGBx'],
    ['ABGR8888', 0x34324241, 'RGBA'],
  ])('%s lies in memory as the pipeline`s format', (_, format, pixel) => {
    expect(pixelFormat(format)).toBe(pixel as 'BGRx');
  });

  test('ten-bit and packed formats are not taken for four plain bytes', () => {
    expect([0x30335258, 0x34324742].map(pixelFormat)).toEqual([null, null]);
  });

  test('of several offered formats the one without alpha in the usual order wins', () => {
    expect(chooseShmFormat([0x30335258, 0x34324241, 0, 1])).toBe(1);
    expect(chooseShmFormat([0x30335258, 0x34324241])).toBe(0x34324241);
    expect(chooseShmFormat([0x30335258])).toBeNull();
  });

  test('a time stamp of three words is nanoseconds', () => {
    expect(stampNs(0, 2, 500)).toBe(2_000_000_500);
    expect(stampNs(1, 0, 0)).toBe(2 ** 32 * 1e9);
  });
});

describe('pictures that come bottom-up', () => {
  test('the last row becomes the first, padding included', () => {
    const upright = new UprightCopy();
    const rows = [1, 2, 3].flatMap((row) => Array(12).fill(row));

    const turned = upright.turn(new Uint8Array(rows), 12, 3);

    expect([...turned]).toEqual([3, 2, 1].flatMap((row) => Array(12).fill(row)));
    upright.close();
  });

  test('a picture shorter than its height says is turned within its bytes', () => {
    const upright = new UprightCopy();

    const turned = upright.turn(new Uint8Array([1, 1, 2, 2, 9]), 2, 1000);

    expect([...turned]).toEqual([2, 2, 1, 1, 0]);
    upright.close();
  });

  test('its memory is kept for pictures of one size and given back at the end', () => {
    const pinned = pinnedCount();
    const upright = new UprightCopy();
    const first = upright.turn(new Uint8Array(1600), 40, 40);
    const second = upright.turn(new Uint8Array(1600), 40, 40);
    upright.turn(new Uint8Array(3200), 80, 40);

    expect(second).toBe(first);
    expect(pinnedCount()).toBe(pinned + 1);
    upright.close();
    upright.close();
    expect(pinnedCount()).toBe(pinned);
  });
});
