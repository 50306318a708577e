/**
 * How to reach the running host from a shell, in words that can be copied: the program as it can be
 * called from where it was started, and the state folder when `ctl` would not find it by itself.
 */
import { relative } from 'node:path';

export interface CtlFacts {
  /** Path of the running executable; null when it runs from source. */
  readonly executable: string | null;
  /** What the shell finds under the name `punktfunk`; null: nothing. */
  readonly onPath: string | null;
  readonly workingDir: string;
  /** State folder when a flag, variable or file chose it; null: the default one. */
  readonly chosenStateDir: string | null;
}

/** E.g. `punktfunk ctl pin PIN`, `./dist/punktfunk ctl pin PIN --state-dir=/srv/pf`. Pure. */
export function ctlCommand(words: string, facts: CtlFacts): string {
  const stateDir =
    facts.chosenStateDir === null ? '' : ` --state-dir=${quoted(facts.chosenStateDir)}`;
  return `${quoted(programAs(facts))} ctl ${words}${stateDir}`;
}

function programAs({ executable, onPath, workingDir }: CtlFacts): string {
  if (executable === null || executable === onPath) return 'punktfunk';
  const fromHere = `./${relative(workingDir, executable)}`;
  return fromHere.startsWith('./..') || workingDir === '/' ? executable : fromHere;
}

/** As one word of a POSIX shell. */
function quoted(word: string): string {
  return /^[\w./+,:@%=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
