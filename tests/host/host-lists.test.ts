import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadApps } from '../../src/host/apps-file.ts';
import { hostAddresses, hostDisplayName } from '../../src/host/host-names.ts';
import { captureReport, encoderReport, soundReport } from '../../src/host/rung-reports.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pf-apps-file-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('the apps file', () => {
  const path = (): string => join(dir, 'apps.json');
  const titles = (apps: { list(): readonly { title: string }[] }): string[] =>
    apps.list().map(({ title }) => title);
  /** Writes and makes sure that the file looks changed. */
  let stamp = 1_700_000_000;
  const write = (text: string): void => {
    writeFileSync(path(), text);
    stamp += 10;
    utimesSync(path(), stamp, stamp);
  };

  test('that is missing leaves the desktop', () => {
    const said: string[] = [];
    expect(titles(loadApps(path(), (sentence) => said.push(sentence), 0))).toEqual(['Desktop']);
    expect(said).toEqual([]);
  });

  test('is read again when it changed, appeared or went away', () => {
    const apps = loadApps(path(), () => {}, 0);
    write('[{"title":"Game"}]');
    expect(titles(apps)).toEqual(['Desktop', 'Game']);
    write('[{"title":"Film"}]');
    expect(titles(apps)).toEqual(['Desktop', 'Film']);
    rmSync(path());
    expect(titles(apps)).toEqual(['Desktop']);
  });

  test('is not looked at more often than asked', () => {
    const apps = loadApps(path(), () => {}, 60_000);
    write('[{"title":"Game"}]');
    expect(titles(apps)).toEqual(['Desktop']);
  });

  test.each([
    ['not JSON', '[{"title":', 'is not JSON'],
    ['a wrong key', '[{"title":"A","cmd":"x"}]', '0.cmd'],
    ['longer than 1 MiB', ' '.repeat(1024 * 1024 + 1), 'larger than 1 MiB'],
  ])('that is %s keeps the list before and is named once', (_, text, words) => {
    const said: string[] = [];
    write('[{"title":"Game"}]');
    const apps = loadApps(path(), (sentence) => said.push(sentence), 0);
    write(text);

    expect(titles(apps)).toEqual(['Desktop', 'Game']);
    expect(titles(apps)).toEqual(['Desktop', 'Game']);

    expect(said.length).toBe(1);
    expect(said[0]).toContain(path());
    expect(said[0]).toContain(words);
  });

  test('that is a folder is named, and nothing is thrown', () => {
    const said: string[] = [];
    mkdirSync(path());
    expect(titles(loadApps(path(), (sentence) => said.push(sentence), 0))).toEqual(['Desktop']);
    expect(said[0]).toContain('EISDIR');
  });

  test('that cannot be looked at is named, and nothing is thrown', () => {
    const said: string[] = [];
    symlinkSync(path(), path());
    expect(titles(loadApps(path(), (sentence) => said.push(sentence), 0))).toEqual(['Desktop']);
    expect(said[0]).toContain('ELOOP');
  });
});

describe('the names of the host', () => {
  test('the owner’s name comes first, else the machine’s without its domain', () => {
    expect(hostDisplayName('Den')).toBe('Den');
    expect(hostDisplayName(null)).toBe(hostname().split('.')[0] || 'punktfunk');
  });

  test('a bind address is the only one; otherwise nothing that a device cannot reach', () => {
    expect(hostAddresses('192.0.2.4')).toEqual(['192.0.2.4']);
    for (const address of [...hostAddresses('0.0.0.0'), ...hostAddresses('::')]) {
      expect(isIP(address)).not.toBe(0);
      expect(address).not.toMatch(/^(?:127\.|::1$|fe80)/);
    }
    expect(hostAddresses('0.0.0.0').every((address) => isIP(address) === 4)).toBe(true);
  });
});

describe('rung reports', () => {
  const refused = [{ rung: 'mutter', missing: 'no session bus', remedy: 'log in' }];
  const probe = {
    displays: [
      { backend: 'wlroots', sources: ['virtual', 'mirror'] },
      { backend: 'synthetic', sources: ['synthetic'] },
    ],
    details: new Map([['wlroots', 'sway at /run/wayland-1']]),
    refused,
  } as const;
  const bare = { displays: [probe.displays[1]], details: new Map<string, string>(), refused };

  test('the desktop that is there is taken, also for a copy', () => {
    const taken = { taken: 'wlroots', detail: 'sway at /run/wayland-1', refused: [] };
    expect(captureReport('auto', probe)).toEqual(taken);
    expect(captureReport('mirror', probe)).toEqual(taken);
  });

  test('without a desktop the test card is taken and every reason is told', () => {
    expect(captureReport('auto', bare)).toEqual({
      taken: 'synthetic',
      detail: 'moving test card, no desktop was found',
      refused: [...refused],
    });
  });

  test('a source that nothing offers is said to be missing, with the reasons', () => {
    expect(captureReport('portal', probe)).toEqual({
      taken: null,
      detail: 'nothing offers the source portal',
      refused: [...refused],
    });
    expect(captureReport('synthetic', probe).detail).toBe('moving test card, as set');
  });

  test('the encoder names its rung once and lists the better ones', () => {
    const better = [{ rung: 'gpu', missing: 'not in this version', remedy: 'none' }];
    const rung = { name: 'x264' } as never;
    const ladder = { betterRungs: better, codecs: [], problem: null };
    expect(encoderReport({ ...ladder, rung, detail: 'x264: libx264.so.164' })).toEqual({
      taken: 'x264',
      detail: 'libx264.so.164',
      refused: better,
    });
    expect(
      encoderReport({ ...ladder, rung: null, detail: 'no encoder works', betterRungs: [] }),
    ).toEqual({ taken: null, detail: 'no encoder works', refused: [] });
  });

  test('silence says whether it was wanted', () => {
    const missing = { available: false, missing: 'no daemon', remedy: 'start it' } as const;
    expect(soundReport(false, missing).detail).toBe('sound is turned off');
    expect(soundReport(true, missing).refused).toEqual([
      { rung: 'pipewire', missing: 'no daemon', remedy: 'start it' },
    ]);
    expect(soundReport(true, { available: true, detail: 'PipeWire' }).taken).toBe('pipewire');
  });
});
