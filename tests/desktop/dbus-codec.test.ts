import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  busSocketPath,
  type DbusValue,
  userBusAddress,
  variant,
} from '../../src/desktop/dbus/index.ts';
import { marshal } from '../../src/desktop/dbus/marshal.ts';
import {
  decodeMessage,
  encodeMessage,
  MESSAGE_BYTES_MAX,
  messageLength,
} from '../../src/desktop/dbus/message.ts';
import { parseSignature } from '../../src/desktop/dbus/signature.ts';
import { unmarshal } from '../../src/desktop/dbus/unmarshal.ts';
import { seededRandom } from '../support/random.ts';

const FUZZ_COUNT = 100_000;
const recorded = JSON.parse(
  readFileSync(join(import.meta.dir, '..', 'fixtures', 'dbus-messages.json'), 'utf8'),
) as Record<string, string>;

const EXPECTED: Record<string, readonly [string, readonly DbusValue[]]> = {
  Nothing: ['', []],
  Basics: [
    'ybnqiuxtdsog',
    [
      0x7f,
      true,
      -2,
      65_535,
      -2_147_483_648,
      4_294_967_295,
      -9_223_372_036_854_775_807n,
      18_446_744_073_709_551_615n,
      -0.5,
      'grüße',
      '/o/p',
      'a{sv}',
    ],
  ],
  Options: [
    'a{sv}',
    [
      new Map<string, DbusValue>([
        ['size', variant('(uu)', [1, 2])],
        ['name', variant('s', 'n')],
        ['nested', variant('v', variant('x', 5n))],
        ['ids', variant('au', [])],
        ['raw', variant('ay', Uint8Array.of(1, 2, 0xff))],
      ]),
    ],
  ],
  Arrays: [
    'asata(ybx)aasa{us}',
    [
      ['', 'a', 'bc'],
      [1n],
      [
        [1, true, -1n],
        [2, false, 2n],
      ],
      [['x'], []],
      new Map([
        [1, 'one'],
        [2, 'two'],
      ]),
    ],
  ],
  EmptyWide: ['ata{sv}a(dd)y', [[], new Map(), [], 9]],
  Libdbus: [
    'iasa{si}v',
    [
      -7,
      ['a', 'b'],
      new Map([
        ['k', 1],
        ['l', -1],
      ]),
      variant('d', 1.5),
    ],
  ],
};

function recordedBytes(name: string): Uint8Array {
  return new Uint8Array(Buffer.from(recorded[name] ?? '', 'hex'));
}

