/** What a device hears: Opus packets through the system's decoder, and how loud which tone is. */
import { addressOf } from '../../ffi/libc.ts';
import { bindLibrary, openLibrary } from '../../ffi/loader.ts';
import { pin, stableBytes, unpin } from '../../ffi/pins.ts';
import { SAMPLE_RATE_HZ } from '../../src/audio/port.ts';

const LIBRARY = ['libopus.so.0'];
const PACKET_BYTES_MAX = 4096;
const SYMBOLS = {
  opus_multistream_decoder_create: {
    args: ['i32', 'i32', 'i32', 'i32', 'ptr', 'ptr'],
    returns: 'ptr',
  },
  opus_multistream_decode_float: {
    args: ['ptr', 'ptr', 'i32', 'ptr', 'i32', 'i32'],
    returns: 'i32',
  },
  opus_multistream_decoder_destroy: { args: ['ptr'], returns: 'void' },
} as const;

export interface OpusLayout {
  readonly channels: number;
  readonly streams: number;
  readonly coupledStreams: number;
  readonly packetDurationMs: number;
}

export interface OpusDecoder {
  /** Interleaved samples of one packet; throws when it is none. */
  decode(packet: Uint8Array): Float32Array;
  close(): void;
}

/** Why nothing can be decoded here, or null. */
export function opusSkipReason(): string | null {
  try {
    openLibrary(LIBRARY);
    return null;
  } catch {
    return 'libopus.so.0 is not installed (Debian package: libopus0)';
  }
}

/** A decoder with the identity mapping: channel n of the stream is channel n of the output. */
export function openOpusDecoder(layout: OpusLayout): OpusDecoder {
  const opus = bindLibrary(LIBRARY, SYMBOLS).symbols;
  const { channels, streams, coupledStreams, packetDurationMs } = layout;
  const frames = (SAMPLE_RATE_HZ * packetDurationMs) / 1000;
  const mapping = pin(stableBytes(channels));
  mapping.set(Array.from({ length: channels }, (_, index) => index));
  const error = pin(stableBytes(4));
  const output = pin(new Float32Array(new ArrayBuffer(frames * channels * 4)));
  const input = pin(stableBytes(PACKET_BYTES_MAX));
  const decoder = opus.opus_multistream_decoder_create(
    SAMPLE_RATE_HZ,
    channels,
    streams,
    coupledStreams,
    mapping,
    error,
  );
  return {
    decode(packet) {
      input.set(packet);
      const decoded = opus.opus_multistream_decode_float(
        decoder,
        addressOf(input),
        packet.length,
        output,
        frames,
        0,
      );
      if (decoded !== frames) throw new Error(`the decoder says ${decoded} for ${frames} frames`);
      return output.slice();
    },
    close() {
      opus.opus_multistream_decoder_destroy(decoder);
      for (const kept of [mapping, error, output, input]) unpin(kept);
    },
  };
}

/** Amplitude of `hz` in one channel (single-bin Fourier transform). */
export function amplitude(
  samples: Float32Array,
  channels: number,
  channel: number,
  hz: number,
): number {
  const frames = samples.length / channels;
  let re = 0;
  let im = 0;
  for (let frame = 0; frame < frames; frame += 1) {
    const angle = (2 * Math.PI * hz * frame) / SAMPLE_RATE_HZ;
    re += (samples[frame * channels + channel] ?? 0) * Math.cos(angle);
    im += (samples[frame * channels + channel] ?? 0) * Math.sin(angle);
  }
  return (2 * Math.hypot(re, im)) / frames;
}
