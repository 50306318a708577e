import { describe, expect, test } from 'bun:test';
import { type FlagValue, resolveSettings, type SettingSources } from '../../src/config/resolve.ts';
import { NAMED_ROWS, SETTING_ROWS, type SettingName } from '../../src/config/rows.ts';
import { seededRandom } from '../support/random.ts';

const FILE = '/etc/pf/host.env';

function sources(part: Partial<SettingSources> & { text?: string }): SettingSources {
  const { text, ...rest } = part;
  return {
    flags: [],
    env: {},
    file: text === undefined ? null : { path: FILE, text },
    workingDir: '/work/dir',
    homeDir: '/home/me',
    ...rest,
  };
}

const flag = (name: SettingName, value: string): FlagValue => ({ name, value, flag: `--${name}` });

function resolved(part: Partial<SettingSources> & { text?: string }) {
  const result = resolveSettings(sources(part));
  if (!result.ok) throw new Error(result.problems.join('\n'));
  return result;
}

function problems(part: Partial<SettingSources> & { text?: string }): readonly string[] {
  const result = resolveSettings(sources(part));
  return result.ok ? [] : result.problems;
}

describe('settings', () => {
  test('without any source every setting has its default', () => {
    const { settings, origins } = resolved({});

    for (const { name, row } of NAMED_ROWS) {
      expect(settings[name] as unknown).toEqual(row.fallback);
      expect(origins[name].kind).toBe('default');
    }
  });

  test('a flag wins over the environment, that over the file, that over the default', () => {
    const text = 'PUNKTFUNK_FEC_PCT=30';
    const env = { PUNKTFUNK_FEC_PCT: '40' };
    const flags = [flag('fecPct', '50')];

    expect(resolved({ text }).settings.fecPct).toBe(30);
    expect(resolved({ text, env }).settings.fecPct).toBe(40);
    expect(resolved({ text, env, flags }).settings.fecPct).toBe(50);
    expect(resolved({ text }).origins.fecPct).toEqual({ kind: 'file', name: `${FILE} line 1` });
  });

  test('an empty variable counts as not set', () => {
    expect(resolved({ env: { PUNKTFUNK_FEC_PCT: '' } }).settings.fecPct).toBe(20);
  });

  test.each([
    ['fecPct', '256', 'fec-pct', 'a whole number from 0 to 255 (%)'],
    ['fecPct', '-1', 'fec-pct', 'a whole number from 0 to 255 (%)'],
    ['fecPct', '1.5', 'fec-pct', 'a whole number from 0 to 255 (%)'],
    ['fecPct', '', 'fec-pct', 'a whole number from 0 to 255 (%)'],
    ['portBase', '80', 'port-base', 'a whole number from 1029 to 65514'],
    ['portBase', '0x50', 'port-base', 'a whole number from 1029 to 65514'],
    ['vbvFrames', '0.1', 'vbv-frames', 'a number from 0.25 to 10 (frame intervals)'],
    ['vbvFrames', 'NaN', 'vbv-frames', 'a number from 0.25 to 10 (frame intervals)'],
    ['bind', 'localhost', 'bind', 'an IPv4 or IPv6 address'],
    ['source', 'screen', 'source', 'one of auto, virtual, mirror, portal, synthetic'],
    ['gamestream', 'maybe', 'gamestream', 'on or off'],
    ['logLevel', 'trace', 'log-level', 'one of error, warn, info, debug'],
    ['hostName', 'a\u001bb', 'host-name', 'text of 1 to 63 characters'],
    ['stateDir', '', 'state-dir', 'a path'],
  ] as const)('%s=%p names key, value, range and source', (name, value, key, range) => {
    const [problem = ''] = problems({ flags: [flag(name, value)] });

    expect(problem).toStartWith(`${key}: ${JSON.stringify(value)} is not accepted`);
    expect(problem).toContain(range);
    expect(problem).toContain(`the flag --${name}`);
  });

  test('a bad value is refused although a stronger source has a good one', () => {
    const flags = [flag('fecPct', '10')];

    expect(problems({ text: 'fec-pct=x', flags })[0]).toContain(`${FILE} line 1`);
    expect(problems({ env: { PUNKTFUNK_GSO: 'x' } })[0]).toContain(
      'the environment variable PUNKTFUNK_GSO',
    );
  });

  test('every bad value is named at once', () => {
    const env = { PUNKTFUNK_FEC_PCT: 'x', PUNKTFUNK_ENCODER: 'y', PUNKTFUNK_BIND: 'z' };

    expect(problems({ env })).toHaveLength(3);
  });

  test('an unknown key of the file is ignored with the nearest known one', () => {
    const { warnings } = resolved({ text: '\nfec-pc=1\nPUNKTFUNK_ENCODR=x264\nqqq=1' });

    expect(warnings[0]).toBe(
      `${FILE} line 2: fec-pc is not a setting and is ignored. Did you mean fec-pct?`,
    );
    expect(warnings[1]).toEndWith('Did you mean PUNKTFUNK_ENCODER?');
    expect(warnings[2]).toEndWith('qqq is not a setting and is ignored.');
  });

  test('an unknown PUNKTFUNK variable is ignored with the nearest known one', () => {
    const { warnings } = resolved({
      env: { PUNKTFUNK_GAMESTREM: '1', OTHER: '1', PUNKTFUNK_FAST_ASSETS: '1' },
    });

    expect(warnings).toEqual([
      'the environment variable PUNKTFUNK_GAMESTREM is not a setting and is ignored. ' +
        'Did you mean PUNKTFUNK_GAMESTREAM?',
    ]);
  });

  test('the file cannot say where the file is', () => {
    const { settings, warnings } = resolved({ text: 'config=/a\nPUNKTFUNK_CONFIG_DIR=/b' });

    expect(settings.config).toBeNull();
    expect(settings.configDir).toBeNull();
    expect(warnings).toHaveLength(2);
  });

  test('relative paths start at the working folder, those of the file at its folder', () => {
    expect(resolved({ flags: [flag('stateDir', 'a/../b')] }).settings.stateDir).toBe('/work/dir/b');
    expect(resolved({ text: 'state-dir=b' }).settings.stateDir).toBe('/etc/pf/b');
    expect(resolved({ text: 'state-dir=~/b' }).settings.stateDir).toBe('/home/me/b');
    expect(resolved({ text: 'state-dir=/b/' }).settings.stateDir).toBe('/b');
  });

  test('the management port may not be one of the GameStream ports', () => {
    const env = { PUNKTFUNK_MGMT_PORT: '48010', PUNKTFUNK_GAMESTREAM: 'on' };

    expect(problems({ env })[0]).toContain('rtsp port of port-base 47989');
    expect(problems({ env: { PUNKTFUNK_MGMT_PORT: '48010' } })).toEqual([]);
    expect(problems({ env: { ...env, PUNKTFUNK_MGMT_PORT: '0' } })).toEqual([]);
  });

  test.each(['on', 'ON', '1', 'true', 'yes'])('%s switches on', (word) => {
    expect(resolved({ env: { PUNKTFUNK_PERF: word } }).settings.perf).toBe(true);
  });

  test('100000 random files are read without an exception', () => {
    const random = seededRandom('settings file');
    const keys = NAMED_ROWS.flatMap(({ key, env }) => [key, env]);
    const pieces = [...keys, '=', '\n', '"', "'", '#', ' ', '\u0000', 'on', '300', '-1', 'é', '\r'];
    for (let round = 0; round < 100_000; round += 1) {
      const count = random.int(0, 12);
      let text = '';
      for (let piece = 0; piece < count; piece += 1) {
        text += pieces[random.int(0, pieces.length - 1)];
      }
      const result = resolveSettings(sources({ text }));
      if (result.ok) continue;
      // A complaint is one line for the terminal: nothing of the file steers it.
      for (const problem of result.problems) expect(/[\u0000-\u001f]/.test(problem)).toBe(false);
    }
  }, 60_000);
});

