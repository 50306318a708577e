/**
 * What a page of documentation claims to exist: commands, flags, variables, scripts, files, ports and
 * names, each held against the program itself. Every function returns sentences, none when all is true.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import { COMMANDS, commandSpecs, isGroup } from '../../src/cli/commands.ts';
import type { CommandSpec } from '../../src/cli/flags.ts';
import { portFamily } from '../../src/config/ports.ts';
import { NAMED_ROWS, SETTING_ROWS } from '../../src/config/rows.ts';

export interface Page {
  /** Relative to the repository. */
  readonly path: string;
  readonly text: string;
}

const ROOT = join(import.meta.dir, '..', '..');
const PROGRAMS = new Set(['punktfunk', 'dist/punktfunk', './dist/punktfunk']);
const ASKS = new Set(['--help', '-h', '--version', '-v']);
const FOLDERS = 'src|ffi|tests|docs|packaging|api|\\.ci';
const NPM_COMMANDS = new Set(['ci', 'start', 'test', 'run']);

const specs = await commandSpecs();
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
/** All files of a pattern but these tests, which name what does not exist. */
const textOf = (pattern: string) =>
  [...new Bun.Glob(pattern).scanSync({ cwd: ROOT, dot: true })]
    .filter((path) => !path.startsWith('tests/house/'))
    .map(read)
    .join('\n');
const tools = textOf('{packaging,tests}/**/*.ts') + textOf('{package.json,.ci/*}');
const sources = textOf('{src,ffi}/**/*.ts') + tools;
const variables = new Set<string>(NAMED_ROWS.map(({ env }) => env));
const openapi = read('api/openapi.json');

export function page(path: string): Page {
  return { path, text: read(path) };
}

