/**
 * Strict reading of command-line arguments: an unknown flag, a missing value or a surplus word is a
 * usage error that names the nearest known flag. Pure.
 */
import { didYouMean } from '../config/nearest.ts';
import type { FlagValue } from '../config/resolve.ts';
import { NAMED_ROWS } from '../config/rows.ts';
import { OperatorError } from '../platform/operator-error.ts';

/** One flag of a command. */
export interface FlagSpec {
  readonly name: string;
  readonly aliases?: readonly string[];
  /** A switch takes `=on|off` or nothing; a value flag takes the next word. */
  readonly kind: 'switch' | 'value';
  /** The switch also has a `--no-` form. */
  readonly hasNegation?: boolean;
  /** Placeholder in help; absent for switches. */
  readonly valueName?: string;
  readonly help: string;
}

/** A positional word of a command. */
export interface WordSpec {
  readonly name: string;
  readonly isRequired: boolean;
  readonly help: string;
}

export interface CommandSpec {
  /** As typed, e.g. `ctl pin`. */
  readonly command: string;
  readonly summary: string;
  readonly flags: readonly FlagSpec[];
  readonly words: readonly WordSpec[];
}

export interface ReadArguments {
  /** Text by flag name; switches are `on` or `off`. */
  readonly values: ReadonlyMap<string, { readonly text: string; readonly flag: string }>;
  /** Text by word name. */
  readonly words: ReadonlyMap<string, string>;
}

const ARGUMENTS_MAX = 256;

/** Reads `rawArgs`; throws {@link OperatorError} with exit code 2. */
export function readArguments(rawArgs: readonly string[], spec: CommandSpec): ReadArguments {
  if (rawArgs.length > ARGUMENTS_MAX) {
    throw usage(spec, `${rawArgs.length} arguments are more than the ${ARGUMENTS_MAX} accepted.`);
  }
  const values = new Map<string, { text: string; flag: string }>();
  const words: string[] = [];
  for (let index = 0; index < rawArgs.length; index += 1) {
    const argument = rawArgs[index] ?? '';
    if (argument === '--') {
      words.push(...rawArgs.slice(index + 1));
      break;
    }
    if (!argument.startsWith('-') || argument === '-') {
      words.push(argument);
      continue;
    }
    const [typed, inline] = splitInline(argument);
    const { flag, isNegated } = findFlag(typed, spec);
    if (flag.kind === 'switch') {
      values.set(flag.name, { text: switchText(spec, typed, inline, isNegated), flag: typed });
      continue;
    }
    const following = rawArgs[index + 1];
    const text = inline ?? (following?.startsWith('--') ? undefined : following);
    if (text === undefined) {
      throw usage(spec, `${typed} needs a value: ${typed}=${flag.valueName ?? 'VALUE'}.`);
    }
    if (inline === undefined) index += 1;
    values.set(flag.name, { text, flag: typed });
  }
  return { values, words: nameWords(words, spec) };
}

/** The flags of all settings, for commands that read settings. */
export function settingFlags(): FlagSpec[] {
  return NAMED_ROWS.map(({ key, row }) => ({
    name: key,
    aliases: row.flagAliases,
    kind: row.kind === 'on-off' ? 'switch' : 'value',
    hasNegation: row.kind === 'on-off',
    valueName: row.valueName,
    help: `${row.help} (${row.fallbackText})`,
  }));
}

/** The setting flags among `read`, in the form that the settings resolver takes. */
export function settingValues(read: ReadArguments): FlagValue[] {
  return NAMED_ROWS.flatMap(({ key, name }) => {
    const given = read.values.get(key);
    return given ? [{ name, value: given.text, flag: given.flag }] : [];
  });
}

function splitInline(argument: string): [string, string | undefined] {
  const equals = argument.indexOf('=');
  return equals < 0
    ? [argument, undefined]
    : [argument.slice(0, equals), argument.slice(equals + 1)];
}

function findFlag(typed: string, spec: CommandSpec): { flag: FlagSpec; isNegated: boolean } {
  const bare = typed.replace(/^--/, '');
  const named = (word: string) =>
    spec.flags.find(({ name, aliases }) => name === word || aliases?.includes(word));
  if (typed.startsWith('--')) {
    const flag = named(bare);
    if (flag) return { flag, isNegated: false };
    const negated = bare.startsWith('no-') ? named(bare.slice(3)) : undefined;
    if (negated?.hasNegation) return { flag: negated, isNegated: true };
  }
  const known = spec.flags.flatMap(({ name, aliases, hasNegation }) => [
    `--${name}`,
    ...(aliases ?? []).map((alias) => `--${alias}`),
    ...(hasNegation ? [`--no-${name}`] : []),
  ]);
  throw usage(spec, `${typed} is not a flag of ${spec.command}.${didYouMean(typed, known)}`);
}

function switchText(
  spec: CommandSpec,
  typed: string,
  inline: string | undefined,
  isNegated: boolean,
): string {
  if (inline === undefined) return isNegated ? 'off' : 'on';
  if (isNegated) throw usage(spec, `${typed} takes no value.`);
  return inline;
}

function nameWords(words: readonly string[], spec: CommandSpec): Map<string, string> {
  const surplus = words[spec.words.length];
  if (surplus !== undefined) {
    throw usage(spec, `${spec.command} does not take the word ${JSON.stringify(surplus)}.`);
  }
  const named = new Map<string, string>();
  for (const [index, { name, isRequired }] of spec.words.entries()) {
    const word = words[index];
    if (word !== undefined) named.set(name, word);
    else if (isRequired) throw usage(spec, `${spec.command} needs ${name}.`);
  }
  return named;
}

function usage(spec: CommandSpec, what: string): OperatorError {
  const next = `Run "punktfunk ${spec.command} --help".`;
  return new OperatorError({ what, next, exitCode: 2 });
}
