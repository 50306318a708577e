/** `apps.json` of the owner: read at start and again when it changed; a bad file keeps the old list. */
import { statSync } from 'node:fs';
import { type AppEntry, DESKTOP_APP, parseCatalogue } from '../library/app-catalogue.ts';
import { readFileIfPresent } from '../platform/files.ts';

/** Devices poll the list every half minute; the file is looked at no more often than this. */
const RECHECK_MS = 2_000;
const FILE_BYTES_MAX = 1024 * 1024;

export interface AppsFile {
  list(): readonly AppEntry[];
}

export function loadApps(path: string, warn: (sentence: string) => void): AppsFile {
  let apps: readonly AppEntry[] = [DESKTOP_APP];
  let version = '';
  let checkedAtMs = Number.NEGATIVE_INFINITY;
  const refresh = (): void => {
    checkedAtMs = performance.now();
    const found = statSync(path, { throwIfNoEntry: false });
    const seen = found ? `${found.mtimeMs}:${found.size}` : '';
    if (seen === version) return;
    version = seen;
    if (!found) {
      apps = [DESKTOP_APP];
      return;
    }
    if (found.size > FILE_BYTES_MAX) {
      warn(`${path} is larger than 1 MiB and was not read; shorten it`);
      return;
    }
    const parsed = parseCatalogue(readFileIfPresent(path) ?? '[]');
    if (parsed.ok) apps = parsed.apps;
    else warn(`${path} was not taken over: ${parsed.problem}; correct the file`);
  };
  refresh();
  return {
    list() {
      if (performance.now() - checkedAtMs >= RECHECK_MS) refresh();
      return apps;
    },
  };
}
