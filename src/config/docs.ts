/** `docs/settings.md`, made from the rows so that it cannot say anything else than the program. */
import { flagText } from './explain.ts';
import { NAMED_ROWS } from './rows.ts';

export function settingsMarkdown(): string {
  const rows = NAMED_ROWS.map((named) => {
    const { env, row } = named;
    const flags = [flagText(named), ...row.flagAliases.map((alias) => `--${alias}`)];
    const range = row.unit === null ? row.accepts : `${row.accepts} (${row.unit})`;
    const cells = [
      flags.map((flag) => `\`${flag}\``).join('<br>'),
      `\`${env}\``,
      range,
      row.fallbackText,
      row.apply === 'live' ? 'at once' : 'at the next start',
      row.help,
    ];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return [
    '# Settings',
    '',
    'Made by `punktfunk config list --markdown`; change `src/config/rows.ts`, then run it again.',
    '',
    'A value comes from, weakest first: the default, the settings file, the environment, the command',
    'line. The file is `host.env` in the config folder or the one that `--config` names; it holds',
    '`KEY=VALUE` lines, where KEY is the variable (`PUNKTFUNK_FEC_PCT`) or the key (`fec-pct`).',
    '`punktfunk config explain <key>` prints the value in force and where it came from.',
    '',
    '| flag | variable | accepts | default | takes effect | what it does |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
