import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AnnounceDetails } from '../../src/gamestream/announce-offer.ts';
import { drawBoxArt } from '../../src/gamestream/box-art.ts';
import type { NvHttpHost } from '../../src/gamestream/nvhttp-host.ts';
import type { LaunchRequest } from '../../src/gamestream/nvhttp-launch.ts';
import type { AnnounceOutcome, RtspHost } from '../../src/gamestream/rtsp-host.ts';
import { LAUNCH_EXPIRES_MS, PendingLaunches } from '../../src/gamestream/rtsp-launches.ts';
import {
  freeUnlessAwaited,
  type GameStreamHostParts,
  nvHttpHost,
  rtspHost,
} from '../../src/host/gamestream-host.ts';
import type { PairedDevice } from '../../src/trust/device-record.ts';
import { BED, CAPABILITIES, DeskRig, FORMAT, GAME, offerOf, SOFA, until } from './desk-rig.ts';

const DETAILS: AnnounceDetails = {
  controlV2: true,
  usesSessionIds: true,
  reportsFecStatus: false,
  intraRefresh: false,
  configuredBitrateKbps: 10_000,
};

const deviceOf = (fingerprint: string): PairedDevice => ({
  fingerprint,
  name: fingerprint.slice(0, 2),
  plane: 'gamestream',
  certificate: '',
  enabled: true,
  pairedAtMs: 0,
  lastSeenAtMs: null,
});

function requestOf(appId: number): LaunchRequest {
  return {
    appId,
    mode: null,
    key: new Uint8Array(16),
    keyId: 1,
    playOnHost: false,
    changeDisplayMode: true,
    audioChannels: 2,
    audioChannelMask: 3,
    surroundParams: null,
    padMask: 0,
    keepPads: false,
    hdr: false,
    speaksSealedRtsp: true,
    continuousAudio: false,
    wantsVirtualDisplay: false,
    scalePct: null,
    appUuid: null,
  };
}

let rig: DeskRig;
let nowMs = 0;
let launches: PendingLaunches;
let parts: GameStreamHostParts;
let web: NvHttpHost;
let rtsp: RtspHost;
/** Launch ids whose device is awaited on the control plane. */
let expected: string[] = [];

function build(secondClient: 'replace' | 'refuse' = 'replace'): void {
  rig = new DeskRig({}, { secondClient });
  nowMs = 0;
  expected = [];
  launches = new PendingLaunches((size) => crypto.getRandomValues(new Uint8Array(size)));
  parts = {
    desk: rig.desk,
    launches,
    hostname: 'den',
    uniqueId: 'id',
    codecModeSupport: 1,
    canInvalidateReferences: true,
    parityPct: 20,
    tagDscp: true,
    configDir: rig.dir,
    takesTouch: () => false,
    ports: () => ({ video: 1, control: 2, audio: 3, http: 4, https: 5, rtsp: 6 }),
    apps: () => rig.apps,
    nowMs: () => nowMs,
    expect: (_session, launch) => expected.push(launch.launchId),
  };
  web = nvHttpHost(parts);
  rtsp = rtspHost(parts);
}

beforeEach(() => build());
afterEach(() => rig.close());

const enter = (kind: 'launch' | 'resume', fingerprint: string, appId = 1) =>
  web[kind](requestOf(appId), {
    device: deviceOf(fingerprint),
    localAddress: '192.0.2.1',
    peerAddress: '192.0.2.9',
  });

/** What RTSP does with the newest launch of the device. */
async function announce(fingerprint: string): Promise<AnnounceOutcome> {
  const launch = launches.live(nowMs).find(({ device }) => device.fingerprint === fingerprint);
  if (!launch) throw new Error('there is no launch');
  launch.rtsp.stage = 'announcing';
  const outcome = await rtsp.announce(launch, offerOf(fingerprint), FORMAT, DETAILS);
  if (outcome.ok) launches.announced(launch, nowMs);
  else launch.rtsp.stage = 'fresh';
  return outcome;
}

/** What the plane does once a second. */
function pass(ms: number): void {
  nowMs += ms;
  freeUnlessAwaited(parts);
}

