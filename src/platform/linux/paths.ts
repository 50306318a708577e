/**
 * Where the host keeps its files (XDG Base Directory Specification), and how such a folder is made:
 * owner-only, checked before the first byte is written into it.
 */
import { accessSync, constants, lstatSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../operator-error.ts';

const APP_FOLDER = 'punktfunk';
const OWNER_ONLY_DIR = 0o700;
const OTHERS_WRITE_MASK = 0o022;
const ROOT_UID = 0;

export interface HostPaths {
  /** host.env, apps.json. */
  readonly configDir: string;
  /** Identity, paired devices, journal, management token and endpoint, lock. */
  readonly stateDir: string;
  /** Anything that can be made again. */
  readonly cacheDir: string;
  /** The desktop's runtime directory; null when there is none. */
  readonly runtimeDir: string | null;
  readonly appsFile: string;
}

/** The path settings; null means not set. */
export interface PathOverrides {
  readonly configDir: string | null;
  readonly stateDir: string | null;
  readonly appsFile: string | null;
  readonly desktopRuntimeDir: string | null;
}

/** Pure but for its error: nothing is created or looked at. */
export function hostPaths(
  env: Readonly<Record<string, string | undefined>>,
  overrides: PathOverrides,
): HostPaths {
  const configDir = overrides.configDir ?? xdgFolder(env, 'XDG_CONFIG_HOME', '.config');
  return {
    configDir,
    stateDir: overrides.stateDir ?? xdgFolder(env, 'XDG_STATE_HOME', '.local/state'),
    cacheDir: xdgFolder(env, 'XDG_CACHE_HOME', '.cache', overrides.stateDir),
    runtimeDir: overrides.desktopRuntimeDir ?? absolute(env['XDG_RUNTIME_DIR']),
    appsFile: overrides.appsFile ?? join(configDir, 'apps.json'),
  };
}

/** Relative XDG variables are invalid by the specification and count as not set. */
function absolute(value: string | undefined): string | null {
  return value?.startsWith('/') ? value : null;
}

function xdgFolder(
  env: Readonly<Record<string, string | undefined>>,
  variable: string,
  underHome: string,
  instead: string | null = null,
): string {
  const base = absolute(env[variable]);
  if (base !== null) return join(base, APP_FOLDER);
  const home = absolute(env['HOME']);
  if (home !== null) return join(home, underHome, APP_FOLDER);
  if (instead !== null) return join(instead, 'cache');
  throw new OperatorError({
    what: `Neither ${variable} nor HOME is set, so there is no folder for this host's files.`,
    next: 'Set HOME, or name folders with --config-dir and --state-dir.',
  });
}

/**
 * Makes `dir` if it is missing (owner-only) and makes sure that files can be written there and that
 * nobody else put any there. Throws {@link OperatorError} with the reason and the next step.
 *
 * @param flag setting that names another folder, for the message, e.g. `--state-dir`
 */
export function ensureOwnerDir(dir: string, flag: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: OWNER_ONLY_DIR });
    const facts = statSync(dir);
    if (!facts.isDirectory()) throw problem(dir, 'is not a folder', flag);
    const ownUid = process.geteuid?.() ?? facts.uid;
    if (facts.uid !== ownUid && ownUid !== 0) {
      throw problem(dir, `belongs to another user (uid ${facts.uid})`, flag);
    }
    if ((facts.mode & OTHERS_WRITE_MASK) !== 0) {
      throw new OperatorError({
        what: `The folder ${dir} cannot be used: other users can write in it.`,
        next: `Run "chmod 700 ${dir}", or name another one with ${flag}.`,
      });
    }
    accessSync(dir, constants.R_OK | constants.W_OK | constants.X_OK);
    ensureOwnEntries(dir, new Set([facts.uid, ownUid, ROOT_UID]), flag);
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    throw problem(dir, reasonOf(error), flag, error);
  }
}

/**
 * What lies in the folder already must be nobody else's: others may have been able to write here
 * before, and what is read from here says who is paired and which commands are run.
 */
function ensureOwnEntries(dir: string, owners: ReadonlySet<number>, flag: string): void {
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    const facts = lstatSync(path, { throwIfNoEntry: false });
    if (!facts) continue;
    const isForeign = !owners.has(facts.uid);
    const isOpen = facts.isFile() && (facts.mode & OTHERS_WRITE_MASK) !== 0;
    if (!isForeign && !isOpen) continue;
    const why = isForeign ? `belongs to another user (uid ${facts.uid})` : 'is writable for others';
    const mend = isForeign ? 'Look at it and remove it' : `Look at it and run "chmod 600 ${path}"`;
    throw new OperatorError({
      what: `The folder ${dir} cannot be used: ${name} in it ${why}.`,
      next: `${mend}, or name another folder with ${flag}.`,
    });
  }
}

function problem(dir: string, reason: string, flag: string, cause?: unknown): OperatorError {
  return new OperatorError({
    what: `The folder ${dir} cannot be used: it ${reason}.`,
    next: `Make it writable for this user, or name another one with ${flag}.`,
    cause,
  });
}

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  switch (code) {
    case 'EROFS':
      return 'is on a read-only file system';
    case 'EACCES':
    case 'EPERM':
      return 'is not writable';
    case 'EEXIST':
    case 'ENOTDIR':
      return 'is not a folder, or a part of its path is a file';
    case 'ENOSPC':
      return 'is on a full file system';
    default:
      return `could not be made (${code ?? String(error)})`;
  }
}
