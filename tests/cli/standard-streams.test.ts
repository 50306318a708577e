import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { openApiText } from '../../src/mgmt/openapi.ts';

const STREAMS = join(import.meta.dir, '../../src/cli/standard-streams.ts');
const MAIN = join(import.meta.dir, '../../src/main.ts');

describe('standard output', () => {
  test('a slow reader of a pipe gets everything although the program exits at once', async () => {
    const script =
      `const { writeFully } = await import(${JSON.stringify(STREAMS)});` +
      `writeFully(1, 'é'.repeat(500_000)); process.exit(0);`;
    const child = Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe' });
    await Bun.sleep(200);

    expect(await new Response(child.stdout).text()).toBe('é'.repeat(500_000));
    expect(await child.exited).toBe(0);
  });

  test('the program prints its longest document whole into a pipe', async () => {
    const child = Bun.spawn([process.execPath, MAIN, 'openapi'], { stdout: 'pipe' });

    expect(await new Response(child.stdout).text()).toBe(await openApiText());
    expect(await child.exited).toBe(0);
  });

  test('a reader that goes away is no fault', async () => {
    const child = Bun.spawn(['sh', '-c', `"$0" "$1" openapi | head -n 1`, process.execPath, MAIN], {
      stdout: 'pipe',
      stderr: 'pipe',
    });

    expect(await new Response(child.stdout).text()).toBe('{\n');
    expect(await new Response(child.stderr).text()).toBe('');
  });
});