describe('launch and resume', () => {
  test('the host is busy with the app from the answer on', async () => {
    expect(web.runningAppId()).toBe(0);
    expect(await enter('launch', SOFA, 7)).toEqual({ ok: true, rtspPort: 6, rtspSealed: true });
    expect(web.runningAppId()).toBe(7);
  });

  test.each([
    ['resume', 1, 503, 'No app is running to resume'],
    ['launch', 99, 404, 'This app is not on the host'],
    ['launch', 0, 404, 'This app is not on the host'],
  ] as const)(
    '%s of app %d on a free host is answered %d',
    async (kind, appId, status, message) => {
      expect(await enter(kind, SOFA, appId)).toEqual({ ok: false, status, message });
      expect(web.runningAppId()).toBe(0);
      expect(launches.size).toBe(0);
    },
  );

  test.each([
    ['launch', SOFA, 400],
    ['launch', BED, 400],
    ['resume', SOFA, null],
    ['resume', BED, null],
  ] as const)('while an app streams, %s of %s is answered %p', async (kind, device, status) => {
    await enter('launch', SOFA);
    await announce(SOFA);

    const answer = await enter(kind, device);

    expect(answer.ok ? null : answer.status).toBe(status);
  });

  test('a second device is refused before anything is touched, where the owner says so', async () => {
    await rig.close();
    build('refuse');
    await enter('launch', SOFA);
    await announce(SOFA);

    expect(await enter('resume', BED)).toMatchObject({ ok: false, status: 503 });
    expect(rig.desk.session?.isOver).toBe(false);
  });

  test.each([
    [
      'no encoder',
      { encoders: [], encoderProblem: 'no encoder (apt install x)' },
      'no encoder (apt',
    ],
    ['no desktop', { displays: [] }, 'no desktop offers the source "virtual"'],
  ] as const)('a machine with %s says so at the launch and stays free', async (_, lack, why) => {
    rig.capabilities = async () => ({ ...CAPABILITIES, ...lack });

    const answer = await enter('launch', SOFA);

    expect(answer).toMatchObject({ ok: false, status: 503 });
    expect(answer.ok ? '' : answer.message).toStartWith(`This host cannot stream: ${why}`);
    expect(web.runningAppId()).toBe(0);
    expect(launches.size).toBe(0);
  });

  test('what is missing when a device resumes is said there; the app goes on', async () => {
    await enter('launch', SOFA, 7);
    await announce(SOFA);
    await rig.desk.endSession('drop', 'test');
    rig.capabilities = async () => ({ ...CAPABILITIES, displays: [] });

    expect(await enter('resume', SOFA)).toMatchObject({ ok: false, status: 503 });
    expect(web.runningAppId()).toBe(7);
  });

  test('an app that is pinned to a desktop which does not run is refused at the launch', async () => {
    rig.apps = [{ ...GAME, compositor: 'mutter' }];

    expect(await enter('launch', SOFA, 7)).toEqual({
      ok: false,
      status: 503,
      message:
        'This host cannot stream: no desktop on mutter, as the app asks, offers the source "virtual"',
    });
  });

  test('a resume names no app that matters', async () => {
    await enter('launch', SOFA, 7);
    await announce(SOFA);

    expect((await enter('resume', SOFA, 99)).ok).toBe(true);
    await announce(SOFA);
    expect(rig.desk.session?.plan.appId).toBe(7);
  });

  test('the app list follows the owner’s file', () => {
    expect(web.apps()).toEqual([
      { id: 1, title: 'Desktop', isHdrSupported: false },
      { id: 7, title: 'Game', isHdrSupported: false },
    ]);
    rig.apps = [GAME];
    expect(web.apps().length).toBe(1);
  });
});

