/** Which build this is. `packaging/build.ts` writes the record into the executable. */
import packageJson from '../../package.json' with { type: 'json' };

/** `source`: run by bun from a checkout; `full`: with the GPL encoder addon; `slim`: without it. */
export type BuildKind = 'source' | 'full' | 'slim';

export interface BuildInfo {
  readonly version: string;
  /** Abbreviated commit, `unknown` outside a git checkout. */
  readonly commit: string;
  readonly kind: BuildKind;
}

/** Replaced at build time (`bun build --define`). */
declare const PUNKTFUNK_BUILD: BuildInfo;

export const BUILD: BuildInfo =
  typeof PUNKTFUNK_BUILD === 'undefined'
    ? { version: packageJson.version, commit: 'unknown', kind: 'source' }
    : PUNKTFUNK_BUILD;

/** `punktfunk 0.1.0 (commit 1a2b3c4, full build)`. */
export function versionLine(build: BuildInfo = BUILD): string {
  const origin = build.kind === 'source' ? 'run from source' : `${build.kind} build`;
  const commit = build.commit === 'unknown' ? '' : `commit ${build.commit}, `;
  return `punktfunk ${build.version} (${commit}${origin})`;
}
