/**
 * Reads settings files: `KEY=VALUE` lines as in a systemd EnvironmentFile. KEY is the environment
 * name (`PUNKTFUNK_FEC_PCT`) or the key (`fec-pct`); values may be quoted; `#` and `;` start a
 * comment line. Pure: takes the text, never opens anything.
 */

/** A hand-written file is a few kilobytes; anything larger is not one. */
export const FILE_CHARS_MAX = 65_536;
const LINES_MAX = 2000;

export interface FileEntry {
  readonly key: string;
  readonly value: string;
  /** From 1. */
  readonly lineNumber: number;
}

export interface ParsedSettingsFile {
  readonly entries: readonly FileEntry[];
  /** One sentence per line that cannot be read, without the file name. */
  readonly problems: readonly string[];
}

export function parseSettingsFile(text: string): ParsedSettingsFile {
  if (text.length > FILE_CHARS_MAX) {
    return refused(`it has ${text.length} characters; at most ${FILE_CHARS_MAX} are accepted`);
  }
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/);
  if (lines.length > LINES_MAX) {
    return refused(`it has ${lines.length} lines; at most ${LINES_MAX} are accepted`);
  }
  const entries: FileEntry[] = [];
  const problems: string[] = [];
  for (const [index, line] of lines.entries()) {
    const lineNumber = index + 1;
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#') || trimmed.startsWith(';')) continue;
    const match = /^(?:export\s+)?([A-Za-z_][A-Za-z0-9_-]{0,63})\s*=\s*(.*)$/.exec(trimmed);
    if (!match) {
      problems.push(`line ${lineNumber} is not KEY=VALUE`);
      continue;
    }
    const value = unquote(match[2] ?? '');
    if (value === null) problems.push(`line ${lineNumber} has an unclosed quote`);
    else entries.push({ key: match[1] ?? '', value, lineNumber });
  }
  return { entries, problems };
}

function refused(problem: string): ParsedSettingsFile {
  return { entries: [], problems: [problem] };
}

/** The value without its quotes, null when a quote is not closed. */
function unquote(raw: string): string | null {
  const quote = raw[0];
  if (quote !== '"' && quote !== "'") return raw;
  const closing = raw.indexOf(quote, 1);
  if (closing < 0) return null;
  const rest = raw.slice(closing + 1).trim();
  return rest === '' || rest.startsWith('#') ? raw.slice(1, closing) : null;
}
