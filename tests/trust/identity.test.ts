import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { createHash, createPublicKey, sign, verify, X509Certificate } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IdentityError, loadOrCreateIdentity } from '../../src/trust/identity.ts';

const NOW_MS = Date.UTC(2026, 5, 1, 12);
const hasOpenssl = Bun.which('openssl') !== null;
let folder = '';
let path = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'punktfunk-identity-'));
  path = join(folder, 'state', 'identity.pem');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const load = (hasPairedDevices = false, notes: string[] = []) =>
  loadOrCreateIdentity({
    path,
    commonName: 'punktfunk',
    nowMs: NOW_MS,
    hasPairedDevices,
    onNote: (sentence) => notes.push(sentence),
  });

function refusal(edit: (text: string) => string): string {
  load();
  const damaged = edit(readFileSync(path, 'utf8'));
  writeFileSync(path, damaged);
  let message = '';
  try {
    load();
  } catch (error) {
    expect(error).toBeInstanceOf(IdentityError);
    message = (error as Error).message;
  }
  expect(readFileSync(path, 'utf8')).toBe(damaged);
  return message;
}

describe('host identity', () => {
  test('is made once, owner-only, and read back the same', () => {
    const made = load();
    const read = load(true);

    expect(read.fingerprint).toBe(made.fingerprint);
    expect(read.uniqueId).toBe(made.uniqueId);
    expect(read.certificatePem).toBe(made.certificatePem);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(folder, 'state'))).toEqual(['identity.pem']);
  });

  test('two identities differ in key, serial and unique id', () => {
    const first = load();
    rmSync(path);
    const second = load();

    expect(second.uniqueId).not.toBe(first.uniqueId);
    expect(second.fingerprint).not.toBe(first.fingerprint);
    expect(new X509Certificate(second.certificatePem).serialNumber).not.toBe(
      new X509Certificate(first.certificatePem).serialNumber,
    );
  });

  test('the certificate is RSA-2048, self-signed, and valid from yesterday for 20 years', () => {
    const identity = load();
    const certificate = new X509Certificate(identity.certificatePem);

    expect(certificate.publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(Date.parse(certificate.validFrom)).toBe(NOW_MS - 86_400_000);
    expect(Date.parse(certificate.validTo)).toBe(Date.UTC(2046, 5, 1, 12));
    expect(createHash('sha256').update(certificate.raw).digest('hex')).toBe(identity.fingerprint);
    expect([...identity.certificateDer]).toEqual([...certificate.raw]);
  });

  test('a certificate that ends after 2049 is still read by the runtime', () => {
    const identity = loadOrCreateIdentity({
      path,
      commonName: 'late',
      nowMs: Date.UTC(2031, 0, 1),
      hasPairedDevices: false,
    });

    expect(Date.parse(new X509Certificate(identity.certificatePem).validTo)).toBe(
      Date.UTC(2051, 0, 1),
    );
  });

  test('the private key signs what the certificate verifies', () => {
    const identity = load();
    const content = Buffer.from('secret');

    const signature = sign('sha256', content, identity.privateKey);

    const key = createPublicKey(identity.certificatePem);
    expect(verify('sha256', content, key, signature)).toBe(true);
    expect(identity.certificateSignature).toHaveLength(256);
  });

  test.skipIf(!hasOpenssl)('OpenSSL reads it and agrees with the signature (needs openssl)', () => {
    load();

    const result = Bun.spawnSync(['openssl', 'verify', '-CAfile', path, '-check_ss_sig', path]);

    expect(result.stdout.toString()).toContain('OK');
    const text = Bun.spawnSync(['openssl', 'x509', '-in', path, '-noout', '-text']);
    expect(text.stdout.toString()).toContain('Version: 3 (0x2)');
    expect(text.stdout.toString()).toContain('sha256WithRSAEncryption');
  });

  test('loose permissions are tightened and told', () => {
    load();
    chmodSync(path, 0o644);
    const notes: string[] = [];

    load(true, notes);

    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toContain('owner-only again');
  });
});

describe('a damaged identity is reported, never replaced', () => {
  test('a missing file is a loss once devices are paired', () => {
    expect(() => load(true)).toThrow(/is missing although devices are paired; restore it/);
    expect(existsSync(path)).toBe(false);
  });

  test('an empty file', () => {
    expect(refusal(() => '')).toContain('has no line "unique-id: <uuid>"');
  });

  test('no certificate', () => {
    expect(
      refusal((text) => text.replace(/-----BEGIN CERT[\s\S]*?END CERTIFICATE-----\n/, '')),
    ).toContain('does not hold exactly one certificate');
  });

  test('no key', () => {
    expect(refusal((text) => text.slice(0, text.indexOf('-----BEGIN PRIVATE')))).toContain(
      'does not hold exactly one private key',
    );
  });

  test('a key cut in the middle', () => {
    expect(refusal((text) => `${text.slice(0, -400)}\n-----END PRIVATE KEY-----\n`)).toContain(
      'holds a private key that cannot be read',
    );
  });

  test('a certificate cut in the middle', () => {
    const cut = (text: string) =>
      text.replace(/(-----BEGIN CERTIFICATE-----\n.{60})[\s\S]*?(-----END CERTIFICATE)/, '$1\n$2');
    expect(refusal(cut)).toContain('holds a certificate that cannot be read');
  });

  test('a key of another certificate', () => {
    const other = loadOrCreateIdentity({
      path: join(folder, 'other.pem'),
      commonName: 'other',
      nowMs: NOW_MS,
      hasPairedDevices: false,
    });
    const swap = (text: string) =>
      text.slice(0, text.indexOf('-----BEGIN PRIVATE')) + other.privateKeyPem;
    expect(refusal(swap)).toContain('does not belong to its certificate');
  });

  test('a file of a megabyte', () => {
    expect(refusal((text) => text + ' '.repeat(1 << 20))).toMatch(/is 10\d{5} bytes long/);
  });

  test('a place that cannot be read is named', () => {
    writeFileSync(join(folder, 'state'), '');
    expect(() => load()).toThrow(
      /cannot read the host identity .*ENOTDIR.*; give this user access/,
    );
  });

  test('a place that cannot be written names the flag to use', () => {
    path = '/proc/punktfunk/identity.pem';
    expect(() => load()).toThrow(
      /cannot write the host identity .*choose another with --state-dir/,
    );
  });
});
