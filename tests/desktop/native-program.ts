/** Compiles small C programs for tests: the installed headers are the oracle. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why C programs using `packages` (pkg-config names) cannot be compiled here, or null. */
export function compilerSkipReason(packages: readonly string[]): string | null {
  if (!Bun.which('gcc') || !Bun.which('pkg-config')) return 'gcc or pkg-config is not installed';
  const missing = packages.filter(
    (name) => Bun.spawnSync(['pkg-config', '--exists', name]).exitCode !== 0,
  );
  return missing.length > 0 ? `headers are not installed: ${missing.join(', ')}` : null;
}

/** Compiles `source` (path or C text) to `output`; throws with the compiler's words. */
export function compileC(
  source: { readonly path: string } | { readonly text: string },
  output: string,
  packages: readonly string[],
  extra: readonly string[] = [],
): void {
  const flags =
    packages.length > 0
      ? Bun.spawnSync(['pkg-config', '--cflags', ...packages])
          .stdout.toString()
          .trim()
          .split(/\s+/)
      : [];
  const isPath = 'path' in source;
  const command = [
    'gcc',
    '-D_GNU_SOURCE',
    '-w',
    ...flags.filter((flag) => flag !== ''),
    ...extra,
    '-o',
    output,
    ...(isPath ? [source.path] : ['-x', 'c', '-']),
    '-ldl',
  ];
  const compiled = Bun.spawnSync(command, {
    stdin: isPath ? 'ignore' : new TextEncoder().encode(source.text),
  });
  if (compiled.exitCode !== 0 || !existsSync(output)) {
    throw new Error(`${command.join(' ')}: ${compiled.stderr.toString()}`);
  }
}

/** Compiles and runs a program; returns what it printed. */
export function runC(source: Parameters<typeof compileC>[0], packages: readonly string[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'pfc-'));
  try {
    const program = join(directory, 'program');
    compileC(source, program, packages);
    const run = Bun.spawnSync([program]);
    if (run.exitCode !== 0) throw new Error(run.stderr.toString());
    return run.stdout.toString();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
