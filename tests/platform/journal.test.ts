import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RestoreJournal } from '../../src/platform/journal.ts';
import { seededRandom } from '../support/random.ts';

const FUZZ_COUNT = 2_000;

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pf-journal-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const path = (): string => join(dir, 'journal.json');
const step = (name: string) => ({ kind: 'test', detail: { name } });
const names = (journal: RestoreJournal) =>
  journal.pending().map((entry) => entry.step.detail['name']);

describe('the restore journal', () => {
  test('is on disk, owner-only, before the change is made, and empty when all is undone', () => {
    const journal = new RestoreJournal(path());
    expect(existsSync(path())).toBe(false);
    const first = journal.record(step('a'));
    const second = journal.record(step('b'));

    expect(statSync(path()).mode & 0o777).toBe(0o600);
    expect(names(new RestoreJournal(path()))).toEqual(['a', 'b']);
    journal.strike(first);
    expect(names(new RestoreJournal(path()))).toEqual(['b']);
    journal.strike(second);
    journal.strike(second);
    expect(names(new RestoreJournal(path()))).toEqual([]);
    expect(readdirSync(dir)).toEqual(['journal.json']);
  });

  test('numbers entries of a later run above those that are left', () => {
    const left = new RestoreJournal(path()).record(step('a'));
    expect(new RestoreJournal(path()).record(step('b'))).toBeGreaterThan(left);
  });

  test('is undone newest first; what fails or is unknown stays with its reason', async () => {
    const journal = new RestoreJournal(path());
    journal.record(step('a'));
    journal.record(step('fails'));
    journal.record({ kind: 'foreign', detail: {} });
    journal.record(step('b'));
    const undone: unknown[] = [];

    const outcome = await journal.undoAll({
      test: async ({ name }) => {
        if (name === 'fails') throw new Error('not now');
        undone.push(name);
      },
    });

    expect(undone).toEqual(['b', 'a']);
    expect(outcome.undone).toBe(2);
    expect(outcome.failed.map(({ reason }) => reason)).toEqual([
      'no handler for foreign',
      'not now',
    ]);
    expect(names(new RestoreJournal(path()))).toEqual(['fails', undefined]);
  });

  test('refuses more entries than a host can need', () => {
    const journal = new RestoreJournal(path());
    for (let index = 0; index < 256; index += 1) journal.record(step('x'));
    expect(() => journal.record(step('x'))).toThrow('256 entries');
  });

  test('keeps what it knows when the file cannot be written', () => {
    const journal = new RestoreJournal(path());
    const id = journal.record(step('a'));
    rmSync(dir, { recursive: true });
    writeFileSync(dir, '');

    expect(() => journal.record(step('b'))).toThrow();
    expect(() => journal.strike(id)).toThrow();
    expect(names(journal)).toEqual(['a']);
  });

  test.each([
    ['{"version":1,"entries":[{', 'it is not JSON', []],
    ['null', 'it has no list of entries', []],
    ['{"version":1}', 'it has no list of entries', []],
    [
      '{"entries":[{"id":1,"step":{"kind":"test","detail":{"name":"a"}}},{"id":"x"},7]}',
      '2 of its entries cannot be read',
      ['a'],
    ],
  ])('that reads %s is kept beside, told once, and goes on with the rest', (text, why, left) => {
    writeFileSync(path(), text);
    const told: string[] = [];
    const journal = new RestoreJournal(path(), (detail) => told.push(detail));

    expect(names(journal)).toEqual(left);
    expect(told).toEqual([`${path()} is damaged (${why}); it is kept as ${path()}.damaged`]);
    expect(readFileSync(`${path()}.damaged`, 'utf8')).toBe(text);
    expect(names(new RestoreJournal(path(), (detail) => told.push(detail)))).toEqual(left);
    expect(told.length).toBe(1);
  });

  test(`${FUZZ_COUNT} damaged files raise nothing`, () => {
    const random = seededRandom('journal');
    const journal = new RestoreJournal(path());
    journal.record(step('a'));
    journal.record(step('b'));
    const whole = readFileSync(path());
    for (let index = 0; index < FUZZ_COUNT; index += 1) {
      const bytes = whole.subarray(0, random.int(0, whole.length));
      const copy = Buffer.from(bytes);
      if (copy.length > 0 && index % 2 === 0)
        copy[random.int(0, copy.length - 1)] = random.int(0, 255);
      writeFileSync(path(), copy);
      expect(new RestoreJournal(path()).pending().length).toBeLessThanOrEqual(2);
    }
  });
});
