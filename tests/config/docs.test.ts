import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { settingsMarkdown } from '../../src/config/docs.ts';
import { explainSetting } from '../../src/config/explain.ts';
import { resolveSettings } from '../../src/config/resolve.ts';
import { NAMED_ROWS } from '../../src/config/rows.ts';

const ROOT = join(import.meta.dir, '..', '..');

describe('the documentation of settings', () => {
  test('docs/settings.md is what the rows say', () => {
    expect(readFileSync(join(ROOT, 'docs', 'settings.md'), 'utf8')).toBe(settingsMarkdown());
  });

  test('every row of the table has the same six cells', () => {
    const rows = settingsMarkdown()
      .split('\n')
      .filter((line) => line.startsWith('|'));

    expect(rows).toHaveLength(NAMED_ROWS.length + 2);
    for (const row of rows) expect(row.split(/(?<!\\)\|/)).toHaveLength(8);
  });

  test('a secret value is never printed', () => {
    const [named] = NAMED_ROWS;
    const result = resolveSettings({
      flags: [],
      env: {},
      file: null,
      workingDir: '/',
      homeDir: null,
    });
    if (!named || !result.ok) throw new Error('there is at least one row');
    const secret = { ...named, row: { ...named.row, isSecret: true } };

    expect(explainSetting(secret, result.settings, result.origins).value).toBe('(hidden)');
  });
});
