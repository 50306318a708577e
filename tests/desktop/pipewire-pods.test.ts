import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  agreedVideoFormat,
  isStarved,
  relaxedVideoOffers,
  videoAnswers,
  videoOffers,
} from '../../src/capture/pipewire/negotiation.ts';
import {
  CHANNEL_LAYOUTS,
  encodeAudioOffer,
  readAudioFormat,
} from '../../src/desktop/pipewire/audio-format.ts';
import { encodeCursorMeta, encodeDamageMeta } from '../../src/desktop/pipewire/buffer-params.ts';
import {
  POD_TYPES,
  type Pod,
  podArray,
  podChoice,
  podFraction,
  podId,
  podInt,
  podRectangle,
  unwrapChoice,
} from '../../src/desktop/pipewire/pod.ts';
import { decodePod } from '../../src/desktop/pipewire/pod-decode.ts';
import { encodePod } from '../../src/desktop/pipewire/pod-encode.ts';
import { readVideoFormat, type VideoFormat } from '../../src/desktop/pipewire/video-format.ts';
import { seededRandom } from '../support/random.ts';
import { compilerSkipReason, runC } from './native-program.ts';

const FIXTURE = join(import.meta.dir, '..', 'fixtures', 'pipewire-pods.txt');
const ODD_MODE = { width: 1922, height: 1082, refreshNum: 120, refreshDen: 1 };
const FULL_HD: VideoFormat = {
  format: 'BGRx',
  width: 1920,
  height: 1080,
  framerate: { num: 0, den: 1 },
  maxFramerate: null,
  modifier: null,
};
const FUZZ_COUNT = 100_000;

const skipReason = compilerSkipReason(['libspa-0.2']);
if (skipReason) console.log(`skipped: pods against the installed libspa: ${skipReason}`);

const recorded = new Map(
  readFileSync(FIXTURE, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' ') as [string, string]),
);

function hex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('hex');
}

function recordedPod(name: string): Uint8Array {
  return new Uint8Array(Buffer.from(recorded.get(name) ?? '', 'hex'));
}

function decoded(bytes: Uint8Array): Pod {
  const result = decodePod(bytes);
  if (!result.ok) throw new Error(result.reason);
  return result.pod;
}

