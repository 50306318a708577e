import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cleanDeviceName } from '../../src/trust/device-record.ts';
import { DEVICES_MAX, DeviceRoster } from '../../src/trust/devices.ts';
import { certificateFingerprint } from '../../src/trust/identity.ts';

const NOW_MS = 1_800_000_000_000;
let folder = '';
let path = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'punktfunk-devices-'));
  path = join(folder, 'devices.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const certificate = (number: number) => Uint8Array.from([0x30, 2, number >> 8, number & 0xff]);
const open = (damage: string[] = []) => new DeviceRoster(path, (text) => damage.push(text), NOW_MS);
const pair = (roster: DeviceRoster, number: number, name = `device ${number}`) =>
  roster.add({ certificateDer: certificate(number), name, plane: 'gamestream' }, NOW_MS + number);

/** A path whose folder is a file: nothing can be written there, even by root. */
function unwritable(roster: DeviceRoster): void {
  void roster;
  rmSync(path, { force: true });
  rmSync(folder, { recursive: true });
  writeFileSync(folder, '');
}

describe('device roster', () => {
  test('a paired device is authorised by its exact certificate, also after a restart', () => {
    pair(open(), 1);
    const roster = open();

    expect(roster.authorise(certificate(1))?.name).toBe('device 1');
    expect(roster.authorise(certificate(2))).toBeNull();
    expect(roster.authorise(certificate(1).subarray(0, 3))).toBeNull();
    expect(roster.authorise(new Uint8Array(0))).toBeNull();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('pairing again renews the record instead of adding one', () => {
    const roster = open();
    pair(roster, 1, 'old name');
    roster.setEnabled(certificateFingerprint(certificate(1)), false);

    pair(roster, 1, 'new name');

    expect(roster.list().map(({ name, enabled }) => ({ name, enabled }))).toEqual([
      { name: 'new name', enabled: true },
    ]);
  });

  test('an unpaired device is refused at once and its listeners hear of it', () => {
    const roster = open();
    const heard: string[] = [];
    pair(roster, 1);
    const stop = roster.onRevoked((device, cause) => {
      heard.push(`${device.name} ${cause} ${roster.authorise(certificate(1)) === null}`);
    });

    const result = roster.unpair(certificateFingerprint(certificate(1)).toUpperCase());
    stop();
    pair(roster, 1);
    roster.unpair(certificateFingerprint(certificate(1)));

    expect(result.ok).toBe(true);
    expect(heard).toEqual(['device 1 unpaired true']);
    expect(open().count).toBe(0);
  });

  test('a disabled device stays listed and is refused until it is enabled', () => {
    const roster = open();
    const heard: string[] = [];
    const fingerprint = certificateFingerprint(certificate(1));
    pair(roster, 1);
    roster.onRevoked((_device, cause) => heard.push(cause));

    roster.setEnabled(fingerprint, false);

    expect(heard).toEqual(['disabled']);
    expect(open().list()).toHaveLength(1);
    expect(open().authorise(certificate(1))).toBeNull();
    roster.setEnabled(fingerprint, true);
    expect(roster.authorise(certificate(1))).not.toBeNull();
    expect(heard).toEqual(['disabled']);
  });

  test(`holds ${DEVICES_MAX} devices and refuses one more with the next step`, () => {
    const records = Array.from({ length: DEVICES_MAX }, (_, index) => ({
      fingerprint: certificateFingerprint(certificate(index)),
      name: `device ${index}`,
      plane: 'native',
      certificate: Buffer.from(certificate(index)).toString('base64'),
      enabled: true,
      pairedAtMs: NOW_MS,
      lastSeenAtMs: null,
    }));
    writeFileSync(path, JSON.stringify({ version: 1, devices: records }));
    const roster = open();

    const refused = pair(roster, 5000);

    expect(refused).toMatchObject({ ok: false, code: 'full' });
    expect(roster.count).toBe(DEVICES_MAX);
    expect(pair(roster, 7).ok).toBe(true);
  });

  test('nothing changes in memory when the file cannot be written', () => {
    const roster = open();
    pair(roster, 1);
    const heard: string[] = [];
    roster.onRevoked((_device, cause) => heard.push(cause));
    const fingerprint = certificateFingerprint(certificate(1));
    unwritable(roster);

    expect(pair(roster, 2)).toMatchObject({ ok: false, code: 'not_written' });
    expect(roster.rename(fingerprint, 'x')).toMatchObject({ ok: false, code: 'not_written' });
    expect(roster.unpair(fingerprint)).toMatchObject({ ok: false, code: 'not_written' });
    roster.noteSeen(fingerprint, NOW_MS);

    expect(roster.list().map((device) => device.name)).toEqual(['device 1']);
    expect(roster.get(fingerprint)?.lastSeenAtMs).toBeNull();
    expect(heard).toEqual([]);
    rmSync(folder);
  });

  test('unknown fingerprints are told so', () => {
    expect(open().rename('ab', 'x')).toMatchObject({ ok: false, code: 'not_found' });
    expect(open().unpair('ab')).toMatchObject({ ok: false, code: 'not_found' });
    expect(open().setEnabled('ab', true)).toMatchObject({ ok: false, code: 'not_found' });
  });

  test('a device that polls every 3 s is written once an hour', () => {
    const roster = open();
    pair(roster, 1);
    const fingerprint = certificateFingerprint(certificate(1));
    roster.noteSeen(fingerprint, NOW_MS);
    const written = readFileSync(path, 'utf8');

    roster.noteSeen(fingerprint, NOW_MS + 3_000);
    expect(readFileSync(path, 'utf8')).toBe(written);
    roster.noteSeen(fingerprint, NOW_MS + 3_600_000);

    expect(open().get(fingerprint)?.lastSeenAtMs).toBe(NOW_MS + 3_600_000);
  });
});

describe('a damaged roster', () => {
  test('that is not JSON is set aside and nobody is let in', () => {
    writeFileSync(path, '{"version":1,"devices":[');
    const damage: string[] = [];

    const roster = open(damage);

    expect(roster.count).toBe(0);
    expect(damage).toHaveLength(1);
    expect(damage[0]).toContain(`${path}.damaged-${NOW_MS}`);
    expect(readFileSync(`${path}.damaged-${NOW_MS}`, 'utf8')).toBe('{"version":1,"devices":[');
  });

  test('loses only the records that are not whole', () => {
    pair(open(), 1);
    pair(open(), 2);
    const document = JSON.parse(readFileSync(path, 'utf8'));
    document.devices[1].certificate = Buffer.from('other').toString('base64');
    writeFileSync(path, JSON.stringify(document));
    const damage: string[] = [];

    const roster = open(damage);

    expect(roster.list().map((device) => device.name)).toEqual(['device 1']);
    expect(damage[0]).toContain('1 of 2 devices could be read');
    expect(readdirSync(folder)).toHaveLength(2);
  });

  test.each([
    'null',
    '[]',
    '{"version":2,"devices":[]}',
    '{"version":1,"devices":[null,1,"x",{}]}',
  ])('%s is refused without an exception', (text) => {
    writeFileSync(path, text);
    const damage: string[] = [];
    expect(open(damage).count).toBe(0);
    expect(damage).toHaveLength(1);
  });

  test('a file nobody may read is an error of the system, not an empty roster', () => {
    if (process.geteuid?.() === 0) {
      rmSync(path, { force: true });
      expect(() => new DeviceRoster(folder, () => undefined, NOW_MS)).toThrow(/EISDIR/);
      return;
    }
    writeFileSync(path, '{}');
    chmodSync(path, 0);
    expect(() => open()).toThrow(/EACCES/);
  });
});

describe('device names', () => {
  test.each([
    ['  Living\troom  TV ', 'Living room TV'],
    ['a\u202eb\u2066c\u200bd\u0000e', 'a b c d e'],
    ['\u0007\n', 'Unnamed device'],
    ['', 'Unnamed device'],
    ['é漢字🎮', 'é漢字🎮'],
    ['🎮'.repeat(70), '🎮'.repeat(64)],
    ['x\ud800y', 'x y'],
  ])('%j is shown as %j', (wish, shown) => {
    expect(cleanDeviceName(wish)).toBe(shown);
  });
});
