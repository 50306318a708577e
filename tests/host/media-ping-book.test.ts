import { describe, expect, test } from 'bun:test';
import { MediaPingBook } from '../../src/host/media-ping-book.ts';
import { seededRandom } from '../support/random.ts';

const FUZZ_COUNT = 100_000;
const PAYLOAD = '0123456789ABCDEF';
const DEVICE = '10.0.0.22';
const ping = (payload: string): Uint8Array => Buffer.from(`${payload}\0\0\0\x01`, 'latin1');
const LEGACY = Buffer.from('PING');

describe('MediaPingBook', () => {
  test('the latest source of a payload is where its media goes, whatever the address', () => {
    const book = new MediaPingBook();

    expect(book.note('video', ping(PAYLOAD), '192.0.2.7', 4000, 0)).toBe(true);
    expect(book.note('video', ping(PAYLOAD), '192.0.2.7', 4000, 500)).toBe(false);
    expect(book.note('video', ping(PAYLOAD), '192.0.2.7', 4001, 1000)).toBe(true);

    expect(book.find('video', PAYLOAD, DEVICE)).toMatchObject({ address: '192.0.2.7', port: 4001 });
    expect(book.find('audio', PAYLOAD, DEVICE)).toBeNull();
  });

  test('a ping without payload is known by its address alone', () => {
    const book = new MediaPingBook();
    book.note('audio', LEGACY, '192.0.2.7', 4000, 0);
    expect(book.find('audio', PAYLOAD, DEVICE)).toBeNull();

    book.note('audio', LEGACY, DEVICE, 4002, 0);

    expect(book.find('audio', PAYLOAD, DEVICE)).toMatchObject({ address: DEVICE, port: 4002 });
  });

  test('a payload that spells the key of an older device’s ping is not taken for one', () => {
    const book = new MediaPingBook();

    book.note('video', ping(`legacy ${DEVICE}`), '203.0.113.9', 1, 0);

    expect(book.find('video', PAYLOAD, DEVICE)).toBeNull();
  });

  test('a flood of other payloads delays the device by one ping at most', () => {
    const book = new MediaPingBook();
    book.note('audio', ping(PAYLOAD), DEVICE, 4000, 0);
    for (let index = 0; index < 1000; index += 1) {
      book.note('audio', ping(String(index).padStart(16, '0')), '203.0.113.9', 1, 1);
    }

    expect(book.note('audio', ping(PAYLOAD), DEVICE, 4000, 500)).toBe(true);
    expect(book.find('audio', PAYLOAD, DEVICE)).toMatchObject({ port: 4000 });
  });

  test(`${FUZZ_COUNT} random datagrams from the empty one up raise nothing and direct nothing`, () => {
    const random = seededRandom('media pings');
    const book = new MediaPingBook();
    for (let index = 0; index < FUZZ_COUNT; index += 1) {
      book.note(
        'video',
        random.bytes(Math.min(index >> 6, random.int(0, 24))),
        '203.0.113.9',
        1,
        0,
      );
    }

    expect(book.ignoredCount).toBeGreaterThan(1000);
    expect(book.find('video', PAYLOAD, DEVICE)).toBeNull();
  });
});
