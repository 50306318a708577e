import { describe, expect, test } from 'bun:test';
import {
  forbiddenSkips,
  readTestReport,
  SkipReasons,
  skipLine,
  summariseSkips,
} from '../../packaging/test-report.ts';

const report = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="7" assertions="9" failures="1" skipped="4" time="1">
  <testsuite name="tests/a.test.ts" file="tests/a.test.ts" tests="4" skipped="2">
    <testcase name="runs" classname="a" time="0" file="tests/a.test.ts" line="3" assertions="1" />
    <testcase name="reads &quot;x&quot; (needs curl)" classname="a" time="0" file="tests/a.test.ts" line="5">
      <skipped />
    </testcase>
    <testcase name="is unexplained" classname="a" time="0" file="tests/a.test.ts" line="7">
      <skipped />
    </testcase>
  </testsuite>
  <testsuite name="tests/b.test.ts" file="tests/b.test.ts" tests="3" skipped="2">
    <testcase name="one" classname="sway" time="0" file="tests/b.test.ts" line="3">
      <skipped />
    </testcase>
    <testcase name="two" classname="rung x (skipped: no (real) x)" time="0" file="tests/b.test.ts" line="4">
      <skipped />
    </testcase>
  </testsuite>
</testsuites>`;

describe('the report of a test run', () => {
  test('gives totals and names every skipped test', () => {
    const read = readTestReport(report);

    expect(read).toMatchObject({ passed: 2, failed: 1 });
    expect(read?.skipped).toEqual([
      { file: 'tests/a.test.ts', name: 'a > reads "x" (needs curl)' },
      { file: 'tests/a.test.ts', name: 'a > is unexplained' },
      { file: 'tests/b.test.ts', name: 'sway > one' },
      { file: 'tests/b.test.ts', name: 'rung x (skipped: no (real) x) > two' },
    ]);
  });

  test.each(['', 'crashed', '<testsuite tests="1">'])('%p is none', (text) => {
    expect(readTestReport(text)).toBeNull();
  });

  test('errors outside of tests are failures', () => {
    expect(readTestReport('<testsuites tests="3" failures="1" errors="2" skipped="0">')).toEqual({
      passed: 0,
      failed: 3,
      skipped: [],
    });
  });
});

describe('why tests are skipped', () => {
  test('is taken from the name, else from what the file printed; the rest is unexplained', () => {
    const reasons = new SkipReasons();
    for (const line of [
      'skipped: printed before any file',
      'tests/a.test.ts:',
      '(pass) a > runs',
      'tests/b.test.ts:',
      'skipped: sway is not installed',
      'skipped: sway is not installed',
      'this was not skipped: really',
    ]) {
      reasons.read(line);
    }

    const { groups, unexplained } = summariseSkips(readTestReport(report)?.skipped ?? [], reasons);

    expect(groups.map(skipLine)).toEqual([
      '   1  tests/a.test.ts: needs curl',
      '   1  tests/b.test.ts: no (real) x',
      '   1  tests/b.test.ts: sway is not installed',
    ]);
    expect(unexplained.map(({ name }) => name)).toEqual(['a > is unexplained']);
  });

  test('a machine that should run everything permits only what its list names', () => {
    const groups = [
      { file: 'a', reasons: ['sway is not installed', 'needs a user'], count: 3 },
      { file: 'b', reasons: ['needs a user who is not root'], count: 1 },
    ];

    expect(forbiddenSkips(groups, '# why\nneeds a user # as root\n\n')).toEqual(groups.slice(0, 1));
    expect(forbiddenSkips(groups, '')).toEqual(groups);
    expect(forbiddenSkips(groups, '#\n \n')).toEqual(groups);
  });

  test('tests of one file and reason are one line', () => {
    const entry = { file: 'tests/a.test.ts', name: 'x (needs y)' };

    const { groups } = summariseSkips([entry, entry, entry], new SkipReasons());

    expect(groups).toEqual([{ file: 'tests/a.test.ts', reasons: ['needs y'], count: 3 }]);
  });
});
