import { afterEach, beforeEach, expect, test } from 'bun:test';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadApps } from '../../src/host/apps-file.ts';

const MKFIFO = Bun.which('mkfifo');
const ONE_APP = JSON.stringify([{ id: 7, title: 'Game', command: 'game' }]);
let dir = '';
let path = '';
let warnings: string[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pf-apps-'));
  path = join(dir, 'apps.json');
  warnings = [];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function titles(): string[] {
  return loadApps(path, (sentence) => warnings.push(sentence))
    .list()
    .map(({ title }) => title);
}

test('a list that everybody can write is not taken over: its commands run as this user', () => {
  writeFileSync(path, ONE_APP);
  chmodSync(path, 0o666);

  expect(titles()).toEqual(['Desktop']);
  expect(warnings[0]).toContain('every user of this machine can write it; run "chmod o-w');
});

test('it is taken over as soon as its mode is mended, without a restart', () => {
  writeFileSync(path, ONE_APP);
  chmodSync(path, 0o666);
  const apps = loadApps(path, (sentence) => warnings.push(sentence), 0);
  chmodSync(path, 0o644);

  expect(apps.list().map(({ title }) => title)).toEqual(['Desktop', 'Game']);
});

test.skipIf(!MKFIFO)('pipes and devices in its place are refused, not read (needs mkfifo)', () => {
  Bun.spawnSync([String(MKFIFO), path]);
  expect(titles()).toEqual(['Desktop']);
  rmSync(path);
  symlinkSync('/dev/zero', path);
  expect(titles()).toEqual(['Desktop']);

  expect(warnings).toHaveLength(2);
});

test('hostile JSON is named and changes nothing', () => {
  for (const text of ['['.repeat(500_000), '[{"__proto__":{"title":"x"}}]', '{"length":3}', '\0']) {
    writeFileSync(path, text);
    expect(titles()).toEqual(['Desktop']);
  }
  expect(warnings).toHaveLength(4);
});
