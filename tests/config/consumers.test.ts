import { describe, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NAMED_ROWS } from '../../src/config/rows.ts';

const ROOT = join(import.meta.dir, '..', '..');
/** The settings are handed to the rooms by the host, which `src/main.ts` starts. */
const hasHost = existsSync(join(ROOT, 'src', 'main.ts'));

describe('the settings', () => {
  test.skipIf(!hasHost)(
    'every setting is read by something outside the schema (needs src/main.ts)',
    () => {
      const sources = [...new Bun.Glob('src/**/*.ts').scanSync(ROOT)]
        .filter((path) => !path.endsWith('.as.ts') && path !== 'src/config/rows.ts')
        .map((path) => readFileSync(join(ROOT, path), 'utf8'))
        .join('\n');

      const unread = NAMED_ROWS.filter(
        ({ name }) => !new RegExp(`(?:settings|overrides)\\.${name}\\b`).test(sources),
      );

      expect(unread.map(({ key }) => key)).toEqual([]);
    },
  );
});