describe('the rows', () => {
  test('keys, flags and variables are unique', () => {
    const flags = NAMED_ROWS.flatMap(({ key, row }) => [key, ...row.flagAliases]);
    const variables = NAMED_ROWS.map(({ env }) => env);

    expect(new Set(flags).size).toBe(flags.length);
    expect(new Set(variables).size).toBe(variables.length);
  });

  test('the names that scripts know are kept', () => {
    const variables = NAMED_ROWS.map(({ env }) => env);

    expect(variables).toEqual(
      expect.arrayContaining([
        'PUNKTFUNK_VIDEO_SOURCE',
        'PUNKTFUNK_FEC_PCT',
        'PUNKTFUNK_VIDEO_DROP',
        'PUNKTFUNK_PERF',
        'PUNKTFUNK_DSCP',
        'PUNKTFUNK_GSO',
        'PUNKTFUNK_VBV_FRAMES',
        'PUNKTFUNK_CONFIG_DIR',
      ]),
    );
    expect(SETTING_ROWS.fecPct.fallback).toBe(20);
    expect(SETTING_ROWS.portBase.fallback).toBe(47_989);
    expect(SETTING_ROWS.mgmtPort.fallback).toBe(47_990);
    expect(SETTING_ROWS.gamestream.flagAliases).toContain('moonlight');
  });

  test('every default is a value that the row itself accepts', () => {
    for (const { name, row } of NAMED_ROWS) {
      if (row.fallback === null) continue;
      const text = typeof row.fallback === 'boolean' ? row.fallbackText : String(row.fallback);
      const result = resolved({ flags: [flag(name, text)] });
      expect(result.settings[name] as unknown).toEqual(row.fallback);
    }
  });

  test('every help text is one sentence without a full stop', () => {
    for (const { row } of NAMED_ROWS) {
      expect(row.help).toMatch(/^[A-Z].{10,160}[^.]$/);
    }
  });
});