describe('D-Bus messages', () => {
  test.each(Object.keys(EXPECTED))('%s of another implementation is read', (name) => {
    const [signature, body] = EXPECTED[name] ?? ['', []];

    const message = decodeMessage(recordedBytes(name));

    expect(message).toMatchObject({
      type: 'call',
      path: '/a/b_1',
      interface: 'x.y.Z',
      member: name,
      destination: 'x.y',
      signature,
    });
    expect(message?.body).toEqual([...body]);
  });

  test.each(Object.keys(EXPECTED))('%s has the body bytes of the other implementation', (name) => {
    const [signature, body] = EXPECTED[name] ?? ['', []];
    const bytes = recordedBytes(name);
    const bodyLength = new DataView(bytes.buffer).getUint32(4, true);

    const ours = marshal(signature, body);

    expect(Buffer.from(ours)).toEqual(Buffer.from(bytes.subarray(bytes.length - bodyLength)));
  });

  test('a message survives a round trip with all its fields', () => {
    const message = {
      type: 'error',
      serial: 77,
      noReply: true,
      path: '/x',
      interface: 'a.b',
      member: 'C',
      errorName: 'a.b.Error',
      replySerial: 0xffff_ffff,
      destination: ':1.2',
      sender: ':1.3',
      signature: 'sv',
      body: ['text', variant('(ii)', [1, -1])],
    } as const;

    expect(decodeMessage(encodeMessage(message))).toEqual(message);
  });

  test('big-endian bodies are read', () => {
    const body = Uint8Array.of(0, 0, 0, 4, 0, 7, 0, 8);

    expect(unmarshal('an', body, false)).toEqual([[7, 8]]);
  });

  test('a message is whole only when its last byte is there', () => {
    const bytes = recordedBytes('Basics');

    expect(messageLength(bytes.subarray(0, 15))).toBeNull();
    expect(messageLength(bytes.subarray(0, 16))).toBe(bytes.length);
    expect(decodeMessage(bytes.subarray(0, bytes.length - 1))).toBeNull();
  });

  test('a length beyond 16 MiB is not a message', () => {
    const bytes = recordedBytes('Nothing').slice(0, 16);
    const view = new DataView(bytes.buffer);
    view.setUint32(12, 0, true);

    view.setUint32(4, MESSAGE_BYTES_MAX - 16, true);
    expect(messageLength(bytes)).toBe(MESSAGE_BYTES_MAX);
    view.setUint32(4, MESSAGE_BYTES_MAX - 15, true);
    expect(messageLength(bytes)).toBe('not-a-message');
    view.setUint32(4, 0xffff_ffff, true);
    expect(messageLength(bytes)).toBe('not-a-message');
  });

  test.each([
    ['an empty struct', '()'],
    ['an open struct', '(i'],
    ['an entry outside an array', '{sv}'],
    ['an entry with a container key', 'a{(i)s}'],
    ['an entry of three', 'a{sss}'],
    ['an unknown type', 'z'],
    ['a bare array', 'a'],
    ['256 characters', 'y'.repeat(256)],
    ['66 arrays', `${'a'.repeat(66)}y`],
  ])('%s is no signature', (_name, signature) => {
    expect(parseSignature(signature)).toBeNull();
  });

  test.each([
    ['a boolean of 2', 'b', '02000000'],
    ['a string without its zero', 's', '0100000061'],
    ['a string longer than the body', 's', 'ffffffff6100'],
    ['an array that ends inside an element', 'ai', '0600000001000000020000000'],
    ['a variant of two types', 'v', '0269690001000000'],
    ['a variant without a type', 'v', '0000'],
  ])('%s is refused', (_name, signature, text) => {
    const body = new Uint8Array(Buffer.from(text.slice(0, text.length & ~1), 'hex'));

    expect(unmarshal(signature, body, true)).toBeNull();
  });

  test('a value that does not fit its signature is a fault of ours', () => {
    expect(() => marshal('y', [256])).toThrow('does not fit D-Bus type y');
    expect(() => marshal('s', ['a\0b'])).toThrow('does not fit D-Bus type s');
    expect(() => marshal('x', [1])).toThrow('does not fit D-Bus type x');
    expect(() => marshal('ss', ['a'])).toThrow('needs 2 values');
  });

  test(`${FUZZ_COUNT} damaged messages end in a value or null, never in an exception`, () => {
    const random = seededRandom('dbus fuzz');
    const seeds = Object.keys(recorded).map(recordedBytes);
    let accepted = 0;
    for (let i = 0; i < FUZZ_COUNT; i++) {
      const seed = seeds[random.int(0, seeds.length - 1)] ?? new Uint8Array();
      const bytes =
        random.int(0, 3) === 0 ? random.bytes(random.int(0, 80)) : Uint8Array.from(seed);
      for (let n = random.int(0, 3); n > 0 && bytes.length > 0; n--) {
        bytes[random.int(0, bytes.length - 1)] = random.int(0, 1) === 0 ? 0xff : random.int(0, 127);
      }
      const cut = random.int(0, 3) === 0 ? random.int(0, bytes.length) : bytes.length;
      if (decodeMessage(bytes.subarray(0, cut))) accepted += 1;
    }
    expect(accepted).toBeGreaterThan(0);
    expect(accepted).toBeLessThan(FUZZ_COUNT);
  });
});

describe('bus addresses', () => {
  test.each([
    ['unix:path=/run/user/1000/bus', '/run/user/1000/bus'],
    ['unix:abstract=/tmp/dbus-x,guid=0123', '\0/tmp/dbus-x'],
    ['unix:guid=1,path=/a%20b', '/a b'],
    ['tcp:host=localhost,port=1;unix:path=/second', '/second'],
    ['tcp:host=localhost', null],
    ['unix:path=%zz', null],
    ['', null],
  ])('%s', (address, path) => {
    expect(busSocketPath(address)).toBe(path);
  });

  test('a runtime directory with a comma is escaped in its address', () => {
    expect(userBusAddress('/run/a,b')).toBe('unix:path=/run/a%2cb/bus');
    expect(busSocketPath(userBusAddress('/run/a,b'))).toBe('/run/a,b/bus');
  });
});
