import { afterEach, beforeEach, expect, test } from 'bun:test';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LoadedSettings, loadSettings } from '../../src/config/load.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pf-load-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function load(): LoadedSettings {
  const env = { HOME: dir, PUNKTFUNK_CONFIG_DIR: dir };
  return loadSettings({ flags: [], env, workingDir: dir });
}

test('the settings file of the configuration folder is read', () => {
  writeFileSync(join(dir, 'host.env'), 'fec-pct=33', { mode: 0o644 });

  expect(load().settings.fecPct).toBe(33);
});

test('one that everybody can write is not obeyed, also behind a link', () => {
  const file = join(dir, 'shared.env');
  writeFileSync(file, 'fec-pct=33');
  symlinkSync('shared.env', join(dir, 'host.env'));
  chmodSync(file, 0o666);

  expect(load).toThrow(/Every user of this machine can write .*host\.env\. Look at it/);
  chmodSync(file, 0o664);
  expect(load().settings.fecPct).toBe(33);
});

test('one that cannot be read is named with the reason', () => {
  symlinkSync('host.env', join(dir, 'host.env'));

  expect(load).toThrow(/host\.env cannot be read \(ELOOP\)/);
});
