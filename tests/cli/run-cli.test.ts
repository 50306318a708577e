import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServeRequest } from '../../src/cli/command.ts';
import { COMMANDS, commandSpecs, isGroup } from '../../src/cli/commands.ts';
import { NAMED_ROWS } from '../../src/config/rows.ts';
import { seededRandom } from '../support/random.ts';
import { run } from './terminal.ts';

let dir = '';
let env: Record<string, string> = {};
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pf-cli-'));
  env = { HOME: dir };
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('help and version', () => {
  test.each(['--version', '-v'])('%s prints one line with the version', async (flag) => {
    expect(await run([flag])).toEqual({
      code: 0,
      out: expect.stringMatching(/^punktfunk \d+\.\d+\.\d+ \(.+\)\n$/),
      err: '',
    });
  });

  test.each([['--help'], ['-h'], ['help']])(
    '%s lists every command and every setting',
    async (flag) => {
      const { code, out } = await run([flag]);

      expect(code).toBe(0);
      for (const { command } of await commandSpecs()) expect(out).toContain(`  ${command}`);
      for (const { key, env: variable } of NAMED_ROWS) {
        expect(out).toContain(`--${key}`);
        expect(out).toContain(`[${variable}]`);
      }
      expect(out).toContain('--moonlight');
      expect(out).toContain('--no-mdns');
      for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    },
  );

  test('no command at all prints the help and is a usage error', async () => {
    const { code, out, err } = await run([]);

    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain('Usage: punktfunk <command>');
  });

  test('every command has its own help with every one of its flags', async () => {
    for (const spec of await commandSpecs()) {
      const { code, out } = await run([...spec.command.split(' '), '--help']);

      expect(code).toBe(0);
      expect(out).toContain(`Usage: punktfunk ${spec.command}`);
      for (const { name } of spec.flags) expect(out).toContain(`--${name}`);
      for (const { name } of spec.words) expect(out).toContain(name);
    }
  });

  test('a group lists its verbs', async () => {
    for (const [name, entry] of Object.entries(COMMANDS)) {
      if (!isGroup(entry)) continue;
      const { code, out } = await run([name, '--help']);
      expect(code).toBe(0);
      for (const verb of Object.keys(entry.verbs))
        expect(out).toContain(`punktfunk ${name} ${verb}`);
    }
  });
});

describe('usage errors exit with 2, one sentence and the next step', () => {
  test.each([
    [['sevre'], '"sevre" is not a command. Did you mean serve?'],
    [['toString'], '"toString" is not a command.'],
    [['__proto__'], '"__proto__" is not a command.'],
    [['ctl'], 'ctl needs one of status,'],
    [['ctl', 'constructor'], '"constructor" is not a verb of ctl.'],
    [['ctl', 'pni'], '"pni" is not a verb of ctl. Did you mean pin?'],
    [['serve', '--port-bas=1'], '--port-bas is not a flag of serve. Did you mean --port-base?'],
    [['serve', '--port-base'], '--port-base needs a value: --port-base=PORT.'],
    [['serve', '--port-base', '--mdns'], '--port-base needs a value: --port-base=PORT.'],
    [['serve', '-x'], '-x is not a flag of serve.'],
    [['serve', '--no-port-base'], '--no-port-base is not a flag of serve.'],
    [['serve', '--no-mdns=on'], '--no-mdns takes no value.'],
    [['serve', 'now'], 'serve does not take the word "now".'],
    [['serve', '--mdns=maybe'], 'mdns: "maybe" is not accepted; give on or off.'],
    [
      ['serve', '--fec-pct=300'],
      'fec-pct: "300" is not accepted; give a whole number from 0 to 255 (%).',
    ],
    [['ctl', 'pin'], 'ctl pin needs PIN.'],
    [['ctl', 'pin', '12x4'], 'A PIN is 1 to 16 digits.'],
    [['ctl', 'rename', 'aaaaaaaa'], 'ctl rename needs NAME.'],
    [['ctl', 'unpair', 'aaaa'], 'A device is named by 8 to 64 hexadecimal characters'],
    [['ctl', 'stop-session', '--how=kill'], '--how is quit or drop, not "kill".'],
    [['config', 'explain', 'fec'], '"fec" is not a setting.'],
    [['openapi', 'x'], 'openapi does not take the word "x".'],
  ])('%j', async (argv, sentence) => {
    const { code, out, err } = await run(argv, { env });

    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toStartWith(`punktfunk: ${sentence}`);
    expect(err).not.toContain('\n    at ');
  });

  test('a bad value names where it came from, in every source', async () => {
    mkdirSync(join(dir, '.config/punktfunk'), { recursive: true });
    writeFileSync(join(dir, '.config/punktfunk/host.env'), '# mine\nPUNKTFUNK_FEC_PCT=-3\n');

    const fromFile = await run(['serve'], { env });
    const fromEnv = await run(['serve'], { env: { ...env, PUNKTFUNK_ENCODER: 'gpu' } });

    expect(fromFile.code).toBe(2);
    expect(fromFile.err).toContain(`It came from ${dir}/.config/punktfunk/host.env line 2.`);
    expect(fromEnv.code).toBe(2);
    expect(fromEnv.err).toContain(
      'encoder: "gpu" is not accepted; give one of auto, x264, addon-x264',
    );
    expect(fromEnv.err).toContain('the environment variable PUNKTFUNK_ENCODER');
  });

  test('a settings file that does not exist, or cannot be read, is named', async () => {
    const missing = await run(['serve', '--config=nope.env'], { env, workingDir: dir });
    const folder = await run(['serve', `--config=${dir}`], { env });

    expect(missing).toMatchObject({
      code: 2,
      err: expect.stringContaining(`${dir}/nope.env does not exist`),
    });
    expect(folder).toMatchObject({
      code: 2,
      err: expect.stringContaining('cannot be read (EISDIR)'),
    });
  });

  test('100000 random command lines end with a code and no exception', async () => {
    const random = seededRandom('command line');
    const words = [
      'serve',
      'ctl',
      'status',
      'pin',
      'config',
      'list',
      'explain',
      'x',
      '',
      '-',
      '--',
    ];
    const flags = NAMED_ROWS.flatMap(({ key }) => [`--${key}`, `--${key}=1`, `--no-${key}`]);
    const all = [...words, ...flags, '--help', '--json', '=', '--=', '---', '-\u0000', '--x=\n'];
    const quiet = { HOME: '/nonexistent' };
    for (let round = 0; round < 100_000; round += 1) {
      const argv = Array.from(
        { length: random.int(0, 5) },
        () => all[random.int(0, all.length - 1)] ?? '',
      );
      // What starts something is tested above.
      if (argv[0] === 'serve') argv.push('--bogus');
      const { code } = await run(argv, { env: quiet });
      if (![0, 2, 3].includes(code)) throw new Error(`${code} for ${JSON.stringify(argv)}`);
    }
  }, 120_000);
});

