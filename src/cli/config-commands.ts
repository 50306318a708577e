/** `punktfunk config explain KEY` and `punktfunk config list`. */
import { settingsMarkdown } from '../config/docs.ts';
import { type ExplainedSetting, explainAll, explainSetting } from '../config/explain.ts';
import { loadSettings } from '../config/load.ts';
import { didYouMean } from '../config/nearest.ts';
import { findRow, NAMED_ROWS } from '../config/rows.ts';
import { OperatorError } from '../platform/operator-error.ts';
import type { CommandModule } from './command.ts';
import { type CommandSpec, readArguments, settingFlags, settingValues } from './flags.ts';

const JSON_FLAG = { name: 'json', kind: 'switch', help: 'Print JSON' } as const;

const explainSpec: CommandSpec = {
  command: 'config explain',
  summary: 'Prints one setting: value, source, range and default',
  flags: [JSON_FLAG, ...settingFlags()],
  words: [{ name: 'KEY', isRequired: true, help: 'Key, flag or variable, e.g. fec-pct' }],
};

export const explainCommand: CommandModule = {
  spec: explainSpec,
  async run(rawArgs, { env, workingDir, out, err }) {
    const read = readArguments(rawArgs, explainSpec);
    const key = (read.words.get('KEY') ?? '').replace(/^--/, '');
    const named = findRow(key);
    if (!named) {
      const known = NAMED_ROWS.map((candidate) => candidate.key);
      throw new OperatorError({
        what: `${JSON.stringify(key)} is not a setting.${didYouMean(key, known)}`,
        next: 'Run "punktfunk config list" to see all.',
        exitCode: 2,
      });
    }
    const loaded = loadSettings({ flags: settingValues(read), env, workingDir });
    for (const warning of loaded.warnings) err(`${warning}\n`);
    const explained = explainSetting(named, loaded.settings, loaded.origins);
    if (read.values.get('json')?.text === 'on') out(`${JSON.stringify(explained, null, 2)}\n`);
    else out(explainText(explained));
    return 0;
  },
};

const listSpec: CommandSpec = {
  command: 'config list',
  summary: 'Prints all settings with value and source',
  flags: [
    JSON_FLAG,
    { name: 'markdown', kind: 'switch', help: 'Print the reference page docs/settings.md' },
    ...settingFlags(),
  ],
  words: [],
};

export const listCommand: CommandModule = {
  spec: listSpec,
  async run(rawArgs, { env, workingDir, out, err }) {
    const read = readArguments(rawArgs, listSpec);
    if (read.values.get('markdown')?.text === 'on') {
      out(settingsMarkdown());
      return 0;
    }
    const loaded = loadSettings({ flags: settingValues(read), env, workingDir });
    for (const warning of loaded.warnings) err(`${warning}\n`);
    const all = explainAll(loaded.settings, loaded.origins);
    if (read.values.get('json')?.text === 'on') {
      out(`${JSON.stringify(all, null, 2)}\n`);
      return 0;
    }
    const columns = Math.max(...all.map(({ key }) => key.length));
    for (const { key, value, origin } of all) {
      out(`${key.padEnd(columns)}  ${value}  (from ${origin})\n`);
    }
    return 0;
  },
};

function explainText(setting: ExplainedSetting): string {
  const unit = setting.unit === null ? '' : ` ${setting.unit}`;
  return [
    `${setting.key} = ${setting.value}${unit}, from ${setting.origin}`,
    `  ${setting.help}.`,
    `  Accepts: ${setting.accepts}${unit}. Default: ${setting.default}.`,
    `  Flag: ${setting.flag}. Variable: ${setting.env}.`,
    `  Takes effect ${setting.apply === 'live' ? 'at once' : 'at the next start'}.`,
    '',
  ].join('\n');
}
