/**
 * Opus as GameStream wants it (§10.1): hard constant bitrate, restricted low delay, one packet of
 * constant size per 5 or 10 ms; surround as one multistream packet.
 *
 * libopus-wasm encodes one or two channels, so a multistream packet is put together here as RFC 6716
 * appendix B describes: every stream but the last in self-delimiting form, one after the other.
 */
import { Application, createEncoder, type OpusEncoderHandle } from 'libopus-wasm';
import type { AudioPlan } from '../session/plan.ts';
import { SAMPLE_RATE_HZ } from './port.ts';

/** Real-time budget over quality: 5 ms stereo costs about 1 % of a core at this setting. */
const COMPLEXITY = 5;
const PACKET_BYTES_MAX = 1275;
/** Length field of a self-delimiting packet takes one byte below this, else two. */
const SHORT_LENGTH_BYTES_MAX = 251;

export interface OpusMultistreamEncoder {
  readonly framesPerPacket: number;
  /** @returns one packet; valid until the next call. */
  encode(interleaved: Float32Array): Uint8Array;
  close(): void;
}

interface StreamEncoder {
  readonly encoder: OpusEncoderHandle;
  readonly firstChannel: number;
  readonly pcm: Float32Array;
}

/**
 * Channel order of the interleaved input is the mapping order: coupled pairs first, then mono
 * streams, i.e. input channel n feeds decoder channel n (identity mapping).
 */
export async function createMultistreamEncoder(
  plan: Pick<
    AudioPlan,
    'channels' | 'streams' | 'coupledStreams' | 'bitrateBps' | 'packetDurationMs'
  >,
): Promise<OpusMultistreamEncoder> {
  const frames = (SAMPLE_RATE_HZ * plan.packetDurationMs) / 1000;
  const streams: StreamEncoder[] = [];
  for (let stream = 0; stream < plan.streams; stream += 1) {
    const isCoupled = stream < plan.coupledStreams;
    const channels = isCoupled ? 2 : 1;
    const encoder = await createEncoder({
      channels,
      sampleRate: SAMPLE_RATE_HZ,
      frameSize: frames,
      application: Application.RestrictedLowDelay,
      bitrate: Math.floor((plan.bitrateBps * channels) / plan.channels),
      vbr: false,
      complexity: COMPLEXITY,
    });
    const firstChannel = isCoupled ? stream * 2 : plan.coupledStreams + stream;
    streams.push({ encoder, firstChannel, pcm: new Float32Array(frames * channels) });
  }
  return new Multistream(streams, plan.channels, frames);
}

class Multistream implements OpusMultistreamEncoder {
  readonly framesPerPacket: number;
  readonly #streams: readonly StreamEncoder[];
  readonly #channels: number;
  readonly #packet: Uint8Array;
  /** The last packet; packets of a stream have one size. */
  #view: Uint8Array = new Uint8Array(0);

  constructor(streams: readonly StreamEncoder[], channels: number, frames: number) {
    this.#streams = streams;
    this.#channels = channels;
    this.framesPerPacket = frames;
    this.#packet = new Uint8Array(streams.length * (PACKET_BYTES_MAX + 2));
  }

  encode(interleaved: Float32Array): Uint8Array {
    const [only, another] = this.#streams;
    if (only && !another) return only.encoder.encodeFloat(interleaved);
    const last = this.#streams.length - 1;
    let end = 0;
    for (let index = 0; index <= last; index += 1) {
      const stream = this.#streams[index];
      if (!stream) continue;
      this.#gather(stream, interleaved);
      const packet = stream.encoder.encodeFloat(stream.pcm);
      end = index === last ? this.#append(packet, end) : this.#appendSelfDelimited(packet, end);
    }
    if (this.#view.length !== end) this.#view = this.#packet.subarray(0, end);
    return this.#view;
  }

  close(): void {
    for (const { encoder } of this.#streams) encoder.free();
  }

  #gather({ pcm, firstChannel, encoder }: StreamEncoder, interleaved: Float32Array): void {
    const channels = encoder.channels;
    for (let frame = 0, at = 0; frame < this.framesPerPacket; frame += 1) {
      const source = frame * this.#channels + firstChannel;
      for (let channel = 0; channel < channels; channel += 1, at += 1) {
        pcm[at] = interleaved[source + channel] ?? 0;
      }
    }
  }

  #append(packet: Uint8Array, at: number): number {
    this.#packet.set(packet, at);
    return at + packet.length;
  }

  /** Code-0 packet → TOC, length, payload (RFC 6716 appendix B; length as in §3.2.1). */
  #appendSelfDelimited(packet: Uint8Array, at: number): number {
    const toc = packet[0] ?? 0;
    if ((toc & 3) !== 0) throw new Error('constant-rate Opus frame is not a code-0 packet');
    const payloadBytes = packet.length - 1;
    this.#packet[at] = toc;
    let end = at + 1;
    if (payloadBytes <= SHORT_LENGTH_BYTES_MAX) {
      this.#packet[end] = payloadBytes;
      end += 1;
    } else {
      const low = 252 + (payloadBytes & 3);
      this.#packet[end] = low;
      this.#packet[end + 1] = (payloadBytes - low) >> 2;
      end += 2;
    }
    this.#packet.set(packet.subarray(1), end);
    return end + payloadBytes;
  }
}