/** Code spans, and the lines of shell blocks without their remarks. */
function codeOf({ text }: Page): string[] {
  const code: string[] = [];
  const prose = text.replace(
    /^```(\w*)\n([\s\S]*?)^```$/gm,
    (_, language: string, body: string) => {
      if (language === 'sh')
        code.push(...body.split('\n').map((line) => line.replace(/\s#.*$/, '')));
      return '';
    },
  );
  for (const [, span = ''] of prose.matchAll(/`([^`]+)`/g)) code.push(span.replace(/\s+/g, ' '));
  return code;
}

/** Simple commands: `npm ci && npm test` is two. */
function commandsOf(of: Page): string[][] {
  return codeOf(of)
    .flatMap((line) => line.split(/&&|\|\||[|;]/))
    .map((command) => command.trim().split(/\s+/));
}

export function falseCommands(of: Page): string[] {
  return commandsOf(of).flatMap((words) => {
    const [first = '', ...rest] = words;
    if (PROGRAMS.has(first)) return commandProblem(rest);
    if (first in COMMANDS && rest.length > 0) return commandProblem(words);
    if (first === 'npm') return npmProblem(rest);
    return [];
  });
}

function commandProblem(words: readonly string[]): string[] {
  const [first, second] = words;
  if (first === undefined || ASKS.has(first)) return [];
  const entry = Object.hasOwn(COMMANDS, first) ? COMMANDS[first] : undefined;
  if (!entry) return [`there is no command ${first}`];
  const isVerb = isGroup(entry);
  if (isVerb && (second === undefined || ASKS.has(second))) return [];
  const typed = isVerb ? `${first} ${second}` : first;
  const spec = specs.find(({ command }) => command === typed);
  if (!spec) return [`there is no command ${typed}`];
  const given = words.slice(isVerb ? 2 : 1).filter((word) => !ASKS.has(word));
  const flags = given.filter((word) => word.startsWith('-'));
  const problems = flags
    .map((flag) => flag.replace(/=.*/, ''))
    .filter((flag) => !flagsOf(spec).includes(flag))
    .map((flag) => `${typed} has no flag ${flag}`);
  const surplus = given.length - flags.length > spec.words.length;
  return surplus ? [...problems, `${typed} does not take ${given.join(' ')}`] : problems;
}

function npmProblem([verb = '', script = '', ...rest]: readonly string[]): string[] {
  if (!NPM_COMMANDS.has(verb)) return [`npm ${verb} is none of our commands`];
  const scripts: Record<string, string> = packageJson.scripts;
  const name = verb === 'run' ? script : verb;
  if (verb === 'ci') return [];
  const source = scripts[name];
  if (source === undefined) return [`package.json has no script ${name}`];
  const file = /\bbun (\S+\.ts)/.exec(source)?.[1];
  const taken = file === undefined ? '' : read(file);
  return rest
    .filter((word) => word.startsWith('--') && word !== '--' && !taken.includes(`'${word}'`))
    .map((word) => `${file} does not know ${word}`);
}

function flagsOf({ flags }: CommandSpec): string[] {
  return flags.flatMap(({ name, aliases, hasNegation }) => [
    `--${name}`,
    ...(aliases ?? []).map((alias) => `--${alias}`),
    ...(hasNegation ? [`--no-${name}`] : []),
  ]);
}

export function falseFlags(of: Page): string[] {
  const known = new Set([...ASKS, ...specs.flatMap(flagsOf)]);
  const scripts = textOf('packaging/*.ts');
  const typed = codeOf(of).flatMap((code) => code.match(/(?<![\w-])--[a-z][\w-]*/g) ?? []);
  return typed
    .filter((flag) => !known.has(flag) && !scripts.includes(`'${flag}'`))
    .map((flag) => `there is no flag ${flag}`);
}

export function falseVariables({ text }: Page): string[] {
  return (text.match(/\bPUNKTFUNK_[A-Z0-9_]*[A-Z0-9]\b/g) ?? [])
    .filter((name) => !variables.has(name) && !tools.includes(name))
    .map((name) => `nothing reads ${name}`);
}

export function falsePorts({ text }: Page): string[] {
  const { portBase, mgmtPort } = SETTING_ROWS;
  const ports = new Set<number>([
    ...Object.values(portFamily(portBase.fallback)),
    mgmtPort.fallback,
  ]);
  return (text.match(/\b4[78]\d{3}\b/g) ?? [])
    .filter((port) => !ports.has(Number(port)))
    .map((port) => `no port is ${port} by default`);
}

/** Files of the repository, built files and the targets of links. */
export function falseFiles({ path, text }: Page): string[] {
  const links = [...text.matchAll(/\]\((?!\w+:|#)([^)#\s]+)/g)].map(([, target = '']) =>
    normalize(join(dirname(path), target)),
  );
  const named = [...text.matchAll(new RegExp(`(?<![\\w/.-])(?:${FOLDERS})/[\\w./*-]*[\\w*]`, 'g'))];
  const missing = [...links, ...named.map(([file]) => file)].filter(
    (file) => !existsSync(join(ROOT, file)) && (!file.includes('*') || !hasMatch(file)),
  );
  const builds = read('packaging/build.ts');
  const built = [...text.matchAll(/(?<![\w/-])dist\/[\w/]+/g)].filter(
    ([file]) => !builds.includes(`'${file.split('/').join("', '")}'`),
  );
  return [
    ...missing.map((file) => `there is no ${file}`),
    ...built.map(([file]) => `nothing builds ${file}`),
  ];
}

function hasWord(text: string, word: string): boolean {
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    const around = `${text[at - 1] ?? ''} ${text[at + word.length] ?? ''}`;
    if (!/\w/.test(around)) return true;
  }
  return false;
}

function hasMatch(pattern: string): boolean {
  return !new Bun.Glob(pattern).scanSync(ROOT).next().done;
}

/** Single words in code spans: settings, names of the source, files the program writes, routes. */
export function falseNames(of: Page): string[] {
  const packages = new Set(
    Object.keys({
      ...packageJson.dependencies,
      ...packageJson.optionalDependencies,
      ...packageJson.devDependencies,
    }),
  );
  return codeOf(of)
    .map((span) => span.replace(/\(\)$/, '').replace(/^[$<]|>$/g, ''))
    .filter((span) => /^[\w./@-]*[a-zA-Z][\w./@-]*$/.test(span) && !span.startsWith('-'))
    .filter(
      (span) =>
        !packages.has(span) &&
        !variables.has(span) &&
        !hasWord(sources, span) &&
        !openapi.includes(`"${span}"`) &&
        !existsSync(join(ROOT, span)),
    )
    .map((span) => `nothing is called ${span}`);
}
