/**
 * The test command: builds the WASM kernels, then types, format and lint, then every test file in
 * its own process. Ends with why tests were skipped and one plain line of totals; the exit code says
 * whether all passed. A test that is skipped without a reason counts as failed; where the variable
 * PUNKTFUNK_MAY_SKIP names a file of permitted reasons, so does one that is skipped for another.
 *
 * Usage: bun packaging/test.ts [path…]   (extra words are passed to `bun test`)
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import {
  forbiddenSkips,
  readTestReport,
  SkipReasons,
  skipLine,
  summariseSkips,
  type TestReport,
} from './test-report.ts';

const bun = process.execPath;
const report = 'build/test-report.xml';

function run(name: string, command: string[]): boolean {
  console.log(`== ${name}`);
  const { exitCode } = Bun.spawnSync(command, { stdout: 'inherit', stderr: 'inherit' });
  return isSuccess(name, exitCode);
}

function isSuccess(name: string, exitCode: number): boolean {
  if (exitCode !== 0) console.log(`== ${name} failed with exit code ${exitCode}`);
  return exitCode === 0;
}

/** Runs and shows the tests; both streams become one, so that lines keep their order. */
async function runTests(reasons: SkipReasons): Promise<boolean> {
  console.log('== tests');
  const options = ['--parallel=2', '--timeout=60000', '--reporter=junit'];
  const tests = [bun, 'test', ...options, `--reporter-outfile=${report}`, ...process.argv.slice(2)];
  const child = Bun.spawn(['sh', '-c', 'exec "$@" 2>&1', 'sh', ...tests], {
    stdout: 'pipe',
    stderr: 'inherit',
  });
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of child.stdout) {
    process.stdout.write(chunk);
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) reasons.read(line);
  }
  return isSuccess('tests', await child.exited);
}

/** null: the run left no report. */
function readReport(): TestReport | null {
  try {
    return readTestReport(readFileSync(report, 'utf8'));
  } catch {
    return null;
  }
}

const checks = [
  run('wasm kernels', [bun, 'packaging/build-wasm.ts']),
  // The program imports the encoder asset by name; from source the addon itself is used.
  existsSync('build/assets/node-av.zst') ||
    run('assets', [bun, 'packaging/build-assets.ts', '--slim']),
  run('types', [bun, 'check', '--no-script']),
  run('format and lint', ['node_modules/.bin/biome', 'check', '.']),
];
mkdirSync('build', { recursive: true });
rmSync(report, { force: true });
const reasons = new SkipReasons();
const testsPassed = await runTests(reasons);
const outcome = readReport();
if (!outcome) console.log('== the test run left no report; it crashed before its end');
const skips = summariseSkips(outcome?.skipped ?? [], reasons);
if (skips.groups.length > 0) {
  console.log(['== skipped, and why', ...skips.groups.map(skipLine)].join('\n'));
}
for (const { file, name } of skips.unexplained) {
  console.log(`== skipped without a reason: ${file}: ${name}`);
}
const mayList = process.env['PUNKTFUNK_MAY_SKIP'];
const forbidden =
  mayList === undefined ? [] : forbiddenSkips(skips.groups, readFileSync(mayList, 'utf8'));
if (forbidden.length > 0) {
  console.log(
    [`== skipped, which ${mayList} does not permit here`, ...forbidden.map(skipLine)].join('\n'),
  );
}
const wronglySkipped =
  skips.unexplained.length + forbidden.reduce((sum, { count }) => sum + count, 0);
const failedChecks = checks.filter((passed) => !passed).length;
const isBrokenOtherwise = !testsPassed && (outcome?.failed ?? 0) === 0;
const passed = (outcome?.passed ?? 0) + checks.length - failedChecks;
const failed = (outcome?.failed ?? 0) + failedChecks + wronglySkipped + Number(isBrokenOtherwise);
const skipped = (outcome?.skipped.length ?? 0) - wronglySkipped;
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed === 0 ? 0 : 1);
