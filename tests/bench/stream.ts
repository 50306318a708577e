/**
 * What a stream costs on this machine, in one run with its conditions.
 *
 *   bun run bench:stream [--seconds 20] [--soak SECONDS] [--only desktop,packets,encoder]
 *
 * `desktop`: the program under test streams a moving desktop (headless sway; the test card where
 * sway is missing) at 1280x720@60 to a device in this process. `packets` and `encoder` run the
 * benchmarks of those parts. `--soak` keeps the stream running and looks at its memory once a minute.
 */
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { programUnderTest } from '../desktop/stream-host.ts';
import { benchDesktopStream } from './stream-desktop.ts';

const ROOT = join(import.meta.dir, '..', '..');
const PARTS = ['desktop', 'packets', 'encoder'] as const;
const SOAK_STEP_S = 60;

function option(name: string): string | undefined {
  const index = process.argv.indexOf(`--${name}`);
  return index < 0 ? undefined : process.argv[index + 1];
}

function seconds(name: string, fallback: number): number {
  const value = Number(option(name) ?? fallback);
  if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} takes a number of seconds`);
  return value;
}

function outputOf(command: readonly string[]): string {
  const run = Bun.spawnSync([...command], { cwd: ROOT, stdout: 'pipe', stderr: 'ignore' });
  return run.exitCode === 0 ? run.stdout.toString().trim() : '';
}

function printConditions(): void {
  const { command, kind } = programUnderTest();
  const commit = outputOf(['git', 'rev-parse', '--short', 'HEAD']) || 'unknown';
  const isChanged = outputOf(['git', 'status', '--porcelain', 'src', 'ffi']) !== '';
  const loads = loadavg().map((load) => load.toFixed(2));
  const distribution = /^PRETTY_NAME="(.+)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  console.log(
    [
      `machine   ${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}, ` +
        `${(totalmem() / 1e9).toFixed(0)} GB, ${distribution ?? 'Linux'}, kernel ${release()}`,
      `load      ${loads.join(' ')} (1, 5, 15 min) before the run`,
      `checkout  ${commit}${isChanged ? ' with changes' : ''}`,
      `program   ${kind}: ${outputOf([...command, '--version'])}`,
      '',
    ].join('\n'),
  );
}

/** Runs another benchmark with its words passed through; its name when it failed, else null. */
async function runBenchmark(script: string, words: readonly string[] = []): Promise<string | null> {
  console.log(`\n== ${script}`);
  const child = Bun.spawn([process.execPath, join(import.meta.dir, script), ...words], {
    cwd: ROOT,
    stdout: 'inherit',
    stderr: 'inherit',
  });
  return (await child.exited) === 0 ? null : script;
}

const only = option('only')?.split(',') ?? PARTS;
const unknown = only.filter((part) => !PARTS.some((known) => known === part));
if (unknown.length > 0) {
  console.error(`--only takes ${PARTS.join(', ')}; unknown: ${unknown.join(', ')}`);
  process.exit(2);
}
printConditions();
const failed: (string | null)[] = [];
if (only.includes('desktop')) {
  const soakS = seconds('soak', 0);
  await benchDesktopStream({ seconds: seconds('seconds', 20), soakS, soakStepS: SOAK_STEP_S });
}
if (only.includes('packets')) failed.push(await runBenchmark('packet-worker.ts'));
if (only.includes('encoder')) failed.push(await runBenchmark('encode.ts'));
const names = failed.filter((name) => name !== null);
if (names.length > 0) console.log(`\nnot finished: ${names.join(', ')}`);
process.exit(names.length > 0 ? 1 : 0);
