/** What goes wrong at the start of the host, as its owner sees it in a terminal. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { portFamily } from '../../src/config/ports.ts';
import { DeviceRoster } from '../../src/trust/devices.ts';
import { makeDeviceCredentials } from '../gamestream/http-fixture.ts';
import { type Ended, NOBODY, occupy, ServeProcess } from './serve-process.ts';

const TIMEOUT_MS = 30_000;
const isRoot = process.getuid?.() === 0;
const nobodyReason = isRoot && !Bun.which('setpriv') ? 'setpriv is not installed' : null;
if (nobodyReason) console.log(`skipped: a state folder of another user: ${nobodyReason}`);

let host: ServeProcess;
beforeEach(async () => {
  host = await ServeProcess.make();
});
afterEach(() => host.stop());

/** One sentence, one next step, no stack; and nothing left behind. */
async function expectRefusal(ended: Ended, sentence: RegExp, code = 1): Promise<void> {
  const said = ended.err
    .split('\n')
    .filter((line) => line !== '' && !/^\[?\w+\]? \w+: /.test(line));
  expect(said[0]).toMatch(sentence);
  expect(said[0]).toStartWith('punktfunk: ');
  expect(said[1]).toMatch(/^[A-Z].*\.$/);
  expect(said.length).toBe(2);
  expect(ended.err).not.toMatch(/^\s+at /m);
  expect(ended.out).toBe('');
  expect(ended.code).toBe(code);
}

async function stopped(): Promise<Ended> {
  host.signal('SIGTERM');
  return await host.ended();
}

/** Lines of the start-up report that begin with `label`. */
const linesOf = (label: string): string[] =>
  host.out.split('\n').filter((line) => line.startsWith(`${label}: `));

