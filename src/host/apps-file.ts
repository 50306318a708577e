/** `apps.json` of the owner: read at start and again when it changed; a bad file keeps the old list. */
import { statSync } from 'node:fs';
import { type AppEntry, DESKTOP_APP, parseCatalogue } from '../library/app-catalogue.ts';
import { isWritableForAll, readFileIfPresent } from '../platform/files.ts';

/** Devices poll the list every half minute; the file is looked at no more often than this. */
const RECHECK_MS = 2_000;
const FILE_BYTES_MAX = 1024 * 1024;

export interface AppsFile {
  list(): readonly AppEntry[];
}

/**
 * Never throws.
 *
 * @param warn hears one sentence for each change that was not taken over
 */
export function loadApps(
  path: string,
  warn: (sentence: string) => void,
  recheckMs = RECHECK_MS,
): AppsFile {
  let apps: readonly AppEntry[] = [DESKTOP_APP];
  let version = '';
  let checkedAtMs = 0;
  const refresh = (): void => {
    checkedAtMs = performance.now();
    const seen = look(path);
    if (seen.version === version) return;
    version = seen.version;
    if (seen.kind === 'absent') apps = [DESKTOP_APP];
    else if (seen.kind === 'unreadable') warn(`${path} was not taken over: ${seen.problem}`);
    else apps = read(path, warn) ?? apps;
  };
  refresh();
  return {
    list() {
      if (performance.now() - checkedAtMs >= recheckMs) refresh();
      return apps;
    },
  };
}

type Sight =
  | { readonly kind: 'absent' | 'file'; readonly version: string }
  | { readonly kind: 'unreadable'; readonly version: string; readonly problem: string };

/** What lies there; `version` changes with its content. */
function look(path: string): Sight {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (!found) return { kind: 'absent', version: '' };
    const version = `${found.mtimeMs}:${found.size}:${found.ino}:${found.mode}`;
    if (isWritableForAll(path)) {
      // It holds commands that run as this user.
      const problem = `every user of this machine can write it; run "chmod o-w ${path}"`;
      return { kind: 'unreadable', version, problem };
    }
    if (found.size <= FILE_BYTES_MAX) return { kind: 'file', version };
    return { kind: 'unreadable', version, problem: 'it is larger than 1 MiB; shorten it' };
  } catch (error) {
    const code = codeOf(error);
    return { kind: 'unreadable', version: code, problem: `it cannot be looked at (${code})` };
  }
}

/** The apps, or null with the reason said. */
function read(path: string, warn: (sentence: string) => void): readonly AppEntry[] | null {
  let text: string;
  try {
    text = readFileIfPresent(path) ?? '[]';
  } catch (error) {
    warn(`${path} was not taken over: it cannot be read (${codeOf(error)})`);
    return null;
  }
  const parsed = parseCatalogue(text);
  if (parsed.ok) return parsed.apps;
  warn(`${path} was not taken over: ${parsed.problem}; correct the file`);
  return null;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
