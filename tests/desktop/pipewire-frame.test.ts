/** One producer's buffer as a frame: what it claims is checked against the mapped memory. */
import { describe, expect, test } from 'bun:test';
import {
  type BufferFacts,
  captureTime,
  frameOfBuffer,
} from '../../src/capture/pipewire/buffer-frame.ts';
import type { VideoFormat } from '../../src/desktop/pipewire/video-format.ts';
import { seededRandom } from '../support/random.ts';

const FORMAT: VideoFormat = {
  format: 'BGRx',
  width: 3,
  height: 2,
  framerate: { num: 0, den: 1 },
  maxFramerate: null,
  modifier: null,
};
const NOW_NS = 5_000_000_000_000;

function facts(changes: Partial<BufferFacts> = {}): BufferFacts {
  return {
    bytes: new Uint8Array(64),
    offsetBytes: 0,
    sizeBytes: 32,
    strideBytes: 16,
    isCorrupted: false,
    stampNs: NOW_NS - 1_000_000,
    ...changes,
  };
}

describe('a filled buffer', () => {
  test('is a view on the producer memory, from its offset, with its stride and stamp', () => {
    const bytes = new Uint8Array(64);
    bytes[8] = 77;

    const frame = frameOfBuffer(facts({ bytes, offsetBytes: 8 }), FORMAT, NOW_NS);

    if (typeof frame === 'string') throw new Error(frame);
    expect(frame).toMatchObject({
      kind: 'memory',
      format: 'BGRx',
      width: 3,
      height: 2,
      strideBytes: 16,
      captureNs: NOW_NS - 1_000_000,
    });
    expect(frame.data.buffer).toBe(bytes.buffer);
    expect(frame.data[0]).toBe(77);
    expect(frame.data.length).toBe(32);
  });

  test.each([
    ['a corrupted chunk', { isCorrupted: true }, 'corrupted'],
    ['a chunk of no bytes (only metadata)', { sizeBytes: 0 }, 'empty'],
    ['memory that is not mapped', { bytes: null }, 'not-mapped'],
    ['a stride shorter than a row', { strideBytes: 11 }, 'too-small'],
    ['a stride beyond the memory', { strideBytes: 0x7fff_ffff }, 'too-small'],
    ['an offset beyond the memory', { offsetBytes: 0xffff_ffff }, 'too-small'],
    ['memory one byte short', { bytes: new Uint8Array(27) }, 'too-small'],
  ] as const)('with %s is no picture', (_name, changes, verdict) => {
    expect(frameOfBuffer(facts(changes), FORMAT, NOW_NS)).toBe(verdict);
  });

  test('whose last row ends without padding is a picture', () => {
    const frame = frameOfBuffer(facts({ bytes: new Uint8Array(28) }), FORMAT, NOW_NS);

    expect(frame).toMatchObject({ strideBytes: 16 });
    expect(typeof frame === 'string' ? -1 : frame.data.length).toBe(28);
  });

  test.each([0, -7])('with stride %d has rows without padding', (strideBytes) => {
    expect(frameOfBuffer(facts({ strideBytes }), FORMAT, NOW_NS)).toMatchObject({
      strideBytes: 12,
    });
  });

  test('never reaches past its memory, whatever it claims', () => {
    const random = seededRandom('pipewire buffers');
    for (let i = 0; i < 100_000; i++) {
      const bytes = new Uint8Array(random.int(0, 80));
      const claim = () => (random.int(0, 3) === 0 ? random.next() : random.int(0, 40));
      const frame = frameOfBuffer(
        facts({ bytes, offsetBytes: claim(), sizeBytes: claim(), strideBytes: claim() | 0 }),
        FORMAT,
        NOW_NS,
      );
      if (typeof frame === 'string') continue;
      const end = frame.data.byteOffset + frame.strideBytes + FORMAT.width * 4;
      if (end > bytes.length || frame.data.byteOffset + frame.data.length > bytes.length) {
        throw new Error(`reads to ${end} of ${bytes.length}`);
      }
    }
  });
});

describe('the capture time', () => {
  test.each([
    ['a stamp of 10 ms ago', NOW_NS - 10e6, NOW_NS - 10e6],
    ['a stamp a little ahead', NOW_NS + 20e6, NOW_NS + 20e6],
    ['no stamp', null, NOW_NS],
    ['zero', 0, NOW_NS],
    ['another clock, far behind', 1_000_000, NOW_NS],
    ['another clock, far ahead', NOW_NS * 2, NOW_NS],
  ] as const)('%s', (_name, stampNs, expected) => {
    expect(captureTime(stampNs, NOW_NS)).toBe(expected);
  });
});
