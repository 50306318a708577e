/** What `npm ci` demands of the lock file, so that a fresh clone can be installed anywhere. */
import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };

interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const ROOT = join(import.meta.dir, '..', '..');
const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
  readonly packages: Readonly<Record<string, LockedPackage>>;
};
const locked = Object.entries(lock.packages).filter(([path]) => path !== '');

/** Whether `name` is found from the package at `path`: in its own folder, one around it or the root. */
function isLocked(path: string, name: string): boolean {
  const nested = path.split('/node_modules/');
  const around = nested.map((_, index) => `${nested.slice(0, index + 1).join('/node_modules/')}/`);
  return ['', ...around].some((folder) => `${folder}node_modules/${name}` in lock.packages);
}

describe('package-lock.json', () => {
  test('holds every dependency of every package, those of other platforms too', () => {
    const missing = locked.flatMap(([path, { dependencies, optionalDependencies }]) =>
      Object.keys({ ...dependencies, ...optionalDependencies })
        .filter((name) => !isLocked(path, name))
        .map((name) => `${name}, named by ${path}`),
    );

    expect(missing).toEqual([]);
  });

  test('names a hash for every package', () => {
    expect(locked.filter(([, { integrity }]) => !integrity?.startsWith('sha512-'))).toEqual([]);
  });

  test('agrees with package.json', () => {
    const { dependencies, optionalDependencies, devDependencies } = packageJson;

    expect(lock.packages['']).toMatchObject({
      dependencies,
      optionalDependencies,
      devDependencies,
    });
  });
});
