import { afterEach, describe, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BED, DeskRig, GAME, SOFA, until } from './desk-rig.ts';

let rig = new DeskRig();
afterEach(() => rig.close());

const logOf = (desk: DeskRig): string =>
  existsSync(join(desk.dir, 'log')) ? readFileSync(join(desk.dir, 'log'), 'utf8') : '';

describe('a session', () => {
  test('starts on a screen of the device’s mode and leaves nothing behind when it is quit', async () => {
    rig = new DeskRig();
    const started = await rig.launch(SOFA, 7);

    expect(started.ok).toBe(true);
    expect(rig.desk.runningAppId()).toBe(7);
    expect(rig.screens.requests.map(({ mode, kind }) => [mode.width, kind])).toEqual([
      [1280, 'virtual'],
    ]);

    await rig.desk.quit('test');

    expect(rig.desk.runningAppId()).toBe(0);
    expect(rig.desk.session).toBeNull();
    expect(rig.liveStreams).toEqual([]);
    expect(rig.screens.open.size).toBe(0);
  });

  test('that drops keeps app and screen; the same device finds both again', async () => {
    rig = new DeskRig({}, {}, 500);
    await rig.launch(SOFA);
    await rig.desk.endSession('drop', 'test');

    expect(rig.desk.runningAppId()).toBe(1);
    expect(rig.liveStreams).toEqual([]);
    expect((await rig.resume(SOFA)).ok).toBe(true);

    expect(rig.screens.requests.length).toBe(1);
    await Bun.sleep(600);
    expect(rig.screens.open.size).toBe(1);
  });

  test('that drops loses its screen after the linger time, and the app goes on', async () => {
    rig = new DeskRig({}, {}, 30);
    await rig.launch(SOFA);
    await rig.desk.endSession('drop', 'test');

    await until(() => rig.screens.open.size === 0);

    expect(rig.desk.runningAppId()).toBe(1);
    expect((await rig.resume(SOFA)).ok).toBe(true);
    expect(rig.screens.open.size).toBe(1);
  });

  test('with another mode gets another screen', async () => {
    rig = new DeskRig();
    await rig.launch(SOFA);
    await rig.resume(SOFA, 1920);

    expect(rig.screens.requests.map(({ mode }) => mode.width)).toEqual([1280, 1920]);
    expect(rig.screens.open.size).toBe(1);
    expect(rig.liveStreams.length).toBe(1);
  });

  test('of a device that does nothing after ANNOUNCE ends by itself', async () => {
    rig = new DeskRig({ connectMs: 40 });
    await rig.launch(SOFA);

    await until(() => rig.desk.session === null);

    expect(rig.liveStreams).toEqual([]);
    expect(rig.desk.runningAppId()).toBe(1);
  });

  test('of a device that connects but never asks for video ends by itself', async () => {
    rig = new DeskRig({ connectMs: 40 });
    const started = await rig.launch(SOFA);
    if (started.ok) started.session.connected();
    expect(rig.desk.session?.state).toBe('streaming');

    await until(() => rig.desk.session === null);
  });

  test('of a device that streams is left alone', async () => {
    rig = new DeskRig({ connectMs: 30 });
    const started = await rig.launch(SOFA);
    if (started.ok) started.session.connected();
    rig.streams[0]?.control.setAddress('video', new Uint8Array(16));

    await Bun.sleep(80);

    expect(rig.desk.session?.state).toBe('streaming');
  });

  test('that breaks ends; the app goes on and can be resumed', async () => {
    rig = new DeskRig();
    await rig.launch(SOFA);
    rig.streams[0]?.ports.onFailed('video: the encoder broke');

    await until(() => rig.desk.session === null);

    expect(rig.desk.runningAppId()).toBe(1);
    expect((await rig.resume(SOFA)).ok).toBe(true);
  });

  test('tells a device that never got a link nothing, and forgets one that comes too late', async () => {
    rig = new DeskRig();
    const started = await rig.launch(SOFA);
    if (!started.ok) throw new Error(started.message);
    await started.session.end('drop', 'test');
    let forgotten = 0;

    started.session.setLink({
      terminate: async () => {},
      rttMs: () => null,
      forget: () => {
        forgotten += 1;
      },
    });

    expect(forgotten).toBe(1);
  });

  test('whose device cannot be told and whose stream cannot be stopped still ends', async () => {
    rig = new DeskRig();
    const started = await rig.launch(SOFA);
    if (!started.ok) throw new Error(started.message);
    Object.assign(started.session.stream ?? {}, {
      stop: () => Promise.reject(new Error('scripted')),
    });
    started.session.setLink({
      terminate: () => Promise.reject(new Error('scripted')),
      rttMs: () => null,
      forget: () => {
        throw new Error('scripted');
      },
    });

    await rig.desk.quit('test');

    expect(rig.desk.runningAppId()).toBe(0);
  });
});