describe('pods', () => {
  test.each([
    ['video-fixed', () => videoOffers(ODD_MODE, true, 77)[0]],
    ['video-range', () => videoOffers(ODD_MODE, false, 77)[0]],
    ['buffers', () => videoAnswers(FULL_HD)[0]],
    ['meta-header', () => videoAnswers(FULL_HD)[1]],
    ['meta-cursor', () => encodeCursorMeta()],
    ['meta-damage', () => encodeDamageMeta(16)],
    ['audio-5.1', () => encodeAudioOffer(48_000, CHANNEL_LAYOUTS[6])],
  ] as const)('%s has the bytes that libspa builds', (name, build) => {
    expect(recorded.has(name)).toBe(true);
    expect(hex(build())).toBe(recorded.get(name) ?? '');
  });

  test.skipIf(skipReason !== null)('the recorded bytes are those of the installed libspa', () => {
    const path = join(import.meta.dir, 'native', 'pipewire-pods.c');

    expect(runC({ path }, ['libspa-0.2'])).toBe(readFileSync(FIXTURE, 'utf8'));
  });

  test.each([
    ['1280x720', 1280, 720, 16],
    ['1920x1080', 1920, 1080, 12],
    ['3840x2160', 3840, 2160, 6],
    ['16384x16384', 16_384, 16_384, 6],
    ['1x1', 1, 1, 16],
  ] as const)(
    'at %s as many buffers are asked for as 96 MiB hold, 6 to 16',
    (_name, width, height, count) => {
      const [buffers] = videoAnswers({ ...FULL_HD, width, height });
      const pod = decoded(buffers ?? new Uint8Array());

      const property = pod.type === 'object' ? pod.properties.find(({ key }) => key === 1) : null;
      expect(property?.value).toEqual(podChoice('range', podInt(count), [podInt(2), podInt(16)]));
    },
  );

  test.each([
    ['60 Hz', 60, 1, 120, 1],
    ['59.94 Hz', 59_940, 1000, 119_880, 1000],
    ['800 Hz', 800, 1, 1000, 1],
  ] as const)(
    'room above %s is twice the rate, at most 1000 Hz',
    (_name, num, den, wantNum, wantDen) => {
      const mode = { ...ODD_MODE, refreshNum: num, refreshDen: den };

      const [offer] = relaxedVideoOffers(mode, 77);

      const wanted = { ...ODD_MODE, refreshNum: wantNum, refreshDen: wantDen };
      expect(hex(offer)).toBe(hex(videoOffers(wanted, true, 77)[0]));
    },
  );

  test.each([
    [1, 2, false],
    [2, 4, true],
    [13, 16, false],
    [14, 16, true],
    [16, 16, true],
  ])('a burst of %d from %d buffers starves the producer: %p', (burst, count, verdict) => {
    expect(isStarved(burst, count)).toBe(verdict);
  });

  test('an agreed video format is read from libspa bytes', () => {
    expect(agreedVideoFormat(recordedPod('video-agreed'))).toEqual({
      format: 'BGRx',
      width: 1281,
      height: 721,
      framerate: { num: 0, den: 1 },
      maxFramerate: { num: 60, den: 1 },
      modifier: null,
    });
  });

  test('values wrapped in a choice of kind none are unwrapped', () => {
    const size = podRectangle(640, 480);

    const wrapped = decoded(encodePod(podChoice('none', size, [])));

    expect(wrapped).toEqual({ type: 'choice', kind: 'none', values: [size] });
    expect(unwrapChoice(wrapped)).toEqual(size);
  });

  test('an audio format tells rate, channels and positions', () => {
    expect(readAudioFormat(decoded(recordedPod('audio-5.1')))).toEqual({
      rateHz: 48_000,
      channels: 6,
      positions: ['FL', 'FR', 'FC', 'LFE', 'RL', 'RR'],
    });
  });

  test('a format that was not offered is refused with its number', () => {
    const bytes = recordedPod('video-agreed');
    const pod = decoded(bytes);
    if (pod.type !== 'object') throw new Error('not an object');
    const nv12 = {
      ...pod,
      properties: pod.properties.map((property) =>
        property.key === 0x20001 ? { ...property, value: podId(23) } : property,
      ),
    };

    expect(readVideoFormat(nv12)).toBe('video format 23 is not one that was offered');
  });

  test('a size beyond 16384 or of zero is refused', () => {
    const withSize = (width: number, height: number) => {
      const pod = decoded(recordedPod('video-agreed'));
      if (pod.type !== 'object') throw new Error('not an object');
      const properties = pod.properties.map((property) =>
        property.key === 0x20003 ? { ...property, value: podRectangle(width, height) } : property,
      );
      return readVideoFormat({ ...pod, properties });
    };

    expect(withSize(0, 720)).toBe('size 0x720 is out of range');
    expect(withSize(16_385, 720)).toBe('size 16385x720 is out of range');
    expect(withSize(16_384, 1)).toMatchObject({ width: 16_384, height: 1 });
  });

  test('every value survives a round trip', () => {
    const random = seededRandom('pods round trip');
    for (let i = 0; i < 2_000; i++) {
      const pod = randomPod(random, 0);

      const result = decodePod(encodePod(pod));

      expect(result).toEqual({ ok: true, pod });
    }
  });

  test.each([
    ['nothing', '', 'truncated'],
    ['one byte', '04', 'truncated'],
    ['a header without its body', '0400000004000000', 'truncated'],
    ['an int of two bytes', '020000000400000001000000', 'truncated'],
    ['a size beyond the end', 'ffffffff0f00000001000000', 'truncated'],
    [
      'an array of zero-size elements',
      '0c0000000d0000000000000004000000ffffffff',
      'bad-element-size',
    ],
  ] as const)('%s is refused', (_name, text, reason) => {
    expect(decodePod(new Uint8Array(Buffer.from(text, 'hex')))).toEqual({ ok: false, reason });
  });

  test('nesting deeper than eight containers is refused', () => {
    let pod: Pod = podInt(1);
    for (let depth = 0; depth < 9; depth++) pod = { type: 'struct', values: [pod] };

    expect(decodePod(encodePod(pod))).toEqual({ ok: false, reason: 'too-deep' });
    expect(decodePod(encodePod(pod.type === 'struct' ? (pod.values[0] ?? pod) : pod)).ok).toBe(
      true,
    );
  });

  test('more than 4096 values are refused', () => {
    const ints = (count: number) => podArray(Array.from({ length: count }, () => podInt(7)));

    expect(decodePod(encodePod(ints(4095))).ok).toBe(true);
    expect(decodePod(encodePod(ints(4096)))).toEqual({ ok: false, reason: 'too-many-values' });
  });

  test(`${FUZZ_COUNT} damaged pods end in a value or a reason, never in an exception`, () => {
    const random = seededRandom('pods fuzz');
    const seeds = [...recorded.keys()].map(recordedPod);
    let accepted = 0;
    for (let i = 0; i < FUZZ_COUNT; i++) {
      const result = decodePod(damaged(random, seeds));
      if (!result.ok) continue;
      accepted += 1;
      readVideoFormat(result.pod);
      readAudioFormat(result.pod);
    }
    expect(accepted).toBeGreaterThan(0);
    expect(accepted).toBeLessThan(FUZZ_COUNT);
  });
});

