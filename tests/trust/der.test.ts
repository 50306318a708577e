import { describe, expect, test } from 'bun:test';
import { X509Certificate } from 'node:crypto';
import {
  certificateSignature,
  derInteger,
  derOid,
  derTime,
  derValue,
} from '../../src/trust/der.ts';
import vectors from '../fixtures/gamestream-pairing.json';
import { seededRandom } from '../support/random.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('DER writer', () => {
  test.each([
    [0, '020100'],
    [0x7f, '02017f'],
    [0x80, '02020080'],
  ])('the integer %d is written as %s', (value, expected) => {
    expect(hex(derInteger(Uint8Array.of(value)))).toBe(expected);
  });

  test('leading zeros of an integer are dropped and an empty one is zero', () => {
    expect(hex(derInteger(Uint8Array.of(0, 0, 5)))).toBe('020105');
    expect(hex(derInteger(new Uint8Array(0)))).toBe('020100');
  });

  test('sha256WithRSAEncryption has the octets of RFC 8017', () => {
    expect(hex(derOid('1.2.840.113549.1.1.11'))).toBe('06092a864886f70d01010b');
  });

  test('lengths of 127, 128 and 300 bytes take one, two and three octets', () => {
    expect(hex(derValue(4, new Uint8Array(127)).subarray(0, 2))).toBe('047f');
    expect(hex(derValue(4, new Uint8Array(128)).subarray(0, 3))).toBe('048180');
    expect(hex(derValue(4, new Uint8Array(300)).subarray(0, 4))).toBe('0482012c');
  });

  test('the last second of 2049 is UTCTime and the first of 2050 GeneralizedTime', () => {
    const end = Date.UTC(2050, 0, 1);

    expect(Buffer.from(derTime(end - 1000)).toString('latin1')).toBe('\x17\x0d491231235959Z');
    expect(Buffer.from(derTime(end)).toString('latin1')).toBe('\x18\x0f20500101000000Z');
  });
});

describe('signature of a certificate', () => {
  test.each([vectors.host, vectors.client])('is the recorded one', (party) => {
    const der = new X509Certificate(party.certificatePem).raw;

    const signature = certificateSignature(der);

    expect(signature && hex(signature)).toBe(party.certificateSignature);
  });

  test('no truncation of a certificate is read, nor one with a byte added', () => {
    const der = new Uint8Array(new X509Certificate(vectors.host.certificatePem).raw);

    for (let length = 0; length < der.length; length += 1) {
      expect(certificateSignature(der.subarray(0, length))).toBeNull();
    }
    expect(certificateSignature(Buffer.concat([der, Uint8Array.of(0)]))).toBeNull();
  });

  test('100000 damaged certificates are read or refused without an exception', () => {
    const random = seededRandom('certificateSignature');
    const der = new Uint8Array(new X509Certificate(vectors.client.certificatePem).raw);

    for (let round = 0; round < 100_000; round += 1) {
      const damaged = round % 2 === 0 ? der.slice() : random.bytes(random.int(0, 40));
      for (let hits = random.int(1, 4); hits > 0 && damaged.length > 0; hits -= 1) {
        damaged[random.int(0, Math.min(damaged.length, 64) - 1)] = random.int(0, 255);
      }
      const signature = certificateSignature(damaged);
      expect(signature === null || signature.length < damaged.length).toBe(true);
    }
  });
});