describe('a launch that no stream comes of', () => {
  test('frees the host when its time is over', async () => {
    await enter('launch', SOFA);
    pass(LAUNCH_EXPIRES_MS - 1);
    expect(web.runningAppId()).toBe(1);
    pass(1);
    expect(web.runningAppId()).toBe(0);
  });

  test('frees the host also when somebody else looked at the launches in between', async () => {
    await enter('launch', SOFA);
    nowMs += LAUNCH_EXPIRES_MS;
    expect(launches.knowsAddress('192.0.2.9', nowMs)).toBe(false);
    pass(0);
    expect(web.runningAppId()).toBe(0);
  });

  test('does not free it while another launch of the app waits', async () => {
    await enter('launch', SOFA, 7);
    nowMs += LAUNCH_EXPIRES_MS - 100;
    await enter('resume', BED);
    pass(200);
    expect(web.runningAppId()).toBe(7);

    expect((await announce(BED)).ok).toBe(true);
    pass(LAUNCH_EXPIRES_MS);
    expect(web.runningAppId()).toBe(7);
  });

  test('is not held up by the launch of a stream that ended', async () => {
    await enter('launch', SOFA);
    await announce(SOFA);
    await web.cancel(deviceOf(SOFA));
    await enter('launch', BED, 7);

    pass(LAUNCH_EXPIRES_MS);

    expect(web.runningAppId()).toBe(0);
  });

  test('of a resume leaves the running app alone', async () => {
    await enter('launch', SOFA);
    await announce(SOFA);
    await rig.desk.endSession('drop', 'test');
    await enter('resume', SOFA);

    pass(LAUNCH_EXPIRES_MS);

    expect(web.runningAppId()).toBe(1);
  });

  test('because its start failed, frees the host at once', async () => {
    rig.onStreamStart = () => Promise.reject(new Error('no encoder memory'));
    await enter('launch', SOFA);

    expect(await announce(SOFA)).toEqual({ ok: false, status: 503, reason: 'no encoder memory' });

    expect(web.runningAppId()).toBe(0);
    expect(launches.size).toBe(0);
    expect(expected).toEqual([]);
  });

  test('because its start failed, leaves the app to another that waits', async () => {
    rig.onStreamStart = () => Promise.reject(new Error('no encoder memory'));
    await enter('launch', SOFA, 7);
    await enter('resume', BED);
    await announce(SOFA);
    expect(web.runningAppId()).toBe(7);

    rig.onStreamStart = async () => {};
    expect((await announce(BED)).ok).toBe(true);
    expect(rig.desk.session?.plan.appId).toBe(7);
  });
});

describe('a quit', () => {
  test('frees the host before it is answered, also when nothing runs', async () => {
    expect(await web.cancel(deviceOf(SOFA))).toBe(true);
    await enter('launch', SOFA);
    await announce(SOFA);

    expect(await web.cancel(deviceOf(BED))).toBe(true);

    expect(web.runningAppId()).toBe(0);
    expect(rig.liveStreams).toEqual([]);
    expect(rig.screens.open.size).toBe(0);
  });

  test('ends a stream that is being started, whose device is told', async () => {
    rig.onStreamStart = (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
    await enter('launch', SOFA);
    const announcing = announce(SOFA);
    await until(() => rig.screens.open.size === 1);

    expect(await web.cancel(deviceOf(SOFA))).toBe(true);

    expect(web.runningAppId()).toBe(0);
    expect(await announcing).toMatchObject({ ok: false, status: 503 });
    expect(expected).toEqual([]);
  });

  test('voids launches that were meant for the app', async () => {
    await enter('launch', SOFA);
    await web.cancel(deviceOf(BED));
    await enter('launch', BED, 7);

    expect(launches.live(nowMs).map(({ device }) => device.fingerprint)).toEqual([BED]);
  });
});

test('only the session of the launch that plays waits for its device', async () => {
  await enter('launch', SOFA);
  await announce(SOFA);
  await enter('resume', BED);
  const later = launches.live(nowMs)[0];
  let waited = 0;
  Object.assign(rig.desk.session ?? {}, {
    expectDevice: () => {
      waited += 1;
    },
  });

  if (later) rtsp.play(later);
  expect(waited).toBe(0);
  const first = launches.live(nowMs)[1];
  if (first) rtsp.play(first);
  expect(waited).toBe(1);
  expect(expected).toEqual([first?.launchId ?? '']);
});

describe('pictures of apps', () => {
  const imageOf = (image: string): Uint8Array | null => {
    rig.apps = [{ ...GAME, image }];
    return web.boxArt(7);
  };

  test('a PNG is handed out, from the owner’s folder or by its path', () => {
    const png = drawBoxArt('Game');
    mkdirSync(join(rig.dir, 'art'));
    writeFileSync(join(rig.dir, 'art/game.png'), png);

    expect(imageOf('art/game.png')?.length).toBe(png.length);
    expect(imageOf(join(rig.dir, 'art/game.png'))?.length).toBe(png.length);
  });

  test('what is no picture, too large, missing or a folder is drawn instead', () => {
    writeFileSync(join(rig.dir, 'secret.txt'), 'not for devices');
    writeFileSync(join(rig.dir, 'huge.png'), Buffer.concat([drawBoxArt('x'), Buffer.alloc(5e6)]));

    expect(imageOf('secret.txt')).toBeNull();
    expect(imageOf('huge.png')).toBeNull();
    expect(imageOf('missing.png')).toBeNull();
    expect(imageOf('.')).toBeNull();
    expect(web.boxArt(1)).toBeNull();
  });
});
