import { describe, expect, test } from 'bun:test';
import { FILE_CHARS_MAX, parseSettingsFile } from '../../src/config/settings-file.ts';

describe('a settings file', () => {
  test('comments, empty lines, export and quotes are understood', () => {
    const text = [
      '\ufeff# comment',
      '; comment',
      '',
      '  A = 1  ',
      'export B="x y"',
      "C='#'",
      'D="v" # why',
      'E=a#b',
      'F=',
    ].join('\r\n');

    const { entries, problems } = parseSettingsFile(text);

    expect(problems).toEqual([]);
    expect(entries.map(({ key, value }) => `${key}:${value}`)).toEqual([
      'A:1',
      'B:x y',
      'C:#',
      'D:v',
      'E:a#b',
      'F:',
    ]);
    expect(entries[0]?.lineNumber).toBe(4);
  });

  test.each([
    ['novalue', 'line 1 is not KEY=VALUE'],
    ['=x', 'line 1 is not KEY=VALUE'],
    ['9a=x', 'line 1 is not KEY=VALUE'],
    [`${'k'.repeat(65)}=x`, 'line 1 is not KEY=VALUE'],
    ['A="x', 'line 1 has an unclosed quote'],
    ['A="x" y', 'line 1 has an unclosed quote'],
  ])('%p is refused with its line', (text, problem) => {
    expect(parseSettingsFile(text).problems).toEqual([problem]);
  });

  test('a file at the limit of characters is read, one past it is not', () => {
    const atLimit = `A=1\n${'#'.repeat(FILE_CHARS_MAX - 4)}`;

    expect(parseSettingsFile(atLimit).entries).toHaveLength(1);
    expect(parseSettingsFile(`${atLimit}#`).problems[0]).toContain('at most 65536');
  });

  test('a file of 2000 lines is read, one more is not', () => {
    expect(parseSettingsFile('A=1\n'.repeat(1999)).problems).toEqual([]);
    expect(parseSettingsFile('A=1\n'.repeat(2000)).problems[0]).toContain('2001 lines');
  });
});
