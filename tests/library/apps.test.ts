import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AppEntry, DESKTOP_APP, parseCatalogue } from '../../src/library/app-catalogue.ts';
import { appEnvironment } from '../../src/library/app-environment.ts';
import { APP_UNDO_KIND, RunningApp, undoAppStep } from '../../src/library/app-runner.ts';
import { RestoreJournal } from '../../src/platform/journal.ts';
import type { SessionPlan } from '../../src/session/plan.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pf-apps-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const app = (fields: Partial<AppEntry>): AppEntry => ({ ...DESKTOP_APP, title: 'Test', ...fields });
const environment = { PATH: process.env['PATH'] ?? '/bin:/usr/bin' };
const log = () => (existsSync(join(dir, 'log')) ? readFileSync(join(dir, 'log'), 'utf8') : '');
const say = (word: string) => `printf ${word}, >> ${dir}/log`;
const journalPath = () => join(dir, 'journal.json');

describe('apps.json', () => {
  test('an empty list still has the desktop', () => {
    expect(parseCatalogue('[]')).toMatchObject({ ok: true, apps: [{ id: 1, title: 'Desktop' }] });
  });

  test('ids are stable, unique and positive 31 bit', () => {
    const text = JSON.stringify([
      { title: 'A' },
      { title: 'A' },
      { id: 1, title: 'B', command: 'b' },
    ]);
    const first = parseCatalogue(text);
    if (!first.ok) throw new Error(first.problem);
    const ids = first.apps.map((entry) => entry.id);
    expect(new Set(ids).size).toBe(4);
    expect(ids.every((id) => id > 0 && id <= 0x7fffffff)).toBe(true);
    expect(parseCatalogue(text)).toEqual(first);
  });

  test.each([
    ['{', 'not JSON'],
    ['{}', 'the list'],
    ['[{"title":""}]', '0.title'],
    ['[{"title":"A","cmd":"x"}]', '0.cmd'],
    ['[{"id":2,"title":"A"},{"id":2,"title":"B"}]', 'id 2'],
    ['[{"id":-1,"title":"A"}]', '0.id'],
  ])('%s is refused and the place named', (text, place) => {
    const result = parseCatalogue(text);
    expect(result.ok).toBe(false);
    expect(result.ok ? '' : result.problem).toContain(place);
  });
});

