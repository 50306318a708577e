/**
 * Builds the executable: kernels and assets first, then one file with the program, its workers and
 * everything it needs.
 *
 * Usage: bun packaging/build.ts [--slim]
 *
 * The full build is `dist/punktfunk`; `--slim` leaves the GPL encoder addon out and writes
 * `dist/slim/punktfunk`, so that neither replaces the other. Both keep the base name `punktfunk`,
 * because that name becomes a module path inside the file. Never strip the result: its payload is
 * an ELF section that strip removes.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { BuildInfo } from '../src/config/build-info.ts';

const ROOT = join(import.meta.dir, '..');
const ADDON_ASSET = join(ROOT, 'build', 'assets', 'node-av.zst');
const COMMIT_LENGTH = 12;

function fail(sentence: string): never {
  console.error(`build: ${sentence}`);
  process.exit(1);
}

function run(script: string, args: readonly string[]): void {
  const command = [process.execPath, join('packaging', script), ...args];
  const { exitCode } = Bun.spawnSync(command, { cwd: ROOT, stdout: 'inherit', stderr: 'inherit' });
  if (exitCode !== 0) fail(`packaging/${script} ended with exit code ${exitCode}`);
}

/** Abbreviated commit with `+` when files differ from it; `unknown` outside a checkout. */
function commitOf(): string {
  try {
    const git = (...args: string[]) => Bun.spawnSync(['git', ...args], { cwd: ROOT });
    const head = git('rev-parse', `--short=${COMMIT_LENGTH}`, 'HEAD');
    if (head.exitCode !== 0) return 'unknown';
    const isChanged = git('status', '--porcelain', '--untracked-files=no').stdout.length > 0;
    return head.stdout.toString().trim() + (isChanged ? '+' : '');
  } catch {
    // No git on this machine.
    return 'unknown';
  }
}

function buildInfo(isSlim: boolean): BuildInfo {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    version: string;
  };
  const hasAddon = !isSlim && (statSync(ADDON_ASSET, { throwIfNoEntry: false })?.size ?? 0) > 0;
  if (!isSlim && !hasAddon) {
    console.warn('build: the encoder addon is not installed here, so this is a slim build');
  }
  return { version, commit: commitOf(), kind: hasAddon ? 'full' : 'slim' };
}

function compile(info: BuildInfo, target: string): void {
  const workers = [...new Bun.Glob('src/workers/*.ts').scanSync(ROOT)].sort();
  const temporary = `${target}.${process.pid}.tmp`;
  // The base name becomes a module path, so the unfinished file lies in a folder of its own.
  const outfile = join(temporary, 'punktfunk');
  mkdirSync(temporary, { recursive: true });
  const command = [
    process.execPath,
    'build',
    '--compile',
    '--production',
    '--keep-names',
    '--bytecode',
    '--format=esm',
    '--no-compile-autoload-dotenv',
    '--no-compile-autoload-bunfig',
    `--define=PUNKTFUNK_BUILD=${JSON.stringify(info)}`,
    'src/main.ts',
    ...workers,
    `--outfile=${outfile}`,
  ];
  const { exitCode } = Bun.spawnSync(command, { cwd: ROOT, stdout: 'ignore', stderr: 'inherit' });
  if (exitCode === 0) renameSync(outfile, target);
  rmSync(temporary, { recursive: true, force: true });
  if (exitCode !== 0) fail(`the bundler ended with exit code ${exitCode}`);
}

/** Starts the result once: a file that was cut or stripped answers as plain bun. */
function check(target: string, info: BuildInfo): void {
  const { stdout, exitCode } = Bun.spawnSync([target, '--version']);
  const answer = stdout.toString().trim();
  if (exitCode !== 0 || !answer.startsWith(`punktfunk ${info.version} `)) {
    fail(`${target} --version answered ${JSON.stringify(answer)} with exit code ${exitCode}`);
  }
  const megabytes = Math.round(statSync(target).size / 1e6);
  console.log(`${target}: ${megabytes} MB, ${answer}`);
}

const isSlim = process.argv.includes('--slim');
if (!existsSync(join(ROOT, 'src', 'main.ts'))) fail('src/main.ts is missing');
run('build-wasm.ts', []);
run('build-assets.ts', isSlim ? ['--slim'] : []);
const info = buildInfo(isSlim);
const target = isSlim ? join(ROOT, 'dist', 'slim', 'punktfunk') : join(ROOT, 'dist', 'punktfunk');
mkdirSync(join(target, '..'), { recursive: true });
compile(info, target);
check(target, info);