describe('admission', () => {
  test('a launch needs a known app and a free host, a resume a running app', async () => {
    rig = new DeskRig();
    const { desk } = rig;

    expect(desk.admit(SOFA, 'resume', 1)).toMatchObject({ ok: false, status: 503 });
    expect(desk.admit(SOFA, 'launch', 99)).toMatchObject({ ok: false, status: 404 });
    await rig.launch(SOFA, 7);
    expect(desk.admit(SOFA, 'launch', 1)).toEqual({
      ok: false,
      status: 400,
      message: 'An app is already running on this host: Game',
    });
    expect(desk.admit(BED, 'resume', 1)).toEqual({ ok: true });
  });

  test('a launch that was not begun is replaced by the same device and by no other', () => {
    rig = new DeskRig();
    const { desk } = rig;
    desk.reserve(1, SOFA);

    expect(desk.admit(BED, 'launch', 7)).toMatchObject({ ok: false, status: 400 });
    expect(desk.admit(SOFA, 'launch', 7)).toEqual({ ok: true });
    desk.reserve(7, SOFA);

    expect(desk.runningAppId()).toBe(7);
    desk.unreserve();
    expect(desk.runningAppId()).toBe(0);
  });

  test('a second device is refused by rule, also when the first came between its launch and stream', async () => {
    rig = new DeskRig({}, { secondClient: 'refuse' });
    await rig.launch(SOFA);

    expect(rig.desk.admit(BED, 'resume', 0)).toMatchObject({ ok: false, status: 503 });
    expect(await rig.announce(BED)).toMatchObject({ ok: false, status: 503 });
    expect(rig.desk.session?.plan.device.fingerprint).toBe(SOFA);
    expect((await rig.resume(SOFA)).ok).toBe(true);
  });

  test('an unpaired device cannot stream although it launched before', async () => {
    rig = new DeskRig();
    rig.desk.reserve(1, SOFA);
    rig.paired.delete(SOFA);

    expect(await rig.announce(SOFA)).toMatchObject({ ok: false, status: 403 });
    expect(rig.desk.runningAppId()).toBe(0);
  });
});

describe('a second stream', () => {
  test('of another device takes the place of the first, and its screen', async () => {
    rig = new DeskRig({}, {}, 60_000);
    await rig.launch(SOFA);
    const second = await rig.resume(BED);

    expect(second.ok).toBe(true);
    expect(rig.liveStreams).toEqual(rig.streams.slice(1));
    expect(rig.screens.open).toEqual(new Set(['SCREEN-2']));
    expect(rig.screens.requests.map(({ identity }) => identity)).toEqual([SOFA, BED]);
  });

  test('announced at the same time as the first leaves one session', async () => {
    rig = new DeskRig();
    rig.desk.reserve(1, SOFA);
    const [first, second] = await Promise.all([rig.announce(SOFA), rig.announce(BED)]);

    expect(first.ok && first.session.isOver).toBe(true);
    expect(second.ok && rig.desk.session === second.session).toBe(true);
    expect(rig.liveStreams.length).toBe(1);
    expect(rig.screens.open.size).toBe(1);
  });

  test('that cannot start leaves the app running and no screen for ever', async () => {
    rig = new DeskRig({}, {}, 30);
    await rig.launch(SOFA);
    rig.onStreamStart = () => Promise.reject(new Error('no memory'));

    expect(await rig.resume(BED)).toEqual({ ok: false, status: 503, message: 'no memory' });

    expect(rig.desk.runningAppId()).toBe(1);
    expect(rig.desk.session).toBeNull();
    await until(() => rig.screens.open.size === 0);
  });

  test('that is refused for its codec leaves the screen before it no longer than it may linger', async () => {
    rig = new DeskRig({}, {}, 30);
    await rig.launch(SOFA);
    rig.capabilities = async () => ({ encoders: [], displays: [], hasSound: false });

    expect((await rig.resume(SOFA)).ok).toBe(false);

    await until(() => rig.screens.open.size === 0);
  });
});