describe('a running app', () => {
  test('prep runs in order and undo in reverse', async () => {
    const journal = new RestoreJournal(journalPath());
    const entry = app({
      prep: [
        { do: say('a'), undo: say('A'), onFail: 'continue' },
        { do: say('b'), undo: say('B'), onFail: 'continue' },
      ],
    });
    const running = new RunningApp(entry, environment, journal, () => {});

    expect(await running.start()).toEqual({ ok: true });
    expect(journal.pending().length).toBe(2);
    await running.end();

    expect(log()).toBe('a,b,B,A,');
    expect(journal.pending()).toEqual([]);
  });

  test('after a crash the next start runs the undo commands in reverse, once', async () => {
    const entry = app({
      prep: [
        { do: say('a'), undo: say('A'), onFail: 'continue' },
        { do: say('b'), undo: say('B'), onFail: 'continue' },
      ],
    });
    await new RunningApp(entry, environment, new RestoreJournal(journalPath()), () => {}).start();

    const afterCrash = new RestoreJournal(journalPath());
    expect(await afterCrash.undoAll({ [APP_UNDO_KIND]: undoAppStep })).toEqual({
      undone: 2,
      failed: [],
    });
    await new RestoreJournal(journalPath()).undoAll({ [APP_UNDO_KIND]: undoAppStep });

    expect(log()).toBe('a,b,B,A,');
  });

  test('a failing prep step with abort undoes what was done and names the app', async () => {
    const entry = app({
      command: say('never'),
      prep: [
        { do: say('a'), undo: say('A'), onFail: 'continue' },
        { do: 'exit 3', undo: say('B'), onFail: 'abort' },
      ],
    });

    const result = await new RunningApp(
      entry,
      environment,
      new RestoreJournal(journalPath()),
      () => {},
    ).start();

    expect(result).toEqual({ ok: false, reason: 'preparation of "Test" failed (exit code 3)' });
    expect(log()).toBe('a,B,A,');
  });

  test('ending kills the whole process group, also when it ignores SIGTERM', async () => {
    const entry = app({
      command: `trap '' TERM; sh -c 'sleep 60' & echo $! > ${dir}/child; wait; sleep 60`,
      exitTimeoutS: 0.2,
    });
    const running = new RunningApp(entry, environment, new RestoreJournal(journalPath()), () => {});
    await running.start();
    while (!existsSync(join(dir, 'child'))) await Bun.sleep(5);
    const child = Number(readFileSync(join(dir, 'child'), 'utf8'));

    await running.end();

    for (let tries = 0; tries < 100 && isAlive(child); tries += 1) await Bun.sleep(10);
    expect(isAlive(child)).toBe(false);
  });

  test('ending takes along what a command left behind when it handed over', async () => {
    const exits: string[] = [];
    const running = new RunningApp(
      app({ command: `sleep 60 & echo $! > ${dir}/child`, exitTimeoutS: 2 }),
      environment,
      new RestoreJournal(journalPath()),
      (detail) => exits.push(detail),
    );
    await running.start();
    while (!existsSync(join(dir, 'child'))) await Bun.sleep(5);
    await Bun.sleep(20);
    const child = Number(readFileSync(join(dir, 'child'), 'utf8'));
    expect(exits).toEqual([]);
    expect(isAlive(child)).toBe(true);

    await running.end();

    expect(isAlive(child)).toBe(false);
    expect(exits).toEqual([]);
  });

  test('an end in the middle of the preparation interrupts it, undoes it and starts nothing', async () => {
    const journal = new RestoreJournal(journalPath());
    const entry = app({
      prep: [
        { do: say('a'), undo: say('A'), onFail: 'abort' },
        { do: `${say('b')}; sleep 30`, undo: say('B'), onFail: 'abort' },
        { do: say('never'), undo: say('NEVER'), onFail: 'abort' },
      ],
      detached: [say('never')],
      command: say('never'),
    });
    const running = new RunningApp(entry, environment, journal, () => {});
    const starting = running.start();
    while (log() !== 'a,b,') await Bun.sleep(5);
    const beganMs = performance.now();

    await Promise.all([running.end(), running.end()]);

    expect(await starting).toEqual({ ok: false, reason: '"Test" was ended while it started' });
    expect(log()).toBe('a,b,B,A,');
    expect(journal.pending()).toEqual([]);
    expect(performance.now() - beganMs).toBeLessThan(2_000);
  });

  test('an undo step that fails does not keep the others from running', async () => {
    const journal = new RestoreJournal(journalPath());
    const entry = app({
      prep: [
        { undo: say('A'), onFail: 'continue' },
        { undo: 'exit 1', onFail: 'continue' },
        { undo: ['/nonexistent/undo'], onFail: 'continue' },
        { undo: ['zero\0byte'], onFail: 'continue' },
      ],
    });
    const running = new RunningApp(entry, environment, journal, () => {});
    await running.start();
    await running.end();

    expect(log()).toBe('A,');
    expect(journal.pending()).toEqual([]);
  });

  test('a command that no system takes is refused, and detached ones that fail are let go', async () => {
    const running = new RunningApp(
      app({ detached: [['/nonexistent/tool'], ['zero\0byte']], command: ['zero\0byte'] }),
      environment,
      new RestoreJournal(journalPath()),
      () => {},
    );

    const result = await running.start();

    expect(result.ok ? '' : result.reason).toContain('"Test" cannot be started: ');
    await running.end();
  });

  test('a host that ends grants an app no more than it has itself', async () => {
    const running = new RunningApp(
      app({ command: `trap '' TERM; ${say('up')}; sleep 60`, exitTimeoutS: 100 }),
      environment,
      new RestoreJournal(journalPath()),
      () => {},
    );
    await running.start();
    while (log() !== 'up,') await Bun.sleep(5);
    const beganMs = performance.now();

    await running.end(50);

    expect(performance.now() - beganMs).toBeLessThan(1_000);
  });

  test('a program that does not exist is refused by name', async () => {
    const running = new RunningApp(
      app({ command: ['/nonexistent/game'] }),
      environment,
      new RestoreJournal(journalPath()),
      () => {},
    );
    const result = await running.start();
    expect(result.ok ? '' : result.reason).toContain('"Test" cannot be started');
  });

  test('an exit of the tracked command is reported once', async () => {
    const exits: string[] = [];
    const running = new RunningApp(
      app({ command: 'exit 4' }),
      environment,
      new RestoreJournal(journalPath()),
      (detail) => exits.push(detail),
    );
    await running.start();
    while (exits.length === 0) await Bun.sleep(5);
    await running.end();
    expect(exits).toEqual(['"Test" ended (exit code 4)']);
  });
});

describe('the environment of commands', () => {
  const plan = {
    sessionId: 's1',
    plane: 'gamestream',
    device: { fingerprint: 'ff', name: 'so\nfa' },
    display: { mode: { width: 1280, height: 720, refreshNum: 5994, refreshDen: 100 } },
    video: { hdr: false, codec: 'h264', bitrateKbps: 5000 },
    audio: { channels: 6, playOnHost: false },
  } as unknown as SessionPlan;

  test('it carries the stream and nothing of the host but the session base', () => {
    const result = appEnvironment(
      DESKTOP_APP,
      plan,
      'HEADLESS-2',
      { PATH: '/bin', SECRET: 'x' },
      {
        WAYLAND_DISPLAY: 'wayland-1',
      },
    );

    expect(result).toMatchObject({
      PATH: '/bin',
      WAYLAND_DISPLAY: 'wayland-1',
      PF_STREAM_FPS: '59.94',
      PF_STREAM_REFRESH: '60',
      PF_CLIENT_NAME: 'so fa',
      PF_DISPLAY_NAME: 'HEADLESS-2',
      SUNSHINE_CLIENT_AUDIO_CONFIGURATION: '5.1',
    });
    expect(result['SECRET']).toBeUndefined();
  });
});

/** A process that runs: one that only waits to be reaped does not count. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
