/**
 * The device's audio plane after the socket: parity recovery, decryption, order, and decoding of
 * what was heard (GameStream §10).
 */
import { createDecipheriv } from 'node:crypto';
import { AudioReceiver } from '../../../src/packet/gamestream-audio-receive.ts';
import { concatBytes, viewOf } from './bytes.ts';

const DATA_TYPE = 97;
const PARITY_TYPE = 127;
const HEADER_BYTES = 12;
const PARITY_HEADER_BYTES = 24;
const PACKETS_MAX = 200_000;

export interface AudioOptions {
  readonly packetDurationMs: number;
  /** Key and signed key id of a sealed plane, else null. */
  readonly sealing: { readonly key: Uint8Array; readonly keyId: number } | null;
}

export class AudioPlane {
  /** Opus packets by number of the packet since the stream began. */
  readonly packets = new Map<number, Uint8Array>();
  readonly lint = new Map<string, number>();
  datagramCount = 0;
  recoveredCount = 0;
  unopenedCount = 0;
  firstDatagramAtMs: number | null = null;
  readonly #options: AudioOptions;
  /** Recovers payloads as they were sent; opening them is done here. */
  readonly #receiver = new AudioReceiver(null);
  #highest: number | null = null;
  #payloadBytes: number | null = null;

  constructor(options: AudioOptions) {
    this.#options = options;
  }

  take(wire: Uint8Array, nowMs: number): void {
    this.datagramCount += 1;
    this.firstDatagramAtMs ??= nowMs;
    this.#check(wire);
    for (const received of this.#receiver.push(wire)) {
      if (received.isRecovered) this.recoveredCount += 1;
      const opus = this.#open(received.sequence, received.opusPacket);
      if (!opus) {
        this.unopenedCount += 1;
        continue;
      }
      if (this.packets.size < PACKETS_MAX) this.packets.set(this.#number(received.sequence), opus);
    }
    if (this.#receiver.malformedCount > 0) {
      this.lint.set('malformed datagram', this.#receiver.malformedCount);
    }
  }

  /** Packets from the first to the last heard; null where one is missing. */
  inOrder(): (Uint8Array | null)[] {
    const numbers = [...this.packets.keys()];
    if (numbers.length === 0) return [];
    const [first, last] = [Math.min(...numbers), Math.max(...numbers)];
    return Array.from(
      { length: last - first + 1 },
      (_, index) => this.packets.get(first + index) ?? null,
    );
  }

  #open(sequence: number, payload: Uint8Array): Uint8Array | null {
    const { sealing } = this.#options;
    return sealing ? openAudioPayload(sealing.key, sealing.keyId, sequence, payload) : payload;
  }

  /** Unwraps the 16-bit sequence around the highest seen. */
  #number(sequence: number): number {
    const near = this.#highest ?? sequence;
    const distance = ((sequence - near) << 16) >> 16;
    const number = near + distance;
    this.#highest = Math.max(near, number);
    return number;
  }

  #check(wire: Uint8Array): void {
    if (wire.length < HEADER_BYTES) return;
    const view = viewOf(wire);
    if (wire.length > 1400) this.#breach('datagram above 1400 bytes');
    const type = view.getUint8(1);
    if (type === DATA_TYPE) {
      const expected = (view.getUint16(2) * this.#options.packetDurationMs) >>> 0;
      const period = 0x10000 * this.#options.packetDurationMs;
      if (view.getUint32(4) % period !== expected) {
        this.#breach('timestamp is not number times duration');
      }
      this.#payloadBytes ??= wire.length - HEADER_BYTES;
      if (wire.length - HEADER_BYTES !== this.#payloadBytes) this.#breach('size is not constant');
    } else if (type === PARITY_TYPE && wire.length > PARITY_HEADER_BYTES) {
      if (view.getUint16(14) % 4 !== 0) this.#breach('parity base is no multiple of 4');
      if (view.getUint8(13) !== DATA_TYPE) this.#breach('parity names another type');
    }
  }

  #breach(what: string): void {
    this.lint.set(what, (this.lint.get(what) ?? 0) + 1);
  }
}

/** AES-128-CBC, IV u32 BE (key id + sequence) and zeros (§10.4); null when the padding is wrong. */
export function openAudioPayload(
  key: Uint8Array,
  keyId: number,
  sequence: number,
  payload: Uint8Array,
): Uint8Array | null {
  if (payload.length === 0 || payload.length % 16 !== 0) return null;
  const iv = new Uint8Array(16);
  viewOf(iv).setUint32(0, (keyId + sequence) >>> 0);
  const decipher = createDecipheriv('aes-128-cbc', key, iv);
  try {
    return concatBytes(decipher.update(payload), decipher.final());
  } catch {
    return null;
  }
}

export interface HeardSound {
  readonly packetCount: number;
  readonly concealedCount: number;
  readonly sampleCount: number;
  /** Root mean square per channel, full scale 1. */
  readonly rms: readonly [number, number];
  /** Interleaved stereo, 48 kHz. */
  readonly samples: Float32Array;
}

/** Decodes stereo; a missing packet is concealed as devices do. */
export async function decodeStereo(packets: readonly (Uint8Array | null)[]): Promise<HeardSound> {
  const { createDecoder } = await import('libopus-wasm');
  const decoder = await createDecoder({ channels: 2, sampleRate: 48_000 });
  const parts: Float32Array[] = [];
  let frameSamples = 240;
  for (const packet of packets) {
    const decoded = packet
      ? decoder.decodeFloat(packet)
      : decoder.decodePacketLossFloat(frameSamples);
    if (packet) frameSamples = decoded.length / 2;
    parts.push(Float32Array.from(decoded));
  }
  decoder.free();
  const samples = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    samples.set(part, at);
    at += part.length;
  }
  const level = (channel: number): number => {
    let sum = 0;
    for (let index = channel; index < samples.length; index += 2) sum += (samples[index] ?? 0) ** 2;
    return Math.sqrt(sum / Math.max(1, samples.length / 2));
  };
  return {
    packetCount: packets.length,
    concealedCount: packets.filter((packet) => packet === null).length,
    sampleCount: samples.length / 2,
    rms: [level(0), level(1)],
    samples,
  };
}
