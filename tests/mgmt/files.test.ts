import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  loopbackFor,
  readEndpoint,
  removeEndpoint,
  writeEndpoint,
} from '../../src/mgmt/endpoint-file.ts';
import { acceptsHost, namesOf } from '../../src/mgmt/host-header.ts';
import { ensureToken, readToken, tokenMatcher } from '../../src/mgmt/token.ts';

let dir = '';
const notes: string[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pf-mgmt-'));
  notes.length = 0;
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('the token file', () => {
  test('a new token is 32 bytes in a file of the owner alone, and stays', () => {
    const token = ensureToken(dir, (note) => notes.push(note));

    expect(token).toMatch(/^[0-9a-f]{64}$/);
    expect(statSync(join(dir, 'mgmt-token')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(dir, 'mgmt-token'), 'utf8')).toBe(`PUNKTFUNK_MGMT_TOKEN=${token}\n`);
    expect(ensureToken(dir, (note) => notes.push(note))).toBe(token);
    expect(readToken(dir)).toBe(token);
    expect(notes).toEqual([]);
  });

  test('a token that others could read is replaced with a note', () => {
    const token = ensureToken(dir, (note) => notes.push(note));
    chmodSync(join(dir, 'mgmt-token'), 0o644);

    expect(ensureToken(dir, (note) => notes.push(note))).not.toBe(token);
    expect(statSync(join(dir, 'mgmt-token')).mode & 0o777).toBe(0o600);
    expect(notes).toHaveLength(1);
  });

  test.each(['', 'PUNKTFUNK_MGMT_TOKEN=', 'PUNKTFUNK_MGMT_TOKEN=abc', 'x'])(
    'a file with %p is no token and is replaced',
    (text) => {
      writeFileSync(join(dir, 'mgmt-token'), text, { mode: 0o600 });

      expect(readToken(dir)).toBeNull();
      expect(ensureToken(dir, () => {})).toMatch(/^[0-9a-f]{64}$/);
    },
  );

  test('tokens match only whole', () => {
    const matches = tokenMatcher('ab'.repeat(32));

    expect(matches('ab'.repeat(32))).toBe(true);
    expect(matches('ab'.repeat(31))).toBe(false);
    expect(matches('')).toBe(false);
  });
});

describe('the endpoint file', () => {
  test.each(['127.0.0.1', '::1', '192.168.1.5'])('%s is read back', (address) => {
    const endpoint = { address, port: 47_990, certificateSha256: 'e'.repeat(64) };

    writeEndpoint(dir, endpoint);

    expect(readEndpoint(dir)).toEqual(endpoint);
    removeEndpoint(dir);
    removeEndpoint(dir);
    expect(readEndpoint(dir)).toBeNull();
  });

  test.each([
    '',
    'PUNKTFUNK_MGMT_URL=https://127.0.0.1:47990',
    `PUNKTFUNK_MGMT_URL=https://evil.example:1\nPUNKTFUNK_MGMT_CERT_SHA256=${'e'.repeat(64)}`,
    `PUNKTFUNK_MGMT_URL=https://127.0.0.1:99999\nPUNKTFUNK_MGMT_CERT_SHA256=${'e'.repeat(64)}`,
    `PUNKTFUNK_MGMT_URL=http://127.0.0.1:1\nPUNKTFUNK_MGMT_CERT_SHA256=${'e'.repeat(64)}`,
  ])('%p is not an endpoint', (text) => {
    writeFileSync(join(dir, 'mgmt-endpoint'), text);

    expect(readEndpoint(dir)).toBeNull();
  });

  test.each([
    ['0.0.0.0', '127.0.0.1'],
    ['::', '::1'],
    ['192.168.1.5', '192.168.1.5'],
  ])('a host bound to %s is reached at %s', (bind, address) => {
    expect(loopbackFor(bind)).toBe(address);
  });
});

describe('the Host header', () => {
  test('names of a machine are its name, its short name and its mDNS name', () => {
    expect(namesOf('PC.lan.')).toEqual(['pc.lan', 'pc', 'pc.local']);
    expect(acceptsHost('pc.local:47990', namesOf('PC'))).toBe(true);
    expect(acceptsHost('pc.local.', namesOf('PC'))).toBe(true);
    expect(acceptsHost('pc.example', namesOf('PC'))).toBe(false);
    expect(acceptsHost(undefined, namesOf('PC'))).toBe(false);
    expect(acceptsHost(`${'a'.repeat(256)}`, ['a'.repeat(256)])).toBe(false);
  });
});
