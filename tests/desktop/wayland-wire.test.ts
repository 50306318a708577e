import { describe, expect, test } from 'bun:test';
import { compileInterface } from '../../src/desktop/wayland/interface.ts';
import * as core from '../../src/desktop/wayland/protocols/core.ts';
import * as ext from '../../src/desktop/wayland/protocols/ext.ts';
import * as wlr from '../../src/desktop/wayland/protocols/wlr.ts';
import {
  decodeArguments,
  decodeHeader,
  descriptorCount,
  encodeMessage,
  MESSAGE_BYTES_MAX,
  type WireValue,
} from '../../src/desktop/wayland/wire.ts';
import { seededRandom } from '../support/random.ts';

const SIGNATURES: Record<
  string,
  { version: number; requests: [string, string][]; events: [string, string][] }
> = await Bun.file(`${import.meta.dir}/../fixtures/wayland-signatures.json`).json();

function freshView(size = 8192): DataView {
  return new DataView(new ArrayBuffer(size));
}

describe('Wayland messages', () => {
  test('a bind request is the bytes the protocol prescribes', () => {
    const view = freshView(64);

    const end = encodeMessage(view, 0, 2, 0, 'usun', [7, 'wl_shm', 1, 5], []);

    expect(end).toBe(32);
    expect([...new Uint8Array(view.buffer, 0, 32)]).toEqual([
      ...[2, 0, 0, 0, 0, 0, 32, 0, 7, 0, 0, 0, 7, 0, 0, 0],
      ...[0x77, 0x6c, 0x5f, 0x73, 0x68, 0x6d, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0],
    ]);
  });

  test('a header gives object, opcode and size, and nothing before 8 bytes are there', () => {
    const view = freshView(16);
    encodeMessage(view, 0, 0xff000001, 3, 'u', [9], []);

    expect(decodeHeader(view, 0, 12)).toEqual({ objectId: 0xff000001, opcode: 3, sizeBytes: 12 });
    expect(decodeHeader(view, 0, 7)).toBeNull();
  });

  test('descriptors travel beside the bytes, in order', () => {
    const view = freshView();
    const sent: number[] = [];
    const end = encodeMessage(view, 0, 4, 0, 'nhih', [9, 33, 4096, 34], sent) ?? 0;

    const values = decodeArguments(view, 8, end, 'nhih', sent);

    expect(end).toBe(16);
    expect(values).toEqual([9, 33, 4096, 34]);
    expect(sent).toEqual([]);
    expect(descriptorCount('nhih')).toBe(2);
  });

  test('fixed point carries 1/256 of a pixel with its sign', () => {
    const view = freshView();
    const end = encodeMessage(view, 0, 4, 0, 'fff', [-1.5, 0.00390625, 1000.25], []) ?? 0;

    expect(decodeArguments(view, 8, end, 'fff', [])).toEqual([-1.5, 0.00390625, 1000.25]);
  });

  test('a null string and a null object are zero words', () => {
    const view = freshView();
    const end = encodeMessage(view, 0, 4, 0, '?s?ou', [null, null, 1], []) ?? 0;

    expect(end).toBe(20);
    expect(decodeArguments(view, 8, end, '?s?ou', [])).toEqual([null, null, 1]);
  });

  test.each([
    ['a null where none is allowed', 's', [null]],
    ['a text for a number', 'u', ['1']],
    ['too many values', 'u', [1, 2]],
    ['a string of 4096 bytes', 's', ['x'.repeat(4096)]],
    ['a missing descriptor', 'h', [null]],
  ] satisfies [string, string, WireValue[]][])('%s is refused', (_, signature, values) => {
    expect(encodeMessage(freshView(), 0, 1, 0, signature, values, [])).toBeNull();
  });

  test('a message that the buffer cannot hold is refused', () => {
    expect(encodeMessage(freshView(15), 0, 1, 0, 'uu', [1, 2], [])).toBeNull();
    expect(encodeMessage(freshView(16), 0, 1, 0, 'uu', [1, 2], [])).toBe(16);
    expect(encodeMessage(freshView(4), 0, 1, 0, '', [], [])).toBeNull();
  });

  test.each([
    ['arguments that end early', 'uu', [1, 0, 0, 0]],
    ['a string longer than its message', 's', [255, 255, 255, 255, 65, 0, 0, 0]],
    ['a string without its zero', 's', [4, 0, 0, 0, 65, 66, 67, 68]],
    ['an empty string where null is not allowed', 's', [0, 0, 0, 0]],
    ['an array longer than its message', 'a', [9, 0, 0, 0, 1, 2, 3, 4]],
    ['a descriptor that did not come', 'h', []],
  ] as [string, string, number[]][])('%s give a reason', (_, signature, bytes) => {
    const view = new DataView(new Uint8Array(bytes).buffer);

    expect(typeof decodeArguments(view, 0, bytes.length, signature, [])).toBe('string');
  });
});

