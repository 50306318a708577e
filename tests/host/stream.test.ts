import { afterEach, beforeEach, describe, expect, jest, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningStream, type StreamPorts, startStream } from '../../src/host/stream.ts';
import type { Injector } from '../../src/inject/port.ts';
import { RestoreJournal } from '../../src/platform/journal.ts';
import { planSession } from '../../src/session/plan-session.ts';
import type { DisplayLease } from '../../src/vdisplay/port.ts';
import { CAPABILITIES, FORMAT, offerOf, SOFA, until } from './desk-rig.ts';
import { WorkerRig } from './scripted-workers.ts';

const planned = planSession(
  offerOf(SOFA),
  CAPABILITIES,
  { source: 'virtual', maxBitrateKbps: 100_000, audio: false },
  's1',
);
if (!planned.ok) throw new Error(planned.reason);
const SETUP = {
  plan: planned.plan,
  format: FORMAT,
  vbvFrames: 1,
  testDropPct: 0,
  segmentationOffload: false,
  videoSocketFd: -1,
  audioSocketFd: -1,
  runtimeDir: null,
};

let dir = '';
let workers = new WorkerRig();
let abort = new AbortController();
let failures: string[] = [];
/** `true`: the screen was made anew. */
let acquired: boolean[] = [];
/** What was done to the desktop, as `screen action`. */
let typed: string[] = [];
let onAcquire: () => Promise<void> = async () => {};
let stopper: ReturnType<typeof setInterval>;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pf-stream-'));
  workers = new WorkerRig();
  abort = new AbortController();
  failures = [];
  acquired = [];
  typed = [];
  onAcquire = async () => {};
  stopper = setInterval(() => workers.answerStop(), 2);
});
afterEach(() => {
  clearInterval(stopper);
  jest.useRealTimers();
  rmSync(dir, { recursive: true, force: true });
});

function leaseOf(name: string): DisplayLease {
  const { mode } = SETUP.plan.display;
  const ignore = (): void => {};
  const injector: Injector = {
    description: 'scripted',
    moveRelative: ignore,
    moveAbsolute: ignore,
    button: (button, isDown) => typed.push(`${name} ${button} ${isDown ? 'down' : 'up'}`),
    scroll: ignore,
    key: (code, isDown) => typed.push(`${name} key ${code} ${isDown ? 'down' : 'up'}`),
    text: ignore,
    touch: ignore,
    pen: ignore,
    close: () => typed.push(`${name} closed`),
  };
  return {
    backend: 'scripted',
    outputName: name,
    mode,
    source: { kind: 'synthetic', mode },
    readBack: async () => ({ ...mode, width: 1024 }),
    openInjector: async () => injector,
    lost: new Promise(() => {}),
    release: async () => {},
  };
}

function begin(): Promise<RunningStream> {
  const ports: StreamPorts = {
    spawn: workers.spawn,
    journal: new RestoreJournal(join(dir, 'journal.json')),
    acquireDisplay: async (isRenewal) => {
      acquired.push(isRenewal);
      await onAcquire();
      return leaseOf(`S${acquired.length}`);
    },
    onFailed: (reason) => failures.push(reason),
  };
  return startStream(SETUP, ports, abort.signal);
}

async function running(): Promise<RunningStream> {
  const starting = begin();
  await until(() => workers.workers.length === 3);
  workers.allReady();
  return await starting;
}

