/** What README and docs print can be typed, opened and found as it stands. */
import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import {
  falseCommands,
  falseFiles,
  falseFlags,
  falseNames,
  falsePorts,
  falseVariables,
  type Page,
  page,
} from './docs-claims.ts';

const ROOT = join(import.meta.dir, '..', '..');
/** What users and developers read first. */
const guides = ['README.md', 'CHANGELOG.md', ...new Bun.Glob('docs/*.md').scanSync(ROOT)].map(page);
/** These name flags and functions of other projects as well. */
const decisions = [...new Bun.Glob('docs/decisions/*.md').scanSync(ROOT)].map(page);

const CHECKS: readonly [string, (of: Page) => string[], readonly Page[]][] = [
  ['command', falseCommands, [...guides, ...decisions]],
  ['flag', falseFlags, guides],
  ['variable', falseVariables, [...guides, ...decisions]],
  ['port', falsePorts, [...guides, ...decisions]],
  ['file', falseFiles, [...guides, ...decisions]],
  ['name', falseNames, guides],
];

describe('README and docs', () => {
  test.each(CHECKS)('every %s they print exists', (_kind, check, pages) => {
    const claims = pages.flatMap((of) => check(of).map((problem) => `${of.path}: ${problem}`));

    expect(claims).toEqual([]);
  });

  test.each([
    ['`punktfunk fly`', falseCommands, 'there is no command fly'],
    ['`dist/punktfunk ctl land x`', falseCommands, 'there is no command ctl land'],
    ['`serve --gamestreem`', falseCommands, 'serve has no flag --gamestreem'],
    ['`punktfunk ctl pin 1 2`', falseCommands, 'ctl pin does not take 1 2'],
    ['```sh\nnpm ci && npm run biuld # x\n```', falseCommands, 'package.json has no script biuld'],
    ['`npm run build -- --slimm`', falseCommands, 'packaging/build.ts does not know --slimm'],
    ['`npm install`', falseCommands, 'npm install is none of our commands'],
    ['say `--no-such-flag`', falseFlags, 'there is no flag --no-such-flag'],
    ['PUNKTFUNK_NO_SUCH', falseVariables, 'nothing reads PUNKTFUNK_NO_SUCH'],
    ['port 47991 is closed', falsePorts, 'no port is 47991 by default'],
    ['see src/nothing.ts.', falseFiles, 'there is no src/nothing.ts'],
    ['[a](docs/nothing.md#x)', falseFiles, 'there is no docs/nothing.md'],
    ['dist/slimm/punktfunk', falseFiles, 'nothing builds dist/slimm/punktfunk'],
    ['`src/no-room/*.ts`', falseFiles, 'there is no src/no-room/*.ts'],
    ['`noSuchFunctionHere()`', falseNames, 'nothing is called noSuchFunctionHere'],
    ['`no-such-file.json`', falseNames, 'nothing is called no-such-file.json'],
    ['`/api/v1/no-such-route`', falseNames, 'nothing is called /api/v1/no-such-route'],
  ])('%s would be noticed', (text, check, problem) => {
    expect([...new Set(check({ path: 'README.md', text }))]).toEqual([problem]);
  });
});