describe('while a stream starts', () => {
  /** Blocks the start until the session is ended. */
  const hang = (signal: AbortSignal): Promise<void> =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });

  test('a quit ends it at once and the host is free', async () => {
    rig = new DeskRig();
    rig.onStreamStart = hang;
    const starting = rig.launch(SOFA);
    await until(() => rig.screens.open.size === 1);
    expect(rig.desk.session?.state).toBe('starting');

    await rig.desk.quit('the device quit');

    expect(rig.desk.runningAppId()).toBe(0);
    expect(await starting).toMatchObject({ ok: false, status: 503, message: 'the device quit' });
    expect(rig.screens.open.size).toBe(0);
    expect(rig.desk.session).toBeNull();
  });

  test('a quit before there is a screen leaves none when it comes', async () => {
    rig = new DeskRig();
    const made = Promise.withResolvers<void>();
    rig.screens.onAcquire = () => made.promise;
    const starting = rig.launch(SOFA);
    await until(() => rig.screens.requests.length === 1);
    const quitting = rig.desk.quit('test');
    made.resolve();

    await quitting;

    expect((await starting).ok).toBe(false);
    expect(rig.screens.open.size).toBe(0);
  });

  test('a quit during the probes ends it before anything is made', async () => {
    rig = new DeskRig();
    const probed = Promise.withResolvers<void>();
    const { capabilities } = rig;
    rig.capabilities = async () => {
      await probed.promise;
      return capabilities();
    };
    const starting = rig.launch(SOFA);
    await Bun.sleep(1);
    await rig.desk.quit('test');
    probed.resolve();

    expect((await starting).ok).toBe(false);
    expect(rig.screens.requests).toEqual([]);
    expect(rig.desk.runningAppId()).toBe(0);
  });

  test('its device loses its right to be here: it ends, and its screen goes', async () => {
    rig = new DeskRig({}, {}, 60_000);
    rig.onStreamStart = hang;
    const starting = rig.launch(SOFA);
    await until(() => rig.screens.open.size === 1);

    rig.paired.delete(SOFA);
    await rig.desk.revoke(SOFA);

    expect((await starting).ok).toBe(false);
    expect(rig.screens.open.size).toBe(0);
  });

  test('and its device is unpaired during the probes, it does not begin', async () => {
    rig = new DeskRig();
    const { capabilities } = rig;
    rig.capabilities = async () => {
      rig.paired.delete(SOFA);
      await rig.desk.revoke(SOFA);
      return capabilities();
    };

    expect(await rig.launch(SOFA)).toMatchObject({ ok: false, status: 403 });
    expect(rig.screens.requests).toEqual([]);
  });

  test('the host is shut down: it ends and nothing starts any more', async () => {
    rig = new DeskRig();
    rig.onStreamStart = hang;
    const starting = rig.launch(SOFA);
    await until(() => rig.screens.open.size === 1);

    await rig.desk.close();

    expect((await starting).ok).toBe(false);
    expect(rig.screens.open.size).toBe(0);
    expect(await rig.announce(SOFA)).toMatchObject({ ok: false, status: 503 });
    expect(rig.desk.admit(SOFA, 'launch', 1)).toMatchObject({ ok: false, status: 503 });
  });

  test('a newer one is announced: the older one is cut short and nobody waits', async () => {
    rig = new DeskRig();
    rig.onStreamStart = hang;
    const first = rig.launch(SOFA);
    await until(() => rig.screens.open.size === 1);
    rig.onStreamStart = async () => {};

    const second = await rig.resume(BED);

    expect(second.ok).toBe(true);
    expect(await first).toMatchObject({ ok: false, message: 'a newer stream takes its place' });
    expect(rig.desk.session?.plan.device.fingerprint).toBe(BED);
    expect(rig.desk.runningAppId()).toBe(1);
    expect(rig.screens.open.size).toBe(1);
  });

  test('a newer one of another device waits for none where the owner refuses second devices', async () => {
    rig = new DeskRig({}, { secondClient: 'refuse' });
    const held = Promise.withResolvers<void>();
    rig.onStreamStart = () => held.promise;
    const first = rig.launch(SOFA);
    await until(() => rig.screens.open.size === 1);
    const second = rig.announce(BED);
    held.resolve();

    expect((await first).ok).toBe(true);
    expect(await second).toMatchObject({ ok: false, status: 503 });
  });

  test('too slowly for a device to wait, it is refused in time', async () => {
    rig = new DeskRig({ startMs: 40 });
    rig.onStreamStart = hang;

    expect(await rig.launch(SOFA)).toEqual({
      ok: false,
      status: 503,
      message: 'the stream did not start in time',
    });
    expect(rig.desk.runningAppId()).toBe(0);
  });

  test('and breaks in the same moment, no dead session is left in its place', async () => {
    rig = new DeskRig();
    rig.apps = [{ ...GAME, prep: [{ do: 'sleep 0.1', onFail: 'continue' }] }];
    const starting = rig.launch(SOFA, 7);
    await until(() => rig.streams.length === 1);
    rig.streams[0]?.ports.onFailed('the packet worker crashed');

    expect(await starting).toMatchObject({ ok: false, message: 'the packet worker crashed' });
    expect(rig.desk.session).toBeNull();
    expect(rig.liveStreams).toEqual([]);
  });
});