describe('the start of a stream', () => {
  test('is over when every worker is at work', async () => {
    const starting = begin();
    await until(() => workers.workers.length === 3);
    expect(workers.workers.map(({ kind, received }) => [kind, received[0]?.kind])).toEqual([
      ['video', 'start-video'],
      ['packet', 'start-packets'],
      ['audio', 'start-audio'],
    ]);
    workers.of('video').report({ kind: 'ready' });
    workers.of('packet').report({ kind: 'ready' });
    let isStarted = false;
    void starting.then(() => {
      isStarted = true;
    });
    await Bun.sleep(5);
    expect(isStarted).toBe(false);

    workers.of('audio').report({ kind: 'ready' });
    const stream = await starting;

    expect(stream.lease.outputName).toBe('S1');
    await stream.stop();
    expect(workers.workers.every(({ isTerminated }) => isTerminated)).toBe(true);
    expect(stream.stop()).toBe(stream.stop());
  });

  test.each([
    ['says so', () => workers.of('video').report({ kind: 'failed', reason: 'no encoder' })],
    [
      'said it was ready before',
      () => {
        workers.of('video').report({ kind: 'ready' });
        workers.of('video').report({ kind: 'failed', reason: 'no encoder' });
      },
    ],
  ])('fails with the reason of a worker that %s, and ends the others', async (_, fail) => {
    const starting = begin();
    await until(() => workers.workers.length === 3);
    fail();

    await expect(starting).rejects.toThrow('no encoder');

    expect(workers.workers.every(({ isTerminated }) => isTerminated)).toBe(true);
    expect(failures).toEqual([]);
  });

  test('fails with one sentence when a worker crashes, not with its stack', async () => {
    const starting = begin();
    await until(() => workers.workers.length === 3);
    workers
      .of('packet')
      .crash(
        "1 | const a = b;\n    ^\nTypeError: undefined is not an object (evaluating 'b')\n      at run (/x/y.ts:1:2)\n",
      );

    await expect(starting).rejects.toThrow(
      "packet: the packet worker crashed: TypeError: undefined is not an object (evaluating 'b')",
    );
  });

  test('fails when a worker goes away without a word', async () => {
    const starting = begin();
    await until(() => workers.workers.length === 3);
    workers.of('audio').vanish();

    await expect(starting).rejects.toThrow('the audio worker went away');
  });

  test('fails when a worker is not at work after 12 s', async () => {
    jest.useFakeTimers();
    const starting = begin();
    const outcome = starting.then(() => '', String);
    while (workers.workers.length < 3) await Promise.resolve();
    workers.of('video').report({ kind: 'ready' });
    jest.advanceTimersByTime(12_000);
    for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
    workers.answerStop();

    expect(await outcome).toMatch(/the (packet|audio) worker did not start in 12 s/);
  });

  test('is cut short by its signal, before and after there are workers', async () => {
    const starting = begin();
    await until(() => workers.workers.length === 3);
    abort.abort(new Error('the device quit'));
    await expect(starting).rejects.toThrow('the device quit');
    expect(workers.workers.every(({ isTerminated }) => isTerminated)).toBe(true);

    abort = new AbortController();
    workers = new WorkerRig();
    onAcquire = () => new Promise(() => {});
    const waiting = begin();
    abort.abort(new Error('the host ends'));
    await expect(waiting).rejects.toThrow('the host ends');
    expect(workers.workers).toEqual([]);
  });

  test('is refused by a screen that cannot be had', async () => {
    onAcquire = () => Promise.reject(new Error('no output'));
    await expect(begin()).rejects.toThrow('no output');
  });
});

