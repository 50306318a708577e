import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createFileAtomic,
  readBytesIfPresent,
  readFileIfPresent,
  writeFileAtomic,
} from '../../src/platform/files.ts';

const MKFIFO = Bun.which('mkfifo');
let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pf-files-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('reading', () => {
  test('a missing file, or a link to one, is null', () => {
    symlinkSync(join(dir, 'nothing'), join(dir, 'link'));

    expect(readFileIfPresent(join(dir, 'nothing'))).toBeNull();
    expect(readBytesIfPresent(join(dir, 'link'))).toBeNull();
  });

  test('a file, also through a link, is its content', () => {
    writeFileSync(join(dir, 'file'), 'grüße');
    symlinkSync('file', join(dir, 'link'));

    expect(readFileIfPresent(join(dir, 'link'))).toBe('grüße');
  });

  test('what would never end is refused at once: a device, a folder', () => {
    symlinkSync('/dev/zero', join(dir, 'device'));
    mkdirSync(join(dir, 'folder'));

    expect(() => readFileIfPresent(join(dir, 'device'))).toThrow(/ENXIO.*not a file/);
    expect(() => readFileIfPresent(join(dir, 'folder'))).toThrow(/EISDIR/);
  });

  test.skipIf(!MKFIFO)('a pipe without a writer is not waited for (needs mkfifo)', () => {
    Bun.spawnSync([String(MKFIFO), join(dir, 'pipe')]);

    expect(() => readFileIfPresent(join(dir, 'pipe'))).toThrow(/ENXIO.*not a file/);
  });

  test('a file longer than the bound is refused before it is read', () => {
    writeFileSync(join(dir, 'long'), 'x'.repeat(101));

    expect(() => readBytesIfPresent(join(dir, 'long'), 100)).toThrow(/EFBIG/);
    expect(readBytesIfPresent(join(dir, 'long'), 101)?.length).toBe(101);
  });
});

describe('writing', () => {
  test('replaces a planted link and leaves what it points to alone', () => {
    writeFileSync(join(dir, 'victim'), 'precious');
    symlinkSync('victim', join(dir, 'token'));

    writeFileAtomic(join(dir, 'token'), 'secret');

    expect(readFileIfPresent(join(dir, 'victim'))).toBe('precious');
    expect(readFileIfPresent(join(dir, 'token'))).toBe('secret');
    expect(statSync(join(dir, 'token')).mode & 0o777).toBe(0o600);
  });

  test('making a file leaves one that is there, also a link, untouched', () => {
    symlinkSync('/nowhere', join(dir, 'identity'));

    expect(createFileAtomic(join(dir, 'identity'), 'new')).toBe(false);
    expect(readFileIfPresent(join(dir, 'identity'))).toBeNull();
  });
});
