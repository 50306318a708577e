/**
 * The test command: builds the WASM kernels, then types, format and lint, then every test file in
 * its own process. Ends with one plain line of totals; the exit code says whether all passed.
 *
 * Usage: bun packaging/test.ts [path…]   (extra words are passed to `bun test`)
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';

const bun = process.execPath;
const report = 'build/test-report.xml';

function run(name: string, command: string[]): boolean {
  console.log(`== ${name}`);
  const { exitCode } = Bun.spawnSync(command, { stdout: 'inherit', stderr: 'inherit' });
  if (exitCode !== 0) console.log(`== ${name} failed with exit code ${exitCode}`);
  return exitCode === 0;
}

interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

/** Totals of a JUnit report's outermost element; null when the run left none. */
function readTotals(path: string): Totals | null {
  let xml: string;
  try {
    xml = readFileSync(path, 'utf8');
  } catch {
    return null;
  }
  const head = /<testsuites\b[^>]*>/.exec(xml)?.[0];
  if (!head) return null;
  const count = (name: string): number =>
    Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? 0);
  const failed = count('failures') + count('errors');
  const skipped = count('skipped');
  return { passed: count('tests') - failed - skipped, failed, skipped };
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
const testsPassed = run('tests', [
  bun,
  'test',
  '--parallel=2',
  '--timeout=60000',
  '--reporter=junit',
  `--reporter-outfile=${report}`,
  ...process.argv.slice(2),
]);
const totals = readTotals(report);
const failedChecks = checks.filter((passed) => !passed).length;
if (!totals) {
  console.log('== the test run left no report; it crashed before its end');
}
const passed = (totals?.passed ?? 0) + checks.length - failedChecks;
const failed =
  (totals?.failed ?? 1) + failedChecks + (totals && !testsPassed && totals.failed === 0 ? 1 : 0);
console.log(`${passed} passed, ${failed} failed, ${totals?.skipped ?? 0} skipped`);
process.exit(failed === 0 ? 0 : 1);