describe('a stream that runs', () => {
  test('tells of its failure once, and of none after its stop', async () => {
    const stream = await running();
    workers.of('video').report({ kind: 'failed', reason: 'the source is gone' });
    workers.of('packet').crash('error: broken');
    workers.of('video').report({ kind: 'stopped' });
    expect(failures).toEqual(['video: the source is gone']);
    await stream.stop();

    workers = new WorkerRig();
    const second = await running();
    await second.stop();
    workers.of('video').report({ kind: 'failed', reason: 'too late' });
    expect(failures.length).toBe(1);
  });

  test('counts a worker that ends by itself as a failure', async () => {
    const stream = await running();
    workers.of('packet').report({ kind: 'stopped' });

    expect(failures).toEqual(['the packet worker ended by itself']);
    await stream.stop();
  });

  test('ends a worker that does not hear its stop', async () => {
    const stream = await running();
    workers.deaf.add('audio');
    jest.useFakeTimers();
    const stopping = stream.stop();
    workers.answerStop();
    jest.advanceTimersByTime(3_000);
    await stopping;

    expect(workers.of('audio').isTerminated).toBe(true);
  });

  test('fails when a worker has not moved for ten seconds', async () => {
    jest.useFakeTimers();
    const starting = begin();
    while (workers.workers.length < 3) await Promise.resolve();
    workers.allReady();
    const stream = await starting;
    const { control } = workers.of('video');
    for (let second = 0; second < 30 && failures.length === 0; second += 1) {
      control.add('videoHeartbeat');
      control.add('packetHeartbeat');
      if (second < 5) control.add('audioHeartbeat');
      jest.advanceTimersByTime(1_000);
      expect(failures.length).toBe(second < 14 ? 0 : 1);
    }

    expect(failures).toEqual(['the audio worker has not moved for 10 s']);
    const stopping = stream.stop();
    workers.answerStop();
    await stopping;
  });

  test('keeps the facts of its workers and the mode that the screen really has', async () => {
    const stream = await running();
    let isShown = false;
    void stream.shown.then(() => {
      isShown = true;
    });
    await Bun.sleep(1);
    expect(isShown).toBe(false);
    workers.of('video').report({ kind: 'fact', name: 'encoder', value: 'x264 superfast' });
    workers.of('video').report({ kind: 'fact', name: 'constructor', value: 'nothing' });
    workers.of('video').report({ kind: 'first-frame', width: 1024, height: 720 });
    await stream.shown;

    expect(stream.facts.actualMode).toBe('1024x720@60');

    expect(stream.facts).toMatchObject({ encoder: 'x264 superfast', outputName: 'S1' });
    expect(Object.hasOwn(stream.facts, 'constructor')).toBe(false);
    await stream.stop();
  });

  test('lets go of what the device holds when it stops', async () => {
    const stream = await running();
    stream.input({ kind: 'pointer-button', button: 'left', isDown: true });
    await stream.stop();
    stream.input({ kind: 'pointer-button', button: 'right', isDown: true });

    expect(typed).toEqual(['S1 left down', 'S1 left up', 'S1 closed']);
  });
});

describe('a stream whose picture source is lost', () => {
  const lose = (attempt: number): void =>
    workers.of('video').report({ kind: 'capture-lost', cause: 'gone', attempt });
  const sourceCount = (): number => workers.of('video').received.length - 1;

  test('gets a new one, and the input moves there with nothing held', async () => {
    const stream = await running();
    stream.input({ kind: 'pointer-button', button: 'left', isDown: true });

    lose(1);
    await until(() => sourceCount() === 1 && typed.length === 3);

    expect(acquired).toEqual([false, false]);
    expect(stream.lease.outputName).toBe('S2');
    expect(stream.facts.outputName).toBe('S2');
    stream.input({ kind: 'pointer-button', button: 'left', isDown: true });
    expect(typed).toEqual(['S1 left down', 'S1 left up', 'S1 closed', 'S2 left down']);
    await stream.stop();
  });

  test('that is lost again at once gets a new screen after a second', async () => {
    jest.useFakeTimers();
    const starting = begin();
    while (workers.workers.length < 3) await Promise.resolve();
    workers.allReady();
    const stream = await starting;
    const settle = async (): Promise<void> => {
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    };
    lose(1);
    await settle();
    lose(2);
    await settle();
    expect(acquired).toEqual([false, false]);

    jest.advanceTimersByTime(1_000);
    await settle();

    expect(acquired).toEqual([false, false, true]);
    expect(sourceCount()).toBe(2);
    const stopping = stream.stop();
    workers.answerStop();
    await stopping;
  });

  test('is looked after by one search, however often the worker asks, until it stops', async () => {
    jest.useFakeTimers();
    const starting = begin();
    while (workers.workers.length < 3) await Promise.resolve();
    workers.allReady();
    const stream = await starting;
    onAcquire = () => Promise.reject(new Error('the compositor is away'));
    for (let second = 0; second < 5; second += 1) {
      lose(Math.min(second + 1, 2));
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
      jest.advanceTimersByTime(1_000);
    }
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    expect(acquired.length).toBeWithin(5, 8);
    expect(sourceCount()).toBe(0);

    const stopping = stream.stop();
    workers.answerStop();
    await stopping;
    const before = acquired.length;
    jest.advanceTimersByTime(10_000);
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    expect(acquired.length).toBe(before);
    expect(failures).toEqual([]);
  });
});
