import { describe, expect, test } from 'bun:test';
import { createMultistreamEncoder } from '../../src/audio/opus-encoder.ts';
import { SAMPLE_RATE_HZ } from '../../src/audio/port.ts';
import { amplitude, openOpusDecoder, opusSkipReason } from './opus-decoder.ts';

const skipReason = opusSkipReason();
if (skipReason) console.log(`skipped: decoding of Opus packets: ${skipReason}`);

/** Tone of channel n: a frequency of its own. */
const toneHz = (channel: number) => 400 + channel * 300;

function toneBlock(channels: number, frames: number, start: number): Float32Array {
  const block = new Float32Array(frames * channels);
  for (let frame = 0; frame < frames; frame += 1) {
    for (let channel = 0; channel < channels; channel += 1) {
      block[frame * channels + channel] =
        0.4 * Math.sin((2 * Math.PI * toneHz(channel) * (start + frame)) / SAMPLE_RATE_HZ);
    }
  }
  return block;
}

const layouts = [
  { channels: 2, streams: 1, coupledStreams: 1, bitrateBps: 96_000, packetDurationMs: 5 },
  { channels: 2, streams: 1, coupledStreams: 1, bitrateBps: 512_000, packetDurationMs: 10 },
  { channels: 6, streams: 4, coupledStreams: 2, bitrateBps: 256_000, packetDurationMs: 5 },
  { channels: 6, streams: 6, coupledStreams: 0, bitrateBps: 1_536_000, packetDurationMs: 5 },
  { channels: 8, streams: 5, coupledStreams: 3, bitrateBps: 450_000, packetDurationMs: 10 },
  { channels: 8, streams: 8, coupledStreams: 0, bitrateBps: 2_048_000, packetDurationMs: 5 },
] as const;

describe('Opus multistream encoder', () => {
  test.each(layouts)(
    'packets of %o have one size, one TOC byte and the asked rate',
    async (layout) => {
      const encoder = await createMultistreamEncoder(layout);
      const sizes = new Set<number>();
      const tocs = new Set<number>();

      for (let index = 0; index < 60; index += 1) {
        const block =
          index % 3 === 0
            ? new Float32Array(encoder.framesPerPacket * layout.channels)
            : toneBlock(layout.channels, encoder.framesPerPacket, index * encoder.framesPerPacket);
        const packet = encoder.encode(block);
        sizes.add(packet.length);
        tocs.add(packet[0] ?? -1);
      }
      encoder.close();

      expect(sizes.size).toBe(1);
      expect(tocs.size).toBe(1);
      const bytesPerPacket = [...sizes][0] ?? 0;
      const wanted = (layout.bitrateBps * layout.packetDurationMs) / 8000;
      expect(Math.abs(bytesPerPacket - wanted)).toBeLessThanOrEqual(layout.streams * 3);
      expect(bytesPerPacket).toBeLessThan(1376);
    },
  );

  test.skipIf(skipReason !== null).each(layouts)(
    'the system decoder hears every tone of %o in its own channel',
    async (layout) => {
      const decoder = openOpusDecoder(layout);
      const encoder = await createMultistreamEncoder(layout);
      const { framesPerPacket: frames } = encoder;
      const blocks = 200;
      const heard = new Float32Array(frames * layout.channels * blocks);

      for (let index = 0; index < blocks; index += 1) {
        const packet = encoder.encode(toneBlock(layout.channels, frames, index * frames));
        heard.set(decoder.decode(packet), index * frames * layout.channels);
      }
      encoder.close();
      decoder.close();

      const steady = heard.subarray(frames * layout.channels * 20);
      for (let channel = 0; channel < layout.channels; channel += 1) {
        expect(amplitude(steady, layout.channels, channel, toneHz(channel))).toBeGreaterThan(0.25);
        const other = (channel + 1) % layout.channels;
        expect(amplitude(steady, layout.channels, channel, toneHz(other))).toBeLessThan(0.05);
      }
    },
  );
});
