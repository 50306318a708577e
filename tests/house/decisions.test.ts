import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };

const DECISIONS = join(import.meta.dir, '../../docs/decisions');
const pages = [...new Bun.Glob('*.md').scanSync(DECISIONS)].sort();
const read = (page: string) => readFileSync(join(DECISIONS, page), 'utf8');

describe('docs/decisions', () => {
  test('every dependency has a page that names it and, where it is pinned, its version', () => {
    const all = pages.map(read).join('\n');
    const { dependencies, optionalDependencies, devDependencies } = packageJson;
    for (const [name, version] of Object.entries({ ...dependencies, ...optionalDependencies })) {
      expect(all).toContain(name);
      expect(all).toContain(version);
    }
    for (const name of Object.keys(devDependencies)) expect(all).toContain(name);
    expect(read('bun.md')).toContain(devDependencies.bun);
  });

  test('the list of pages is complete', () => {
    const listed = [...read('README.md').matchAll(/\]\(([\w-]+\.md)\)/g)].map((match) => match[1]);

    expect(listed.sort()).toEqual(pages.filter((page) => page !== 'README.md') as string[]);
  });
});
