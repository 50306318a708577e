/**
 * Makes `packaging/licenses/npm.txt`: name, version, licence and licence text of every npm package
 * whose code is in the executable. A test keeps it equal to what is installed.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dir, '..');
const TARGET = join(import.meta.dir, 'licenses', 'npm.txt');
/** Packages of types only: nothing of them is in the executable. */
const TYPES_ONLY = new Set(['@standard-schema/spec', '@types/json-schema', 'openapi-types']);
const TEXT_FILES = ['LICENSE', 'LICENSE.md', 'LICENCE', 'THIRD_PARTY_NOTICES.md'];

interface PackageJson {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly author?: string | { readonly name: string };
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** The text of `npm.txt` for what is installed. */
export function npmNotices(): string {
  const sections = embeddedPackages().map((name) => {
    const { version, license = 'no licence named', author } = readPackage(name);
    const texts = TEXT_FILES.map((file) => join(ROOT, 'node_modules', name, file))
      .filter((path) => existsSync(path))
      .map((path) => readFileSync(path, 'utf8').trim());
    const owner = typeof author === 'string' ? author : (author?.name ?? 'its authors');
    const body =
      texts.length > 0
        ? texts.join('\n\n')
        : `Copyright (c) ${owner}. The package carries no text of its own; its licence is ${license}, ` +
          'whose text stands in LICENSE-MIT of this program with another owner.';
    return `${'-'.repeat(78)}\n${name} ${version} (${license})\n\n${body}\n`;
  });
  return sections.join('\n');
}

/** Every package that `dependencies` brings along, sorted. */
function embeddedPackages(): string[] {
  const found = new Set<string>();
  const visit = (names: readonly string[]): void => {
    for (const name of names) {
      if (found.has(name) || TYPES_ONLY.has(name)) continue;
      found.add(name);
      visit(Object.keys(readPackage(name).dependencies ?? {}));
    }
  };
  const own = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as PackageJson;
  visit(Object.keys(own.dependencies ?? {}));
  return [...found].sort();
}

function readPackage(name: string): PackageJson {
  return JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8'));
}

if (import.meta.main) {
  writeFileSync(TARGET, npmNotices());
  console.log(`${TARGET}: ${readFileSync(TARGET).length} bytes`);
}
