import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dir, '..', '..');
const BUILDS = [
  ['full', join(ROOT, 'dist', 'punktfunk')],
  ['slim', join(ROOT, 'dist', 'slim', 'punktfunk')],
] as const;

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'pf-exe-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function start(path: string, ...argv: string[]) {
  const env = { HOME: dir, PATH: process.env['PATH'] ?? '' };
  const { stdout, stderr, exitCode } = Bun.spawnSync([path, ...argv], { cwd: dir, env });
  return { out: stdout.toString(), err: stderr.toString(), code: exitCode };
}

describe.each(BUILDS)('the %s executable', (kind, path) => {
  const isMissing = !existsSync(path);
  const needs = `(needs bun run build${kind === 'slim' ? ' --slim' : ''})`;

  test.skipIf(isMissing)(`says version, commit and kind ${needs}`, () => {
    const { out, code } = start(path, '--version');

    expect(code).toBe(0);
    expect(out).toMatch(
      /^punktfunk \d+\.\d+\.\d+ \((?:commit [0-9a-f]{7,}\+?, )?(?:full|slim) build\)\n$/,
    );
    if (kind === 'slim') expect(out).toContain('slim build');
  });

  test.skipIf(isMissing)(`names the licence of exactly this build ${needs}`, () => {
    const { out } = start(path, '--version');
    const built = out.includes('full build') ? 'full' : 'slim';

    expect(start(path, 'licenses').out).toContain(`This is the ${built} build.`);
    expect(start(path, 'licenses', '--full').out.includes('GNU GENERAL PUBLIC LICENSE\n')).toBe(
      built === 'full',
    );
  });

  test.skipIf(isMissing)(
    `obeys no .env and no bunfig.toml of the folder it runs in ${needs}`,
    () => {
      writeFileSync(join(dir, '.env'), 'PUNKTFUNK_FEC_PCT=99\n');
      writeFileSync(join(dir, 'bunfig.toml'), 'preload = ["./planted.ts"]\n');
      writeFileSync(join(dir, 'planted.ts'), 'console.log("planted");\n');

      const { out, err, code } = start(path, 'config', 'explain', 'fec-pct');

      expect({ code, err }).toEqual({ code: 0, err: '' });
      expect(out).toStartWith('fec-pct = 20 %, from the default\n');
    },
  );

  test.skipIf(isMissing)(`keeps its exit codes ${needs}`, () => {
    expect(start(path).code).toBe(2);
    expect(start(path, 'serve', '--fec-pct=x').code).toBe(2);
    expect(start(path, 'ctl', 'status').code).toBe(3);
  });
});
