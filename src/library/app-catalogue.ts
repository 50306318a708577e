/**
 * The apps a device can start: `apps.json` in the config directory, written by the owner.
 *
 * A device sends an id; the command is looked up here. Nothing a device sends ever becomes part of
 * a command, a path or the environment of this process.
 */
import * as v from 'valibot';

/** More than a library of titles a person keeps by hand. */
const APPS_MAX = 512;
const PREP_STEPS_MAX = 32;
const APP_ID_MAX = 0x7fffffff;

const ShortText = v.pipe(v.string(), v.minLength(1), v.maxLength(200));
/** Shell command line, or program and arguments that no shell touches. */
const Command = v.union([
  v.pipe(v.string(), v.minLength(1), v.maxLength(4096)),
  v.pipe(v.array(v.pipe(v.string(), v.maxLength(4096))), v.minLength(1), v.maxLength(256)),
]);

const PrepStep = v.strictObject({
  do: v.optional(Command),
  undo: v.optional(Command),
  onFail: v.optional(v.picklist(['continue', 'abort']), 'continue'),
});

const AppSchema = v.strictObject({
  id: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(APP_ID_MAX))),
  title: ShortText,
  command: v.optional(Command),
  workingDirectory: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(4096))),
  image: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(4096))),
  detached: v.optional(v.pipe(v.array(Command), v.maxLength(PREP_STEPS_MAX)), []),
  prep: v.optional(v.pipe(v.array(PrepStep), v.maxLength(PREP_STEPS_MAX)), []),
  compositor: v.optional(v.picklist(['wlroots', 'mutter', 'portal', 'synthetic'])),
  exitTimeoutS: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(120)), 10),
});

const Catalogue = v.pipe(v.array(AppSchema), v.maxLength(APPS_MAX));

export type AppCommand = string | readonly string[];

export interface AppEntry {
  readonly id: number;
  readonly title: string;
  readonly command?: AppCommand | undefined;
  readonly workingDirectory?: string | undefined;
  readonly image?: string | undefined;
  readonly detached: readonly AppCommand[];
  readonly prep: readonly {
    readonly do?: AppCommand | undefined;
    readonly undo?: AppCommand | undefined;
    readonly onFail: 'continue' | 'abort';
  }[];
  readonly compositor?: 'wlroots' | 'mutter' | 'portal' | 'synthetic' | undefined;
  readonly exitTimeoutS: number;
}

/** The entry every host has: the desktop itself, nothing to start. */
export const DESKTOP_APP: AppEntry = {
  id: 1,
  title: 'Desktop',
  detached: [],
  prep: [],
  exitTimeoutS: 10,
};

export type CatalogueResult =
  | { readonly ok: true; readonly apps: readonly AppEntry[] }
  | { readonly ok: false; readonly problem: string };

/** Reads the text of `apps.json`; the problem names the entry and what is wrong with it. */
export function parseCatalogue(text: string): CatalogueResult {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { ok: false, problem: `it is not JSON: ${(error as Error).message}` };
  }
  const parsed = v.safeParse(Catalogue, value);
  if (!parsed.success) {
    const issue = parsed.issues[0];
    const path = v.getDotPath(issue) ?? 'the list';
    return { ok: false, problem: `${path}: ${issue.message}` };
  }
  return assignIds(parsed.output);
}

function assignIds(entries: v.InferOutput<typeof Catalogue>): CatalogueResult {
  const taken = new Map<number, string>();
  const apps: AppEntry[] = [];
  for (const entry of entries) {
    if (entry.id !== undefined && taken.has(entry.id)) {
      return {
        ok: false,
        problem: `id ${entry.id} is used by "${taken.get(entry.id)}" and "${entry.title}"`,
      };
    }
    if (entry.id !== undefined) taken.set(entry.id, entry.title);
  }
  for (const entry of entries) {
    let id = entry.id ?? titleId(entry.title);
    while (entry.id === undefined && taken.has(id)) id = (id % APP_ID_MAX) + 1;
    taken.set(id, entry.title);
    apps.push({ ...entry, id });
  }
  if (!apps.some((app) => app.command === undefined && app.title === DESKTOP_APP.title)) {
    const id = taken.has(DESKTOP_APP.id) ? freeId(taken) : DESKTOP_APP.id;
    apps.unshift({ ...DESKTOP_APP, id });
  }
  return { ok: true, apps };
}

/** Stable id of a title: devices cache box art by it. */
function titleId(title: string): number {
  return Bun.hash.crc32(title) & APP_ID_MAX || 1;
}

function freeId(taken: ReadonlyMap<number, string>): number {
  let id = titleId(DESKTOP_APP.title);
  while (taken.has(id)) id = (id % APP_ID_MAX) + 1;
  return id;
}