describe('serve', () => {
  test('hands over settings and folders, with the state folder made and locked', async () => {
    const seen: ServeRequest[] = [];
    const serve = async (request: ServeRequest) => {
      seen.push(request);
      const second = await run(['serve', '--state-dir=st'], { env, workingDir: dir });
      expect(second.code).toBe(1);
      expect(second.err).toContain(`(process ${process.pid}) already uses ${dir}/st`);
      return 7;
    };

    const argv = ['serve', '--moonlight', '--no-mdns', '--source', 'synthetic', '--state-dir=st'];
    const { code } = await run(argv, { env, workingDir: dir, serve });

    expect(code).toBe(7);
    expect(seen[0]?.settings).toMatchObject({ gamestream: true, mdns: false, source: 'synthetic' });
    expect(seen[0]?.paths.stateDir).toBe(join(dir, 'st'));
    expect(seen[0]?.origins.gamestream).toEqual({ kind: 'flag', name: '--moonlight' });
    expect(statSync(join(dir, 'st')).mode & 0o777).toBe(0o700);
    expect((await run(argv, { env, workingDir: dir })).code).toBe(0);
  });

  test('the lock is given back when the host fails', async () => {
    const serve = async () => {
      throw new Error('the compositor is gone');
    };

    const failed = await run(['serve'], { env, serve });
    const again = await run(['serve'], { env });

    expect(failed.code).toBe(1);
    expect(failed.err).toStartWith(
      'punktfunk: A fault of the program itself: the compositor is gone.',
    );
    expect(failed.err).not.toContain('\n    at ');
    expect(again.code).toBe(0);
  });

  test('a state folder that cannot be used is one sentence with the next step', async () => {
    const { code, err } = await run(['serve', '--state-dir=/proc/punktfunk'], { env });

    expect(code).toBe(1);
    expect(err).toMatch(
      /^punktfunk: The folder \/proc\/punktfunk cannot be used: .+\.\nMake it .+--state-dir\.\n$/,
    );
  });
});

describe('config', () => {
  test('explain prints the value in force and its source', async () => {
    writeFileSync(join(dir, 'my.env'), 'fec-pct=33\n');
    const argv = ['config', 'explain', 'PUNKTFUNK_FEC_PCT', '--config=my.env'];

    const { code, out } = await run(argv, { env, workingDir: dir });
    const { out: json } = await run([...argv, '--json', '--fec-pct=4'], { env, workingDir: dir });

    expect(code).toBe(0);
    expect(out).toStartWith(`fec-pct = 33 %, from ${dir}/my.env line 1\n`);
    expect(JSON.parse(json)).toMatchObject({
      key: 'fec-pct',
      value: '4',
      source: 'flag',
      default: '20',
    });
  });

  test('list prints every setting, and warnings on the other stream', async () => {
    const { code, out, err } = await run(['config', 'list'], {
      env: { ...env, PUNKTFUNK_FEC: '1' },
    });

    expect(code).toBe(0);
    expect(out.trimEnd().split('\n')).toHaveLength(NAMED_ROWS.length);
    expect(err).toContain('PUNKTFUNK_FEC is not a setting and is ignored.');
    const { out: json } = await run(['config', 'list', '--json'], { env });
    expect(JSON.parse(json)).toHaveLength(NAMED_ROWS.length);
  });
});