type Random = ReturnType<typeof seededRandom>;

function damaged(random: Random, seeds: readonly Uint8Array[]): Uint8Array {
  if (random.int(0, 3) === 0) return random.bytes(random.int(0, 64));
  const bytes = Uint8Array.from(seeds[random.int(0, seeds.length - 1)] ?? []);
  for (let n = random.int(1, 4); n > 0; n--) {
    const at = random.int(0, bytes.length - 1);
    bytes[at] = random.int(0, 2) === 0 ? 0xff : random.int(0, 32);
  }
  return bytes.subarray(0, random.int(0, 4) === 0 ? random.int(0, bytes.length) : bytes.length);
}

function randomPod(random: Random, depth: number): Pod {
  const scalars: readonly (() => Pod)[] = [
    () => podInt(random.next() | 0),
    () => podId(random.next()),
    () => podRectangle(random.next(), random.next()),
    () => podFraction(random.next(), random.next()),
    () => ({ type: 'bool', value: random.int(0, 1) === 1 }),
    () => ({ type: 'long', value: BigInt.asIntN(64, BigInt(random.next()) << 33n) }),
    () => ({ type: 'double', value: random.next() / 3 }),
    () => ({ type: 'string', value: 'ä'.repeat(random.int(0, 9)) }),
    () => ({ type: 'bytes', value: random.bytes(random.int(0, 20)) }),
    () => ({ type: 'unknown', podType: POD_TYPES.CHOICE + 40, body: random.bytes(3) }),
  ];
  const scalar = () => (scalars[random.int(0, scalars.length - 1)] ?? (() => podInt(0)))();
  if (depth >= 3) return scalar();
  switch (random.int(0, 5)) {
    case 0:
      return {
        type: 'struct',
        values: Array.from({ length: random.int(0, 4) }, () => randomPod(random, depth + 1)),
      };
    case 1:
      return {
        type: 'object',
        objectType: random.next(),
        id: random.next(),
        properties: Array.from({ length: random.int(0, 4) }, () => ({
          key: random.next(),
          flags: random.int(0, 31),
          value: randomPod(random, depth + 1),
        })),
      };
    case 2:
      return podArray(Array.from({ length: random.int(1, 5) }, () => podInt(random.next() | 0)));
    case 3:
      return podChoice('range', podFraction(1, 2), [podFraction(0, 1), podFraction(9, 1)]);
    default:
      return scalar();
  }
}
