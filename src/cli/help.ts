/** Help texts, made from the command specs and the settings rows. Pure. */
import { flagText } from '../config/explain.ts';
import { NAMED_ROWS } from '../config/rows.ts';
import type { CommandSpec, FlagSpec } from './flags.ts';

const WIDTH_COLUMNS = 100;
const INDENT = '  ';
const LABEL_COLUMNS_MAX = 34;

/** `punktfunk --help`: every command, every verb, every setting. */
export function programHelp(version: string, commands: readonly CommandSpec[]): string {
  return [
    `${version} — streams this machine's desktop to Moonlight devices`,
    '',
    'Usage: punktfunk <command> [flags]',
    '',
    'Commands:',
    ...table([
      ...commands.map((spec) => [usageLine(spec), spec.summary] as const),
      ['--help, -h', 'This text; after a command its own flags'],
      ['--version, -v', 'Version, commit and kind of this build'],
    ]),
    '',
    'Settings (flags of serve; environment variable in brackets):',
    ...table(
      NAMED_ROWS.map((named) => {
        const { env, row } = named;
        const aliases = row.flagAliases.map((alias) => `, --${alias}`).join('');
        const unit = row.unit === null ? '' : ` ${row.unit}`;
        const range =
          row.kind === 'integer' || row.kind === 'decimal' ? ` Takes ${row.accepts}${unit}.` : '';
        const text = `${row.help}.${range} Default: ${row.fallbackText}. [${env}]`;
        return [`${flagText(named)}${aliases}`, text];
      }),
    ),
    '',
    'Exit codes: 0 done, 1 refused or cannot go on, 2 called wrongly, 3 no host is running (ctl),',
    "4 the answering program does not hold the host's certificate (ctl).",
    '',
  ].join('\n');
}

/** `punktfunk <command> --help`. */
export function commandHelp(spec: CommandSpec): string {
  const lines = [`${spec.summary}.`, '', `Usage: punktfunk ${usageLine(spec)} [flags]`, ''];
  if (spec.words.length > 0) {
    lines.push('Arguments:', ...table(spec.words.map(({ name, help }) => [name, help])), '');
  }
  if (spec.flags.length > 0) {
    lines.push('Flags:', ...table(spec.flags.map((flag) => [flagLabel(flag), flag.help])), '');
  }
  return lines.join('\n');
}

/** Help of a command that only groups others, e.g. `ctl`. */
export function groupHelp(summary: string, specs: readonly CommandSpec[]): string {
  return [
    `${summary}.`,
    '',
    ...table(specs.map((spec) => [`punktfunk ${usageLine(spec)}`, spec.summary])),
    '',
  ].join('\n');
}

function usageLine({ command, words }: CommandSpec): string {
  const shown = words.map(({ name, isRequired }) => (isRequired ? name : `[${name}]`));
  return [command, ...shown].join(' ');
}

function flagLabel({ name, aliases, kind, hasNegation, valueName }: FlagSpec): string {
  const all = [name, ...(aliases ?? [])].map((word) => `--${word}`);
  if (hasNegation) all.push(`--no-${name}`);
  if (kind === 'switch') return all.join(', ');
  return `${all.join(', ')}=${valueName ?? 'VALUE'}`;
}

/** Two columns; long labels get a line of their own, long texts are wrapped. */
function table(rows: readonly (readonly [string, string])[]): string[] {
  const labelColumns = Math.min(
    LABEL_COLUMNS_MAX,
    Math.max(...rows.map(([label]) => label.length)) + 2,
  );
  const margin = INDENT + ' '.repeat(labelColumns);
  return rows.flatMap(([label, text]) => {
    const wrapped = wrap(text, WIDTH_COLUMNS - margin.length);
    const isShort = label.length + 2 <= labelColumns;
    const head = isShort
      ? [`${INDENT}${label.padEnd(labelColumns)}${wrapped[0] ?? ''}`]
      : [`${INDENT}${label}`, `${margin}${wrapped[0] ?? ''}`];
    return [...head, ...wrapped.slice(1).map((line) => margin + line)];
  });
}

function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines;
}
