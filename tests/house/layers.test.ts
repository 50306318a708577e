import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const ROOT = join(import.meta.dir, '..', '..');

/** Rooms by height: a file imports from its own height or below, never from above. */
const HEIGHTS: readonly (readonly string[])[] = [
  ['ffi'],
  ['src/session', 'src/trust', 'src/fec', 'src/config', 'src/desktop', 'src/platform', 'src/stats'],
  [
    'src/vdisplay',
    'src/capture',
    'src/encode',
    'src/inject',
    'src/audio',
    'src/packet',
    'src/library',
    'src/net',
  ],
  ['src/pipeline'],
  ['src/gamestream', 'src/mgmt'],
  ['src/host'],
  ['src/cli', 'src/workers'],
  ['src/main.ts'],
];

/** Rooms that know no runtime, system, clock or randomness but what is passed in. */
const PURE_ROOMS = ['src/session/', 'src/packet/', 'src/fec/'];
const PURE_EXCEPTIONS = new Set<string>([]);

const sources = [...new Bun.Glob('{src,ffi}/**/*.ts').scanSync(ROOT)].filter(
  (path) => !path.endsWith('.as.ts'),
);

function heightOf(path: string): number {
  return HEIGHTS.findIndex((rooms) =>
    rooms.some((room) => path === room || path.startsWith(`${room}/`)),
  );
}

function importsOf(path: string): string[] {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const found = text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g);
  return [...found].map((match) => relative(ROOT, join(ROOT, dirname(path), match[1] ?? '')));
}

describe('the rooms of the house', () => {
  test('every source file lies in a room that the layer list knows', () => {
    expect(sources.filter((path) => heightOf(path) < 0)).toEqual([]);
  });

  test('imports point down and never back up', () => {
    const upward: string[] = [];
    for (const path of sources) {
      for (const target of importsOf(path)) {
        if (heightOf(target) > heightOf(path)) upward.push(`${path} imports ${target}`);
      }
    }
    expect(upward).toEqual([]);
  });

  test('only src/platform and ffi ask which system this is', () => {
    const asking = sources.filter(
      (path) =>
        !path.startsWith('src/platform/') &&
        !path.startsWith('ffi/') &&
        readFileSync(join(ROOT, path), 'utf8').includes('process.platform'),
    );
    expect(asking).toEqual([]);
  });

  test('pure rooms use no clock, timer, socket, process or randomness of their own', () => {
    const forbidden =
      /\b(?:Bun\.|process\.|Date\.now|performance\.|setTimeout|setInterval|Math\.random|randomBytes)|from 'node:(?!crypto)|from 'bun/;
    const offenders = sources.filter((path) => {
      if (!PURE_ROOMS.some((room) => path.startsWith(room)) || PURE_EXCEPTIONS.has(path))
        return false;
      const code = readFileSync(join(ROOT, path), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
      return forbidden.test(code);
    });
    expect(offenders).toEqual([]);
  });

  test('only ffi/loader.ts opens shared libraries', () => {
    const opening = sources.filter(
      (path) =>
        path !== 'ffi/loader.ts' &&
        /\bdlopen\b.*from 'bun:ffi'/.test(readFileSync(join(ROOT, path), 'utf8')),
    );
    expect(opening).toEqual([]);
  });

  test('workers are spawned in src/main.ts alone', () => {
    const spawning = sources.filter(
      (path) =>
        path !== 'src/main.ts' && /\bnew Worker\(/.test(readFileSync(join(ROOT, path), 'utf8')),
    );
    expect(spawning).toEqual([]);
  });

  test('no file of a room is longer than 400 lines', () => {
    const long = sources
      .map((path) => ({ path, lines: readFileSync(join(ROOT, path), 'utf8').split('\n').length }))
      .filter(({ lines }) => lines > 401);
    expect(long).toEqual([]);
  });
});