describe('random Wayland messages', () => {
  const random = seededRandom('Wayland wire');
  const kinds = ['i', 'u', 'f', 's', '?s', 'o', '?o', 'n', 'a', 'h'];

  function randomValue(kind: string): WireValue {
    if (kind.startsWith('?') && random.int(0, 3) === 0) return null;
    if (kind === 'i') return random.next() | 0;
    if (kind === 'f') return (random.next() | 0) / 256;
    if (kind.endsWith('s'))
      return String.fromCodePoint(random.int(1, 0xd7ff)).repeat(random.int(0, 40));
    if (kind === 'a') return random.bytes(random.int(0, 60));
    if (kind === 'h') return random.int(3, 1000);
    return random.int(1, 0xffffffff);
  }

  test('20 000 random messages come back as they were sent', () => {
    const view = freshView();
    for (let round = 0; round < 20_000; round += 1) {
      const chosen = Array.from({ length: random.int(0, 6) }, () => kinds[random.int(0, 9)] ?? 'u');
      const values = chosen.map(randomValue);
      const signature = chosen.join('');
      const fds: number[] = [];
      const end = encodeMessage(view, 0, 1, 2, signature, values, fds);
      if (end === null || end > MESSAGE_BYTES_MAX) throw new Error(`refused ${signature}`);
      expect(decodeArguments(view, 8, end, signature, fds)).toEqual(values);
    }
  });

  test('100 000 random byte strings are read within their bounds or refused', () => {
    const bytes = new Uint8Array(256);
    for (let round = 0; round < 100_000; round += 1) {
      const length = round % 97;
      bytes.set(random.bytes(length));
      // Small lengths make plausible strings and arrays.
      if (length > 4 && random.int(0, 1) === 0) bytes.fill(0, 1, 4);
      const view = new DataView(bytes.buffer, 0, length);
      const signature = Array.from(
        { length: random.int(1, 6) },
        () => kinds[random.int(0, 9)],
      ).join('');
      const values = decodeArguments(view, 0, length, signature, [1, 2, 3]);
      if (typeof values === 'string') continue;
      const carried = values.reduce<number>((sum, value) => {
        return sum + (typeof value === 'object' && value ? value.length : 0);
      }, 0);
      expect(carried).toBeLessThanOrEqual(length);
    }
  });
});

describe('interface tables', () => {
  const specs = [...Object.values(core), ...Object.values(wlr), ...Object.values(ext)];
  // Brought by versions that the recorded protocol files do not have yet.
  const newer = new Set(['zwlr_output_head_v1.release', 'zwlr_output_mode_v1.release']);
  newer.add('zwlr_output_configuration_head_v1.set_adaptive_sync');
  newer.add('zwlr_output_head_v1.adaptive_sync');
  // Spelled with `since 1` or without in the files; from the first version on.
  const withoutSince = (signature: string) => signature.replace(/^1(?=\D|$)/, '');

  test.each(specs.filter((spec) => spec.name in SIGNATURES))(
    '$name has the opcodes and signatures of the protocol file',
    (spec) => {
      const recorded = SIGNATURES[spec.name];
      for (const part of ['requests', 'events'] as const) {
        const ours = Object.entries(spec[part]).filter(
          ([name]) => !newer.has(`${spec.name}.${name}`),
        );
        const theirs = recorded?.[part].map(([name, text]) => [name, withoutSince(text)]) ?? [];
        expect(ours).toEqual(theirs.slice(0, ours.length) as [string, string][]);
      }
    },
  );

  test('every table but the staging ones is checked against a protocol file', () => {
    const unchecked = specs.filter((spec) => !(spec.name in SIGNATURES)).map((spec) => spec.name);

    expect(unchecked.every((name) => name.startsWith('ext_'))).toBe(true);
  });

  test('the position of a new id ignores the marks for null', () => {
    const request = compileInterface(wlr.VIRTUAL_POINTER_MANAGER).requests.get(
      'create_virtual_pointer_with_output',
    );

    expect(request).toEqual({ opcode: 2, signature: '?o?on', sinceVersion: 2, newIdIndex: 2 });
  });
});
