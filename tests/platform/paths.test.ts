import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import {
  chmodSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureOwnerDir, hostPaths } from '../../src/platform/linux/paths.ts';

const NONE = { configDir: null, stateDir: null, appsFile: null, desktopRuntimeDir: null };
let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pf-paths-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('the folders of the host', () => {
  test('they lie where the XDG variables say', () => {
    const env = {
      HOME: '/home/me',
      XDG_CONFIG_HOME: '/c',
      XDG_STATE_HOME: '/s',
      XDG_CACHE_HOME: '/k',
      XDG_RUNTIME_DIR: '/run/user/1',
    };

    expect(hostPaths(env, NONE)).toEqual({
      configDir: '/c/punktfunk',
      stateDir: '/s/punktfunk',
      cacheDir: '/k/punktfunk',
      runtimeDir: '/run/user/1',
      appsFile: '/c/punktfunk/apps.json',
    });
  });

  test('without XDG variables, or with relative ones, they lie under HOME', () => {
    const env = { HOME: '/home/me', XDG_CONFIG_HOME: 'relative' };

    expect(hostPaths(env, NONE)).toEqual({
      configDir: '/home/me/.config/punktfunk',
      stateDir: '/home/me/.local/state/punktfunk',
      cacheDir: '/home/me/.cache/punktfunk',
      runtimeDir: null,
      appsFile: '/home/me/.config/punktfunk/apps.json',
    });
  });

  test('settings win over the environment', () => {
    const overrides = {
      configDir: '/c',
      stateDir: '/s',
      appsFile: '/a.json',
      desktopRuntimeDir: '/r',
    };

    expect(hostPaths({}, overrides)).toEqual({
      configDir: '/c',
      stateDir: '/s',
      cacheDir: '/s/cache',
      runtimeDir: '/r',
      appsFile: '/a.json',
    });
  });

  test('without HOME and settings the sentence names both remedies', () => {
    expect(() => hostPaths({}, NONE)).toThrow(/HOME.*--config-dir and --state-dir/);
  });
});

describe('making a folder', () => {
  test('a new one belongs to its owner alone', () => {
    ensureOwnerDir(join(dir, 'a', 'b'), '--state-dir');

    expect(statSync(join(dir, 'a', 'b')).mode & 0o777).toBe(0o700);
  });

  test('one that others can write in is refused and left as it is', () => {
    const open = join(dir, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);

    expect(() => ensureOwnerDir(open, '--state-dir')).toThrow(`Run "chmod 700 ${open}"`);
    expect(statSync(open).mode & 0o777).toBe(0o777);
  });

  test('a file in it that others can write is named, and how to mend it', () => {
    const file = join(dir, 'devices.json');
    writeFileSync(file, '{}');
    chmodSync(file, 0o666);

    expect(() => ensureOwnerDir(dir, '--state-dir')).toThrow(
      `devices.json in it is writable for others. Look at it and run "chmod 600 ${file}"`,
    );
    chmodSync(file, 0o600);
    ensureOwnerDir(dir, '--state-dir');
  });

  test('folders and links of the owner in it do no harm', () => {
    mkdirSync(join(dir, 'cache'));
    chmodSync(join(dir, 'cache'), 0o775);
    symlinkSync('/nowhere', join(dir, 'identity.pem'));

    ensureOwnerDir(dir, '--state-dir');
  });

  test.skipIf(process.geteuid?.() !== 0)(
    'a file or link that another user left in it is named (needs root to make one)',
    () => {
      for (const leave of [
        (path: string) => writeFileSync(path, '{}', { mode: 0o600 }),
        (path: string) => symlinkSync('/etc/passwd', path),
      ]) {
        const path = join(dir, 'restore-journal.json');
        leave(path);
        lchownSync(path, 65_534, 65_534);

        expect(() => ensureOwnerDir(dir, '--state-dir')).toThrow(
          'restore-journal.json in it belongs to another user (uid 65534)',
        );
        rmSync(path);
      }
    },
  );

  test('a file in its place is named', () => {
    writeFileSync(join(dir, 'file'), '');

    expect(() => ensureOwnerDir(join(dir, 'file'), '--state-dir')).toThrow('is not a folder');
    expect(() => ensureOwnerDir(join(dir, 'file', 'x'), '--state-dir')).toThrow('is not a folder');
  });

  test.skipIf(process.geteuid?.() === 0)(
    'one that is not writable is named (needs a user who is not root)',
    () => {
      const closed = join(dir, 'closed');
      mkdirSync(closed, { mode: 0o500 });

      expect(() => ensureOwnerDir(closed, '--state-dir')).toThrow(
        /is not writable.*name another one with --state-dir/s,
      );
    },
  );

  test('a file system without writing is named', () => {
    expect(() => ensureOwnerDir('/proc/punktfunk', '--state-dir')).toThrow(
      /The folder \/proc\/punktfunk cannot be used/,
    );
  });
});
