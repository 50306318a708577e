import { describe, expect, test } from 'bun:test';
import {
  parseDecimal,
  parseHex,
  parseQuery,
  QUERY_LENGTH_MAX,
} from '../../src/gamestream/nvhttp-query.ts';
import { seededRandom } from '../support/random.ts';

const read = (text: string) => {
  const result = parseQuery(text);
  return result.ok ? Object.fromEntries(result.query) : result.reason;
};

describe('a query string', () => {
  test('is read into its parameters', () => {
    expect(read('')).toEqual({});
    expect(read('a=1&b=&c&&d=x=y')).toEqual({ a: '1', b: '', c: '', d: 'x=y' });
    expect(read('name=Living+room%20%C3%A9')).toEqual({ name: 'Living room é' });
  });

  test.each([
    ['a=1&a=1', 'the query has a parameter twice'],
    ['a=1&%61=2', 'the query has a parameter twice'],
    ['=1', 'the query has a bad key'],
    [`${'k'.repeat(65)}=1`, 'the query has a bad key'],
    ['a=%', 'the query is not well-formed'],
    ['a=%f', 'the query is not well-formed'],
    ['a=%C3', 'the query is not well-formed'],
    ['a=%C0%AF', 'the query is not well-formed'],
    ['a=%0d%0a', 'the query is not well-formed'],
    ['a=\u0000', 'the query is not well-formed'],
    ['a=%7f', 'the query is not well-formed'],
  ])('%j is refused: %s', (text, reason) => expect(read(text)).toBe(reason));

  test('may have 64 parameters and not 65', () => {
    const text = (count: number) => Array.from({ length: count }, (_, n) => `k${n}=v`).join('&');
    expect(Object.keys(read(text(64)))).toHaveLength(64);
    expect(read(text(65))).toBe('the query has too many parameters');
  });

  test(`may have ${QUERY_LENGTH_MAX} characters and not one more`, () => {
    const text = (length: number) => `a=${'b'.repeat(length - 2)}`;
    expect(read(text(QUERY_LENGTH_MAX))).toEqual({ a: 'b'.repeat(QUERY_LENGTH_MAX - 2) });
    expect(read(text(QUERY_LENGTH_MAX + 1))).toBe('the query is too long');
  });

  test('a key of an object prototype is a parameter like any other', () => {
    const result = parseQuery('__proto__=1&constructor=2');
    expect(result.ok && [...result.query]).toEqual([
      ['__proto__', '1'],
      ['constructor', '2'],
    ]);
  });

  test('100000 random texts from the empty one up are read or refused without an exception', () => {
    const random = seededRandom('parseQuery');
    const alphabet = 'aab=&&=%%%0123cCdDfF+\u0000é\ud83d\udfff';
    for (let round = 0; round < 100_000; round += 1) {
      const length = Math.min(round, random.int(0, 40));
      let text = '';
      for (let index = 0; index < length; index += 1) {
        text += alphabet[random.int(0, alphabet.length - 1)];
      }
      const result = parseQuery(text);
      if (!result.ok) continue;
      expect(result.query.size).toBeLessThanOrEqual(length);
      for (const [key, value] of result.query) {
        expect(key.length + value.length).toBeLessThanOrEqual(length);
      }
    }
  });
});

describe('values', () => {
  test('hex of either case, bounded', () => {
    expect(parseHex('00fFAb', 3)).toEqual(Uint8Array.of(0, 0xff, 0xab));
    expect(parseHex('', 3)).toEqual(new Uint8Array(0));
    for (const text of [undefined, '0', '0g', '0x00', '00 1', '00112233']) {
      expect(parseHex(text, 3)).toBeNull();
    }
  });

  test('decimals within their range', () => {
    expect(parseDecimal('-5', -5, 5)).toBe(-5);
    expect(parseDecimal('007', 0, 9)).toBe(7);
    for (const text of [
      undefined,
      '',
      '+1',
      '1.0',
      '1e1',
      '0x1',
      ' 1',
      '6',
      '-6',
      '9'.repeat(16),
    ]) {
      expect(parseDecimal(text, -5, 5)).toBeNull();
    }
  });
});
