import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import { npmNotices } from '../../packaging/licenses.ts';
import { licensesText } from '../../src/cli/licenses.ts';
import { run } from './terminal.ts';

const ROOT = join(import.meta.dir, '..', '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

describe('punktfunk licenses', () => {
  test('the full build is under the GPL as a whole, the slim one carries no GPL code', () => {
    expect(licensesText('full', false)).toMatch(
      /whole is under the GNU General Public License, version 3/,
    );
    expect(licensesText('full', false)).toContain('FFmpeg, x264, x265');
    expect(licensesText('slim', false)).toContain('no GPL code');
    expect(licensesText('slim', false)).not.toContain('FFmpeg, x264, x265');
    expect(licensesText('source', false)).toContain('MIT OR Apache-2.0');
  });

  test('--full brings the texts that each build needs', () => {
    const full = licensesText('full', true);
    const slim = licensesText('slim', true);

    for (const text of [full, slim]) {
      expect(text).toContain('JavaScriptCore');
      expect(text).toContain('GNU LESSER GENERAL PUBLIC LICENSE');
      expect(text).toContain('Jean-Marc Valin');
      expect(text).toContain('Apache License');
    }
    expect(full).toContain('GNU GENERAL PUBLIC LICENSE\n                       Version 3');
    expect(full).toContain('https://github.com/jellyfin/jellyfin-ffmpeg');
    expect(slim).not.toContain('GNU GENERAL PUBLIC LICENSE\n                       Version 3');
  });

  test('the command prints the text of the build that runs', async () => {
    expect(await run(['licenses'])).toEqual({
      code: 0,
      out: licensesText('source', false),
      err: '',
    });
  });

  test('packaging/licenses/npm.txt is what is installed (bun packaging/licenses.ts)', () => {
    expect(read('packaging/licenses/npm.txt')).toBe(npmNotices());
  });

  test('every dependency is MIT, and its version stands in the notices', () => {
    const notices = read('packaging/licenses/npm.txt');
    for (const [name, version] of Object.entries(packageJson.dependencies)) {
      expect(notices).toContain(`\n${name} ${version} (MIT)\n`);
    }
  });

  test('the notices name the versions of runtime and addon that are built in', () => {
    expect(read('packaging/licenses/bun.txt')).toStartWith(
      `Bun ${packageJson.devDependencies.bun},`,
    );
    expect(read('packaging/licenses/addon.txt').replace(/\s+/g, ' ')).toContain(
      `@seydx/node-av-linux-x64 ${packageJson.optionalDependencies['@seydx/node-av-linux-x64']}`,
    );
  });

  test('the licence files at the root are the texts of MIT and Apache-2.0', () => {
    expect(packageJson.license).toBe('MIT OR Apache-2.0');
    expect(read('LICENSE-MIT')).toStartWith('MIT License\n');
    expect(read('LICENSE-APACHE')).toBe(read('packaging/licenses/Apache-2.0.txt'));
  });
});