describe('the app', () => {
  const say = (word: string): string => `printf ${word}, >> ${rig.dir}/log`;

  test('that ends by itself ends the session and frees the host', async () => {
    rig = new DeskRig();
    rig.apps = [{ ...GAME, command: 'sleep 0.05; exit 3' }];
    await rig.launch(SOFA, 7);
    expect(rig.desk.runningAppId()).toBe(7);

    await until(() => rig.desk.session === null && rig.screens.open.size === 0);

    expect(rig.desk.runningAppId()).toBe(0);
  });

  test('that ends while its device is away frees the host', async () => {
    rig = new DeskRig();
    rig.apps = [{ ...GAME, command: 'sleep 0.1; exit 1' }];
    await rig.launch(SOFA, 7);
    await rig.desk.endSession('drop', 'test');
    expect(rig.desk.runningAppId()).toBe(7);

    await until(() => rig.desk.runningAppId() === 0);
  });

  test('is started once its screen shows pictures, or after a while', async () => {
    rig = new DeskRig({ pictureMs: 200 });
    const shown = Promise.withResolvers<void>();
    rig.shown = shown.promise;
    rig.apps = [{ ...GAME, prep: [{ do: say('a'), onFail: 'abort' }] }];
    const starting = rig.launch(SOFA, 7);
    await until(() => rig.streams.length === 1);
    await Bun.sleep(30);
    expect(logOf(rig)).toBe('');
    shown.resolve();
    expect((await starting).ok).toBe(true);
    expect(logOf(rig)).toBe('a,');

    await rig.desk.quit('test');
    rig.shown = new Promise(() => {});
    expect((await rig.launch(SOFA, 7)).ok).toBe(true);
    expect(logOf(rig)).toBe('a,a,');
  });

  test('without commands does not wait for pictures', async () => {
    rig = new DeskRig({ pictureMs: 60_000 });
    rig.shown = new Promise(() => {});

    expect((await rig.launch(SOFA, 1)).ok).toBe(true);
  });

  test('that cannot be prepared is refused by its own words, undone, and the host is free', async () => {
    rig = new DeskRig();
    rig.apps = [
      {
        ...GAME,
        prep: [
          { do: say('a'), undo: say('A'), onFail: 'continue' },
          { do: 'exit 9', onFail: 'abort' },
        ],
      },
    ];

    expect(await rig.launch(SOFA, 7)).toEqual({
      ok: false,
      status: 503,
      message: 'preparation of "Game" failed (exit code 9)',
    });

    expect(rig.desk.runningAppId()).toBe(0);
    expect(logOf(rig)).toBe('a,A,');
    expect(rig.journal.pending()).toEqual([]);
    await until(() => rig.screens.open.size === 0);
    expect(rig.liveStreams).toEqual([]);
  });

  test('that takes long to prepare does not keep the device waiting', async () => {
    rig = new DeskRig({ appStartMs: 20 });
    rig.apps = [{ ...GAME, prep: [{ do: 'sleep 0.15', onFail: 'continue' }], command: 'exit 1' }];

    expect((await rig.launch(SOFA, 7)).ok).toBe(true);

    await until(() => rig.desk.runningAppId() === 0);
    await until(() => rig.desk.session === null);
  });

  test('that fails late takes its session with it and frees the host', async () => {
    rig = new DeskRig({ appStartMs: 10 });
    rig.apps = [{ ...GAME, prep: [{ do: 'sleep 0.05; exit 1', onFail: 'abort' }] }];
    const started = await rig.launch(SOFA, 7);
    expect(started.ok).toBe(true);

    await until(() => rig.desk.session === null);

    expect(rig.desk.runningAppId()).toBe(0);
    expect(rig.liveStreams).toEqual([]);
  });

  test('is quit in the middle of its preparation: that is cut short and undone', async () => {
    rig = new DeskRig({ appStartMs: 10 });
    rig.apps = [
      {
        ...GAME,
        prep: [{ do: `${say('a')}; sleep 30`, undo: say('A'), onFail: 'abort' }],
        command: say('never'),
      },
    ];
    await rig.launch(SOFA, 7);
    await until(() => logOf(rig) === 'a,');

    await rig.desk.quit('test');

    expect(logOf(rig)).toBe('a,A,');
    expect(rig.journal.pending()).toEqual([]);
    expect(rig.desk.runningAppId()).toBe(0);
    expect(rig.screens.open.size).toBe(0);
  });

  test('is not started twice when its device comes back during its preparation', async () => {
    rig = new DeskRig({ appStartMs: 10 });
    rig.apps = [
      {
        ...GAME,
        prep: [{ do: 'sleep 0.1', onFail: 'continue' }],
        command: `${say('run')}; sleep 30`,
        exitTimeoutS: 0,
      },
    ];
    await rig.launch(SOFA, 7);
    await rig.resume(SOFA);
    await until(() => logOf(rig) !== '');
    await Bun.sleep(50);

    expect(logOf(rig)).toBe('run,');
  });

  test('frees the host at once when it is quit, and the next one waits until it is gone', async () => {
    rig = new DeskRig();
    rig.apps = [
      { ...GAME, command: `trap '${say('gone')}; exit' TERM; sleep 0.1 & wait; sleep 30` },
      { ...GAME, id: 8, title: 'Other', prep: [{ do: say('next'), onFail: 'continue' }] },
    ];
    await rig.launch(SOFA, 7);
    await Bun.sleep(30);
    const quitting = rig.desk.quit('test');
    expect(rig.desk.runningAppId()).toBe(0);

    const second = await rig.launch(SOFA, 8);
    await quitting;

    expect(second.ok).toBe(true);
    expect(logOf(rig)).toBe('gone,next,');
    expect(rig.screens.open.size).toBe(1);
    expect(rig.desk.runningAppId()).toBe(8);
  });

  test('that does not end is not waited for at shutdown beyond its time', async () => {
    rig = new DeskRig({ politeAtShutdownMs: 40, shutdownMs: 2_000 });
    rig.apps = [{ ...GAME, command: `trap '' TERM; ${say('up')}; sleep 30`, exitTimeoutS: 100 }];
    await rig.launch(SOFA, 7);
    await until(() => logOf(rig) === 'up,');
    const beganMs = performance.now();

    await rig.desk.close();

    expect(performance.now() - beganMs).toBeLessThan(1_500);
    expect(rig.screens.open.size).toBe(0);
  });

  test('moves to the screen of the device that resumes it, and ends with that one', async () => {
    rig = new DeskRig();
    await rig.launch(SOFA);
    await rig.resume(BED);
    await rig.desk.quit('test');

    expect(rig.screens.open.size).toBe(0);
  });
});
