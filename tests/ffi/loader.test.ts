import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bindLibrary, LibraryError, openLibrary } from '../../ffi/loader.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'pf-loader-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function problemOf(work: () => unknown): LibraryError['problem'] {
  try {
    work();
  } catch (error) {
    if (error instanceof LibraryError) return error.problem;
    throw error;
  }
  throw new Error('it was opened');
}

describe('shared libraries', () => {
  test('one that is not there is said to be not installed, by its name', () => {
    expect(problemOf(() => openLibrary(['libpf-nothing.so.3']))).toEqual({
      kind: 'absent',
      library: 'libpf-nothing.so.3',
      detail: 'not installed',
    });
  });

  test('one of which no version is there is named without a version', () => {
    const names = ['libpf-nothing.so.3', 'libpf-nothing.so.2'];

    expect(problemOf(() => openLibrary(names))).toMatchObject({
      library: 'libpf-nothing',
      detail: 'not installed',
    });
  });

  test('a file that is no library is told in the words of the loader', () => {
    const path = join(dir, 'libpf-text.so.1');
    writeFileSync(path, 'this is text and not a library'.repeat(10));

    const { kind, detail } = problemOf(() => openLibrary([path, 'libpf-nothing.so.3']));

    expect(kind).toBe('absent');
    expect(detail).toContain('invalid ELF header');
  });

  test('a lacking symbol is named', () => {
    const declarations = { pf_no_such_function: { args: [], returns: 'void' } } as const;

    expect(problemOf(() => bindLibrary(['libc.so.6'], declarations))).toEqual({
      kind: 'missing-symbol',
      library: 'libc.so.6',
      detail: 'symbol pf_no_such_function is missing; this version is not supported',
    });
  });

  test('nothing of the current directory is opened by a bare name', () => {
    const before = process.cwd();
    writeFileSync(join(dir, 'libpf-planted.so.1'), 'planted');
    process.chdir(dir);
    try {
      expect(problemOf(() => openLibrary(['libpf-planted.so.1'])).detail).toBe('not installed');
    } finally {
      process.chdir(before);
    }
  });
});
