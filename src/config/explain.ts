/** What a setting is, what it is set to and which source won: `config explain` and `config list`. */
import { type Origins, originText } from './resolve.ts';
import { NAMED_ROWS, type NamedRow, type Settings } from './rows.ts';

export interface ExplainedSetting {
  readonly key: string;
  readonly value: string;
  readonly source: 'default' | 'file' | 'environment' | 'flag';
  /** Flag, variable or `file line N`. */
  readonly origin: string;
  readonly default: string;
  readonly accepts: string;
  readonly unit: string | null;
  readonly flag: string;
  readonly env: string;
  readonly apply: 'live' | 'restart';
  readonly help: string;
}

export function explainSetting(
  named: NamedRow,
  settings: Settings,
  origins: Origins,
): ExplainedSetting {
  const { key, env, name, row } = named;
  const origin = origins[name];
  return {
    key,
    value: row.isSecret ? '(hidden)' : valueText(settings[name], row.fallbackText),
    source: origin.kind,
    origin: originText(origin),
    default: row.fallbackText,
    accepts: row.accepts,
    unit: row.unit,
    flag: flagText(named),
    env,
    apply: row.apply,
    help: row.help,
  };
}

export function explainAll(settings: Settings, origins: Origins): ExplainedSetting[] {
  return NAMED_ROWS.map((named) => explainSetting(named, settings, origins));
}

/** `--fec-pct=N`, or `--gamestream / --no-gamestream` for switches. */
export function flagText({ key, row }: NamedRow): string {
  return row.kind === 'on-off' ? `--${key} / --no-${key}` : `--${key}=${row.valueName}`;
}

function valueText(value: unknown, fallbackText: string): string {
  if (value === null) return fallbackText;
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return String(value);
}
