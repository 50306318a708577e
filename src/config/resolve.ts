/**
 * Turns the texts of all sources into settings: defaults < file < environment < flags. Every value
 * of every source is checked, also one that is overridden. Pure.
 */
import { isAbsolute, join, resolve } from 'node:path';
import * as v from 'valibot';
import { didYouMean } from './nearest.ts';
import { portFamily } from './ports.ts';
import {
  BOOTSTRAP_SETTINGS,
  findRow,
  NAMED_ROWS,
  type NamedRow,
  type SettingName,
  type Settings,
} from './rows.ts';
import { parseSettingsFile } from './settings-file.ts';

/** Read by the build (packaging/), which `npm start` runs in the same environment. */
const BUILD_VARIABLES = ['PUNKTFUNK_FAST_ASSETS'];

/** Where a value came from; `name` is the flag, the variable or `file line N`. */
export interface SettingOrigin {
  readonly kind: 'default' | 'file' | 'environment' | 'flag';
  readonly name: string;
}

/** A value given on the command line. */
export interface FlagValue {
  readonly name: SettingName;
  readonly value: string;
  /** As typed, e.g. `--moonlight`. */
  readonly flag: string;
}

export interface SettingSources {
  readonly flags: readonly FlagValue[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file: { readonly path: string; readonly text: string } | null;
  /** Relative paths of flags and variables start here. */
  readonly workingDir: string;
  /** For `~/`; null when the user has none. */
  readonly homeDir: string | null;
}

export type Origins = Readonly<Record<SettingName, SettingOrigin>>;

export type ResolvedSettings =
  | {
      readonly ok: true;
      readonly settings: Settings;
      readonly origins: Origins;
      readonly warnings: readonly string[];
    }
  | { readonly ok: false; readonly problems: readonly string[] };

interface Candidate {
  readonly row: NamedRow;
  readonly text: string;
  readonly origin: SettingOrigin;
  readonly baseDir: string;
}

/** Resolves all settings; refuses with one sentence per bad value. */
export function resolveSettings(sources: SettingSources): ResolvedSettings {
  const problems: string[] = [];
  const warnings: string[] = [];
  const values: Record<string, unknown> = {};
  const origins: Record<string, SettingOrigin> = {};
  for (const { name, row } of NAMED_ROWS) {
    values[name] = row.fallback;
    origins[name] = { kind: 'default', name: 'default' };
  }
  const candidates = [
    ...fileCandidates(sources, problems, warnings),
    ...environmentCandidates(sources, warnings),
    ...flagCandidates(sources),
  ];
  for (const candidate of candidates) {
    const { row, text, origin, baseDir } = candidate;
    const parsed = v.safeParse(row.row.schema, text);
    if (!parsed.success) {
      problems.push(badValue(row, text, origin));
      continue;
    }
    const isPath = row.row.kind === 'path' && typeof parsed.output === 'string';
    values[row.name] = isPath
      ? absolutePath(String(parsed.output), baseDir, sources.homeDir)
      : parsed.output;
    origins[row.name] = origin;
  }
  const settings = values as unknown as Settings;
  if (problems.length === 0) problems.push(...crossChecks(settings, origins as Origins));
  return problems.length > 0
    ? { ok: false, problems }
    : { ok: true, settings, origins: origins as Origins, warnings };
}

/** `fec-pct: "300" is not accepted; give a whole number from 0 to 255 (from --fec-pct).` */
function badValue({ key, row }: NamedRow, text: string, origin: SettingOrigin): string {
  const shown = row.isSecret ? '(hidden)' : JSON.stringify(text.slice(0, 80));
  const unit = row.unit === null ? '' : ` (${row.unit})`;
  return `${key}: ${shown} is not accepted; give ${row.accepts}${unit}. It came from ${originText(origin)}.`;
}

/** The source in words, for messages and `config explain`. */
export function originText(origin: SettingOrigin): string {
  switch (origin.kind) {
    case 'default':
      return 'the default';
    case 'file':
      return origin.name;
    case 'environment':
      return `the environment variable ${origin.name}`;
    case 'flag':
      return `the flag ${origin.name}`;
  }
}

function fileCandidates(
  sources: SettingSources,
  problems: string[],
  warnings: string[],
): Candidate[] {
  const { file } = sources;
  if (!file) return [];
  const parsed = parseSettingsFile(file.text);
  problems.push(...parsed.problems.map((problem) => `${file.path}: ${problem}.`));
  const candidates: Candidate[] = [];
  for (const { key, value, lineNumber } of parsed.entries) {
    const row = findRow(key);
    const place = `${file.path} line ${lineNumber}`;
    if (!row) {
      warnings.push(`${place}: ${key} is not a setting and is ignored.${suggestion(key)}`);
    } else if (BOOTSTRAP_SETTINGS.includes(row.name)) {
      warnings.push(
        `${place}: ${row.key} says where this file is, so it is ignored here. Use --${row.key} or ${row.env}.`,
      );
    } else {
      const origin: SettingOrigin = { kind: 'file', name: place };
      candidates.push({ row, text: value, origin, baseDir: join(file.path, '..') });
    }
  }
  return candidates;
}

function environmentCandidates(sources: SettingSources, warnings: string[]): Candidate[] {
  const candidates: Candidate[] = [];
  for (const row of NAMED_ROWS) {
    const text = sources.env[row.env];
    // An empty variable is how shells and units say "not set".
    if (text === undefined || text === '') continue;
    const origin: SettingOrigin = { kind: 'environment', name: row.env };
    candidates.push({ row, text, origin, baseDir: sources.workingDir });
  }
  const known = new Set([...NAMED_ROWS.map(({ env }) => env), ...BUILD_VARIABLES]);
  for (const name of Object.keys(sources.env).sort()) {
    if (!name.startsWith('PUNKTFUNK_') || known.has(name)) continue;
    warnings.push(
      `the environment variable ${name} is not a setting and is ignored.${suggestion(name)}`,
    );
  }
  return candidates;
}

function flagCandidates(sources: SettingSources): Candidate[] {
  return sources.flags.flatMap(({ name, value, flag }) => {
    const row = NAMED_ROWS.find((candidate) => candidate.name === name);
    if (!row) return [];
    const origin: SettingOrigin = { kind: 'flag', name: flag };
    return [{ row, text: value, origin, baseDir: sources.workingDir }];
  });
}

function suggestion(word: string): string {
  const known = word.startsWith('PUNKTFUNK_')
    ? NAMED_ROWS.map(({ env }) => env)
    : NAMED_ROWS.map(({ key }) => key);
  return didYouMean(word, known);
}

function absolutePath(text: string, baseDir: string, homeDir: string | null): string {
  if (isAbsolute(text)) return resolve(text);
  if (homeDir !== null && (text === '~' || text.startsWith('~/'))) {
    return resolve(homeDir, text.slice(2));
  }
  return resolve(baseDir, text);
}

/** What single rows cannot see. */
function crossChecks(settings: Settings, origins: Origins): string[] {
  const clash = Object.entries(portFamily(settings.portBase)).find(
    ([, port]) => port === settings.mgmtPort,
  );
  if (!clash || !settings.gamestream) return [];
  const named = [origins.mgmtPort, origins.portBase]
    .filter(({ kind }) => kind !== 'default')
    .map(originText)
    .join(' and ');
  return [
    `mgmt-port: ${settings.mgmtPort} is not accepted; the GameStream ${clash[0]} port of port-base ` +
      `${settings.portBase} is the same. Give another one. It came from ${named || 'the default'}.`,
  ];
}
