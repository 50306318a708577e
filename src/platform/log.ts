/**
 * One structured line per event: level, area (room name), sentence, fields with units.
 * Media workers do not log; they report facts to main.
 */
import { type ConsolaInstance, createConsola, LogLevels } from 'consola';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

const LEVELS: Record<LogLevel, number> = {
  error: LogLevels.error,
  warn: LogLevels.warn,
  info: LogLevels.info,
  debug: LogLevels.debug,
};

/** Fields whose value must never appear in a log. */
const SECRET_FIELDS = new Set(['pin', 'key', 'rikey', 'token', 'secret', 'authorization', 'salt']);

const root: ConsolaInstance = createConsola({ level: LogLevels.info, stdout: process.stderr });

export function setLogLevel(level: LogLevel): void {
  root.level = LEVELS[level];
}

export interface Logger {
  error(text: string, fields?: LogFields): void;
  warn(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  debug(text: string, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Logger of one room, e.g. `logger('rtsp')`. */
export function logger(area: string): Logger {
  const write = (level: LogLevel) => (text: string, fields?: LogFields) => {
    root[level](`${area}: ${text}${formatFields(fields)}`);
  };
  return { error: write('error'), warn: write('warn'), info: write('info'), debug: write('debug') };
}

/** ` name=value …`, secrets replaced, values on one line. Exported for the redaction test. */
export function formatFields(fields: LogFields | undefined): string {
  if (!fields) return '';
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => {
      const shown = SECRET_FIELDS.has(name.toLowerCase()) ? '(hidden)' : oneLine(String(value));
      return ` ${name}=${shown}`;
    })
    .join('');
}

function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
}
