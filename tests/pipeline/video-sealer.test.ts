import { describe, expect, test } from 'bun:test';
import { pinnedCount } from '../../ffi/pins.ts';
import { RuntimeVideoSealer, type SlotArea } from '../../src/packet/gamestream-video-seal.ts';
import { LibcryptoVideoSealer, openVideoSealer } from '../../src/pipeline/video-sealer.ts';
import crypto from '../fixtures/gamestream-crypto.json';
import { seededRandom } from '../support/random.ts';
import { TEST_KEY } from '../support/video-packets.ts';

const hasLibcrypto = openVideoSealer(TEST_KEY, areaOf(64, 1)).rung === 'libcrypto';
if (!hasLibcrypto) console.log('skipped: libcrypto: the system has none that agrees');

function areaOf(slotBytes: number, slotCount: number): SlotArea {
  return {
    memory: new SharedArrayBuffer(slotBytes * slotCount + 64),
    offsetBytes: 64,
    slotBytes,
    slotCount,
  };
}

describe.skipIf(!hasLibcrypto)('sealing through libcrypto', () => {
  test('gives the recorded datagram', () => {
    const wire = Buffer.from(crypto.video.wire, 'hex');
    const slots = areaOf(wire.length, 1);
    const bytes = new Uint8Array(slots.memory);
    bytes.set(Buffer.from(crypto.video.plaintext, 'hex'), 64 + 32);
    const sealer = new LibcryptoVideoSealer(Buffer.from(crypto.rikey, 'hex'), slots);

    sealer.seal(0, 1, crypto.video.frame);

    expect(Buffer.from(bytes.slice(64)).toString('hex')).toBe(crypto.video.wire);
    sealer.close();
  });

  test('gives the bytes of the runtime for slots of any content, and touches no other slot', () => {
    const random = seededRandom('sealers');
    for (const slotBytes of [80, 1072, 1440]) {
      const key = random.bytes(16);
      const content = random.bytes(slotBytes * 20);
      const sealed = (['runtime', 'libcrypto'] as const).map((rung) => {
        const slots = areaOf(slotBytes, 20);
        const bytes = new Uint8Array(slots.memory);
        bytes.set(content, 64);
        const sealer =
          rung === 'runtime'
            ? new RuntimeVideoSealer(key, slots)
            : new LibcryptoVideoSealer(key, slots);
        sealer.seal(0, 7, 5);
        sealer.seal(9, 4, 6);
        return Buffer.from(bytes.slice(64));
      });

      expect(Buffer.compare(sealed[0] ?? Buffer.of(1), sealed[1] ?? Buffer.of(2))).toBe(0);
      const untouched = (from: number, to: number) =>
        expect(sealed[1]?.subarray(from * slotBytes, to * slotBytes)).toEqual(
          Buffer.from(content.subarray(from * slotBytes, to * slotBytes)),
        );
      untouched(7, 9);
      untouched(13, 20);
    }
  });

  test('refuses to go on after it was closed, and lets go of all it kept', () => {
    const kept = pinnedCount();
    const sealer = new LibcryptoVideoSealer(TEST_KEY, areaOf(1440, 2));
    sealer.close();

    expect(() => sealer.seal(0, 1, 1)).toThrow('refused to seal');
    expect(pinnedCount()).toBe(kept);
  });

  test('a key of the wrong length is refused', () => {
    expect(() => new LibcryptoVideoSealer(new Uint8Array(15), areaOf(1440, 1))).toThrow('15 bytes');
  });
});