describe('a port that is in use', () => {
  test.each([
    ['TCP', 'http', '--port-base'],
    ['TCP', 'https', '--port-base'],
    ['TCP', 'rtsp', '--port-base'],
    ['UDP', 'video', '--port-base'],
    ['UDP', 'control', '--port-base'],
    ['UDP', 'audio', '--port-base'],
  ] as const)(
    '%s of %s is named with its owner, and every other one is given back',
    async (protocol, name, flag) => {
      const port = portFamily(host.portBase)[name];
      const release = await occupy(protocol, port);
      host.start();
      const ended = await host.ended();
      release();

      const owner = `is in use by \\S+ \\(process ${process.pid}\\)`;
      await expectRefusal(ended, new RegExp(`${protocol} port ${port} ${owner}`));
      expect(ended.err).toContain(flag);
      expect(await host.leftovers()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    'of the management API is named with its own setting',
    async () => {
      const port = host.portBase + 30;
      const release = await occupy('TCP', port);
      host.start(['--mgmt-port', String(port), '--mgmt-bind', '127.0.0.1']);
      const ended = await host.ended();
      release();

      await expectRefusal(ended, new RegExp(`TCP port ${port} is in use`));
      expect(ended.err).toContain('--mgmt-port');
      expect(await host.leftovers()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    'on an address that is not ours is told apart',
    async () => {
      host.start(['--bind', '192.0.2.99']);
      await expectRefusal(await host.ended(), /192\.0\.2\.99 \(EADDRNOTAVAIL\)/);
      expect(await host.leftovers()).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

describe('the state folder', () => {
  test(
    'of a host that runs is refused to a second one, by its process id',
    async () => {
      host.start();
      await host.ready();
      const { pid } = JSON.parse(
        `{"pid":${readFileSync(join(host.stateDir, 'host.lock'), 'utf8')}}`,
      );
      const second = await ServeProcess.make();
      second.start(['--state-dir', host.stateDir]);
      const ended = await second.ended();
      await second.stop();

      await expectRefusal(ended, new RegExp(`\\(process ${pid}\\) already uses ${host.stateDir}`));
      expect(host.isRunning).toBe(true);
      expect(existsSync(join(host.stateDir, 'mgmt-endpoint'))).toBe(true);
      expect((await stopped()).code).toBe(0);
    },
    TIMEOUT_MS,
  );

  test.skipIf(nobodyReason !== null)(
    'that this user may not write is said to be so',
    async () => {
      host.start([], {}, isRoot ? NOBODY : undefined);
      if (!isRoot) chmodSync(host.stateDir, 0o500);
      const ended = await host.ended();
      chmodSync(host.stateDir, 0o700);

      await expectRefusal(ended, /The folder \S+ cannot be used: it /);
      expect(ended.err).toContain('--state-dir');
      expect(await host.leftovers()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    'that is a file, or below one, is said to be so',
    async () => {
      const file = join(host.folder, 'file');
      writeFileSync(file, '');
      for (const path of [file, join(file, 'state')]) {
        host.start(['--state-dir', path]);
        const ended = await host.ended();
        host.err = '';
        await expectRefusal(ended, /cannot be used: it is not a folder/);
      }
    },
    TIMEOUT_MS,
  );

  test(
    'that others can write in is not trusted',
    async () => {
      chmodSync(host.stateDir, 0o777);
      host.start();
      await expectRefusal(await host.ended(), /other users can write in it/);
    },
    TIMEOUT_MS,
  );
});

describe('the identity', () => {
  const path = (): string => join(host.stateDir, 'identity.pem');

  test.each([
    ['empty', ''],
    ['not an identity', 'hello\n'],
    [
      'cut short',
      'unique-id: 0f8fad5b-d9cb-469f-a165-70867728950e\n-----BEGIN CERTIFICATE-----\nAA',
    ],
  ])(
    'that is %s is never replaced silently',
    async (_, text) => {
      writeFileSync(path(), text, { mode: 0o600 });
      host.start();

      await expectRefusal(await host.ended(), /identity\.pem .*restore it from a backup/);

      expect(readFileSync(path(), 'utf8')).toBe(text);
      expect(await host.leftovers()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    'that is gone although devices are paired is a loss, not a first start',
    async () => {
      const roster = new DeviceRoster(join(host.stateDir, 'devices.json'), () => {}, 0);
      const { certificateDer } = makeDeviceCredentials();
      roster.add({ certificateDer, name: 'Sofa', plane: 'gamestream' }, 0);
      host.start();

      await expectRefusal(await host.ended(), /identity\.pem is missing although devices/);
      expect(existsSync(path())).toBe(false);
    },
    TIMEOUT_MS,
  );

  test(
    'is made owner-only at the first start, and kept',
    async () => {
      host.start();
      await host.ready();
      expect((await stopped()).code).toBe(0);
      const first = readFileSync(path(), 'utf8');
      expect(statSync(path()).mode & 0o777).toBe(0o600);
      expect(await host.leftovers()).toEqual([]);

      host.out = '';
      host.start();
      await host.ready();
      expect((await stopped()).code).toBe(0);
      expect(readFileSync(path(), 'utf8')).toBe(first);
    },
    TIMEOUT_MS,
  );
});

const journalPath = (): string => join(host.stateDir, 'restore-journal.json');

/** What a host that crashed while an app ran left in its journal. */
const undoEntry = (command: string) => ({
  id: 1,
  step: {
    kind: 'app-undo',
    detail: {
      command: JSON.stringify(command),
      workingDirectory: host.folder,
      environment: JSON.stringify({ PATH: '/usr/bin:/bin' }),
    },
  },
});

describe('the restore journal', () => {
  test(
    'that is damaged is set aside with one warning, and the host starts',
    async () => {
      writeFileSync(journalPath(), '{"version":1,"entries":[{', { mode: 0o600 });
      host.start();
      await host.ready();
      const ended = await stopped();

      expect(ended.code).toBe(0);
      const warned = linesOf('Warning').filter((line) => line.includes('restore-journal.json'));
      expect(warned.length).toBe(1);
      expect(readFileSync(`${journalPath()}.damaged`, 'utf8')).toBe('{"version":1,"entries":[{');
      expect(ended.err).not.toMatch(/^\s+at /m);

      host.out = '';
      host.start();
      await host.ready();
      await stopped();
      expect(linesOf('Warning').some((line) => line.includes('restore-journal'))).toBe(false);
    },
    TIMEOUT_MS,
  );

  test(
    'of a run that crashed is carried out before anything else',
    async () => {
      const touched = join(host.folder, 'undone');
      const entries = [undoEntry(`touch ${touched}`)];
      writeFileSync(journalPath(), JSON.stringify({ version: 1, entries }), { mode: 0o600 });
      host.start();
      await host.ready();

      expect(existsSync(touched)).toBe(true);
      expect(JSON.parse(readFileSync(journalPath(), 'utf8')).entries).toEqual([]);
      expect((await stopped()).code).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    'names what it cannot undo yet, and keeps it',
    async () => {
      const detail = { runtimeDir: '/nonexistent', nodeName: 'punktfunk-1-2', previous: '' };
      const entries = [{ id: 3, step: { kind: 'audio-default-sink', detail } }];
      writeFileSync(journalPath(), JSON.stringify({ version: 1, entries }), { mode: 0o600 });
      host.start();
      await host.ready();

      expect(linesOf('Warning').join()).toContain('audio-default-sink');
      expect((await stopped()).code).toBe(0);
      expect(JSON.parse(readFileSync(journalPath(), 'utf8')).entries).toEqual(entries);
    },
    TIMEOUT_MS,
  );
});

describe('what this machine cannot do', () => {
  test(
    'the portal as source without a portal: the host says so and waits for one',
    async () => {
      host.start(['--source', 'portal']);
      await host.ready();
      const ended = await stopped();

      expect(linesOf('Pictures')[0]).toStartWith(
        'Pictures: none, nothing offers the source portal',
      );
      expect(linesOf('Pictures')[0]).toContain('not portal: ');
      expect(ended.out).not.toMatch(/^\s+at /m);
      expect(ended.code).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    'an encoder that no version has is a wrong call',
    async () => {
      host.start(['--encoder', 'quantum']);
      const ended = await host.ended();

      await expectRefusal(ended, /encoder.*"quantum".*auto, x264, addon-x264/, 2);
    },
    TIMEOUT_MS,
  );

  test(
    'libx264 that is not usable: the host says what to install, in one line',
    async () => {
      // A file of that name which is no library, found before the system's own.
      for (const build of ['164', '163', '165', '155', '160', '161']) {
        writeFileSync(join(host.folder, `libx264.so.${build}`), 'not a library');
      }
      host.start(['--encoder', 'x264'], { LD_LIBRARY_PATH: host.folder });
      await host.ready();
      const ended = await stopped();

      expect(linesOf('Encoder').length).toBe(1);
      expect(linesOf('Encoder')[0]).toContain('none');
      expect(linesOf('Warning').join()).toMatch(/devices cannot stream: .*x264/);
      expect(ended.err).not.toMatch(/^\s+at /m);
      expect(ended.code).toBe(0);
    },
    TIMEOUT_MS,
  );
});

describe('a stop', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'by %s ends the host with 0 and leaves nothing',
    async (signal) => {
      host.start();
      await host.ready();
      host.signal(signal);

      expect((await host.ended()).code).toBe(0);
      expect(await host.leftovers()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    'during the start is heard: the host ends with 0 as soon as it is up',
    async () => {
      host.start();
      // The lock is taken right before the host is put together.
      while (!existsSync(join(host.stateDir, 'identity.pem'))) await Bun.sleep(1);
      host.signal('SIGTERM');
      const ended = await host.ended();

      expect(ended.code).toBe(0);
      expect(await host.leftovers()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    'that is repeated ends it at once, whatever it waits for; the journal keeps what is left',
    async () => {
      const marker = join(host.folder, 'undoing');
      const entries = [undoEntry(`touch ${marker}; sleep 3`)];
      writeFileSync(journalPath(), JSON.stringify({ version: 1, entries }), { mode: 0o600 });
      host.start();
      while (!existsSync(marker)) await Bun.sleep(2);
      host.signal('SIGTERM');
      await Bun.sleep(100);
      expect(host.isRunning).toBe(true);
      const beganMs = performance.now();
      host.signal('SIGINT');

      expect((await host.ended()).code).toBe(130);
      expect(performance.now() - beganMs).toBeLessThan(1_000);
      expect(JSON.parse(readFileSync(journalPath(), 'utf8')).entries).toEqual(entries);
      expect(await host.leftovers()).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
