/**
 * One row of the settings schema and the builders of its kinds. A row is the single source of the
 * flag, the environment variable, the file key, the range, the default and the help of a setting.
 *
 * Every value arrives as text (flag, environment, file); `schema` turns accepted text into the value.
 */
import { isIP } from 'node:net';
import * as v from 'valibot';

export type SettingKind = 'on-off' | 'integer' | 'decimal' | 'choice' | 'text' | 'path' | 'address';

export interface SettingRow<T> {
  readonly kind: SettingKind;
  /** Other spellings of the flag, without dashes. */
  readonly flagAliases: readonly string[];
  /** Environment variable; null derives it from the key (`fecPct` → `PUNKTFUNK_FEC_PCT`). */
  readonly env: string | null;
  readonly unit: string | null;
  /** What is accepted, as it reads after "give ": `a whole number from 0 to 255`. */
  readonly accepts: string;
  /** Placeholder of the value in help, e.g. `PORT`. */
  readonly valueName: string;
  readonly schema: v.GenericSchema<string, T>;
  readonly fallback: T;
  /** The default in words where `fallback` alone does not say it. */
  readonly fallbackText: string;
  readonly apply: 'live' | 'restart';
  readonly isSecret: boolean;
  /** One sentence, no full stop. */
  readonly help: string;
}

/** What every builder takes besides its range. */
export interface RowOptions<T> {
  readonly fallback: T;
  readonly help: string;
  readonly fallbackText?: string;
  readonly flagAliases?: readonly string[];
  readonly env?: string;
  readonly valueName?: string;
}

/** Longest text a setting may hold: a path on Linux (PATH_MAX). */
const TEXT_LENGTH_MAX = 4096;
const WORDS_ON = ['on', 'true', 'yes', '1'];
const WORDS_OFF = ['off', 'false', 'no', '0'];

export function onOff(options: RowOptions<boolean>): SettingRow<boolean> {
  return makeRow(options, {
    kind: 'on-off',
    accepts: 'on or off',
    valueName: 'on|off',
    fallbackText: options.fallback ? 'on' : 'off',
    schema: v.pipe(
      v.string(),
      v.toLowerCase(),
      v.picklist([...WORDS_ON, ...WORDS_OFF]),
      v.transform((word) => WORDS_ON.includes(word)),
    ),
  });
}

export function integer(
  range: { readonly min: number; readonly max: number; readonly unit?: string },
  options: RowOptions<number>,
): SettingRow<number> {
  return makeRow(options, {
    kind: 'integer',
    accepts: `a whole number from ${range.min} to ${range.max}`,
    valueName: 'N',
    fallbackText: String(options.fallback),
    unit: range.unit ?? null,
    schema: v.pipe(
      v.string(),
      v.regex(/^-?\d{1,15}$/),
      v.transform(Number),
      v.minValue(range.min),
      v.maxValue(range.max),
    ),
  });
}

export function decimal(
  range: { readonly min: number; readonly max: number; readonly unit?: string },
  options: RowOptions<number>,
): SettingRow<number> {
  return makeRow(options, {
    kind: 'decimal',
    accepts: `a number from ${range.min} to ${range.max}`,
    valueName: 'X',
    fallbackText: options.fallback.toFixed(1),
    unit: range.unit ?? null,
    schema: v.pipe(
      v.string(),
      v.regex(/^-?\d{1,9}(?:\.\d{1,6})?$/),
      v.transform(Number),
      v.minValue(range.min),
      v.maxValue(range.max),
    ),
  });
}

export function choice<const T extends readonly [string, ...string[]]>(
  words: T,
  options: RowOptions<T[number]>,
): SettingRow<T[number]> {
  return makeRow(options, {
    kind: 'choice',
    accepts: `one of ${words.join(', ')}`,
    valueName: words.join('|'),
    fallbackText: options.fallback,
    schema: v.pipe(v.string(), v.picklist(words)),
  });
}

/** Free text; `null` stands for "not set". */
export function text(
  limit: { readonly lengthMax: number; readonly pattern?: RegExp; readonly accepts?: string },
  options: RowOptions<string | null>,
): SettingRow<string | null> {
  return makeRow(options, {
    kind: 'text',
    accepts:
      limit.accepts ?? `text of 1 to ${limit.lengthMax} characters without control characters`,
    valueName: 'TEXT',
    fallbackText: options.fallback ?? 'not set',
    schema: v.pipe(
      v.string(),
      v.nonEmpty(),
      v.maxLength(limit.lengthMax),
      v.regex(/^[^\u0000-\u001f\u007f-\u009f]+$/),
      v.regex(limit.pattern ?? /^/),
    ),
  });
}

/** A file or folder; relative ones are resolved by the reader of the source (see load.ts). */
export function path(options: RowOptions<string | null>): SettingRow<string | null> {
  return makeRow(options, {
    kind: 'path',
    accepts: 'a path',
    valueName: 'PATH',
    fallbackText: options.fallback ?? 'not set',
    schema: v.pipe(
      v.string(),
      v.nonEmpty(),
      v.maxLength(TEXT_LENGTH_MAX),
      v.regex(/^[^\u0000-\u001f\u007f]+$/),
    ),
  });
}

export function address(options: RowOptions<string>): SettingRow<string> {
  return makeRow(options, {
    kind: 'address',
    accepts: 'an IPv4 or IPv6 address of this machine, 0.0.0.0 for all IPv4, :: for all',
    valueName: 'ADDRESS',
    fallbackText: options.fallback,
    schema: v.pipe(
      v.string(),
      v.check((value) => isIP(value) !== 0),
    ),
  });
}

type RowParts<T> = Pick<
  SettingRow<T>,
  'kind' | 'accepts' | 'valueName' | 'fallbackText' | 'schema'
> & { readonly unit?: string | null };

function makeRow<T>(options: RowOptions<T>, parts: RowParts<T>): SettingRow<T> {
  return {
    kind: parts.kind,
    flagAliases: options.flagAliases ?? [],
    env: options.env ?? null,
    unit: parts.unit ?? null,
    accepts: parts.accepts,
    valueName: options.valueName ?? parts.valueName,
    schema: parts.schema,
    fallback: options.fallback,
    fallbackText: options.fallbackText ?? parts.fallbackText,
    apply: 'restart',
    isSecret: false,
    help: options.help,
  };
}
