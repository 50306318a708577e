/** Finds and reads the settings file, then resolves all sources. The only file access of this room. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isWritableForAll, readFileIfPresent } from '../platform/files.ts';
import { type HostPaths, hostPaths } from '../platform/linux/paths.ts';
import { OperatorError } from '../platform/operator-error.ts';
import { type FlagValue, type Origins, resolveSettings, type SettingSources } from './resolve.ts';
import type { Settings } from './rows.ts';

export interface LoadedSettings {
  readonly settings: Settings;
  readonly origins: Origins;
  readonly paths: HostPaths;
  /** Sentences about ignored keys. */
  readonly warnings: readonly string[];
}

export interface LoadInput {
  readonly flags: readonly FlagValue[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly workingDir: string;
}

/** Throws {@link OperatorError} (exit code 2) that names every bad value. */
export function loadSettings(input: LoadInput): LoadedSettings {
  const { env, flags, workingDir } = input;
  const homeDir = env['HOME'] || null;
  const base: Omit<SettingSources, 'file'> = { flags, env, workingDir, homeDir };
  // First pass: only to learn where the file is; its complaints come again with the second pass.
  const located = unwrap({ ...base, file: null });
  const paths = hostPaths(env, located.settings);
  const named = located.settings.config;
  const path = named ?? join(paths.configDir, 'host.env');
  if (named !== null && !existsSync(named)) {
    throw new OperatorError({
      what: `The settings file ${named} does not exist.`,
      next: 'Create it or leave --config (PUNKTFUNK_CONFIG) out.',
      exitCode: 2,
    });
  }
  const text = readSettingsFile(path);
  const file = text === null ? null : { path, text };
  const resolved = unwrap({ ...base, file });
  return { ...resolved, paths: hostPaths(env, resolved.settings) };
}

function readSettingsFile(path: string): string | null {
  if (isOpenToAll(path)) {
    throw new OperatorError({
      what: `Every user of this machine can write the settings file ${path}.`,
      next: `Look at it, then run "chmod o-w ${path}".`,
      exitCode: 2,
    });
  }
  try {
    return readFileIfPresent(path);
  } catch (error) {
    throw new OperatorError({
      what: `The settings file ${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`,
      next: 'Make it a readable text file or name another one with --config.',
      exitCode: 2,
      cause: error,
    });
  }
}

function isOpenToAll(path: string): boolean {
  try {
    return isWritableForAll(path);
  } catch {
    // Reading it says why.
    return false;
  }
}

function unwrap(sources: SettingSources): Omit<LoadedSettings, 'paths'> {
  const resolved = resolveSettings(sources);
  if (resolved.ok) return resolved;
  throw new OperatorError({
    what: resolved.problems.join('\n'),
    next: 'Run "punktfunk config list" to see every setting.',
    exitCode: 2,
  });
}
