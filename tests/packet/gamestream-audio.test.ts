import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bindParityKernel } from '../../src/fec/parity-kernel.ts';
import { AUDIO_MEMORY_BYTES, AudioPacketizer } from '../../src/packet/gamestream-audio.ts';
import { AudioReceiver } from '../../src/packet/gamestream-audio-receive.ts';
import audioVectors from '../fixtures/gamestream-audio-fec.json';
import cryptoVectors from '../fixtures/gamestream-crypto.json';

const kernelModule = new WebAssembly.Module(
  readFileSync(join(import.meta.dir, '../../build/wasm/gf256.wasm')),
);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));

function makePacketizer(options: Partial<ConstructorParameters<typeof AudioPacketizer>[2]> = {}) {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  expect(memory.buffer.byteLength).toBeGreaterThanOrEqual(AUDIO_MEMORY_BYTES);
  const kernel = bindParityKernel(kernelModule, memory, 0);
  return new AudioPacketizer(kernel, memory.buffer, { durationMs: 5, sealing: null, ...options });
}

function datagramsOf(packetizer: AudioPacketizer, packet: Uint8Array): Uint8Array[] {
  const count = packetizer.push(packet);
  return Array.from({ length: count }, (_, index) => packetizer.datagram(index).slice());
}

/** Deterministic generator for random erasures. */
function generator(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

describe('GameStream audio packets', () => {
  test('the recorded block is produced byte for byte', () => {
    const packetizer = makePacketizer({ firstSequence: 260, firstTimestamp: 1300 });
    const { data, parity } = audioVectors.packets;

    const sent = data.flatMap((datagram) => datagramsOf(packetizer, bytes(datagram).subarray(12)));

    expect(sent.map(hex)).toEqual([...data, ...parity]);
  });

  test.each(cryptoVectors.audio.cases)('audio sealing matches the recorded case %#', (vector) => {
    const key = bytes(cryptoVectors.rikey);
    const sealing = { key, keyId: vector.rikeyid >>> 0 };
    const packetizer = makePacketizer({ sealing, firstSequence: vector.rtpSequence & ~3 });
    let sent: Uint8Array[] = [];

    for (let sequence = vector.rtpSequence & ~3; sequence <= vector.rtpSequence; sequence += 1) {
      sent = datagramsOf(packetizer, bytes(vector.plaintext));
    }

    expect(hex((sent[0] ?? new Uint8Array(12)).subarray(12))).toBe(vector.ciphertext);
  });

  test.each([false, true])(
    'any two lost datagrams of a block are recovered (sealed: %p)',
    (isSealed) => {
      const seed = Number(process.env['SEED'] ?? 20261120);
      const random = generator(seed);
      const sealing = isSealed ? { key: bytes(cryptoVectors.rikey), keyId: 0xfffffffe } : null;
      const packetizer = makePacketizer({ sealing });
      const receiver = new AudioReceiver(sealing);
      const original: string[] = [];
      const received = new Map<number, string>();

      for (let block = 0; block < 500; block += 1) {
        const datagrams: Uint8Array[] = [];
        for (let index = 0; index < 4; index += 1) {
          const packet = Uint8Array.from({ length: 80 }, () => Math.floor(random() * 256));
          original.push(hex(packet));
          datagrams.push(...datagramsOf(packetizer, packet));
        }
        const lost = new Set([Math.floor(random() * 6), Math.floor(random() * 6)]);
        datagrams.forEach((datagram, index) => {
          if (lost.has(index)) return;
          for (const { sequence, opusPacket } of receiver.push(datagram)) {
            received.set(sequence, hex(opusPacket));
          }
        });
      }

      expect(received.size).toBe(2000);
      expect(original.every((packet, sequence) => received.get(sequence) === packet)).toBe(true);
      expect(receiver.recoveredCount).toBeGreaterThan(100);
    },
  );

  test('a block of unequal payloads goes out without parity and is counted', () => {
    const packetizer = makePacketizer();

    const counts = [80, 80, 81, 80, 80, 80, 80, 80].map((size) =>
      packetizer.push(new Uint8Array(size)),
    );

    expect(counts).toEqual([1, 1, 1, 1, 1, 1, 1, 3]);
    expect(packetizer.unevenBlocks).toBe(1);
  });

  test('an empty or oversize Opus packet makes no datagram', () => {
    const packetizer = makePacketizer();
    expect(packetizer.push(new Uint8Array(0))).toBe(0);
    expect(packetizer.push(new Uint8Array(1377))).toBe(0);
    expect(packetizer.push(new Uint8Array(1376))).toBe(1);
  });

  test('sequence and timestamp wrap without a gap in the blocks', () => {
    const packetizer = makePacketizer({ firstSequence: 65532, firstTimestamp: 0xffffffff - 9 });
    const receiver = new AudioReceiver(null);
    const sequences: number[] = [];

    for (let index = 0; index < 8; index += 1) {
      const [first, ...parity] = datagramsOf(packetizer, new Uint8Array(40).fill(index + 1));
      const kept = index === 5 ? parity : [first ?? new Uint8Array(), ...parity];
      for (const datagram of kept) {
        sequences.push(...receiver.push(datagram).map((packet) => packet.sequence));
      }
    }

    expect(sequences).toEqual([65532, 65533, 65534, 65535, 0, 2, 3, 1]);
  });

  test('100 000 hostile datagrams raise nothing and keep at most eight blocks', () => {
    const seed = Number(process.env['SEED'] ?? 7);
    const random = generator(seed);
    const receiver = new AudioReceiver({ key: bytes(cryptoVectors.rikey), keyId: 0 });

    for (let round = 0; round < 100_000; round += 1) {
      const datagram = Uint8Array.from({ length: Math.floor(random() * 60) }, () =>
        Math.floor(random() * 256),
      );
      if (random() < 0.8 && datagram.length > 1) {
        datagram[0] = 0x80;
        datagram[1] = random() < 0.5 ? 97 : 127;
      }
      receiver.push(datagram);
    }

    expect(receiver.malformedCount).toBeGreaterThan(0);
  });
});
