/**
 * The main job from the program as its user starts it: pair by `ctl pin`, list, launch, stream,
 * leave, resume, quit; in every agreed form of sealing, and with devices of old.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { MoonlightDevice } from '../peers/moonlight/client.ts';
import { key, mouseButton, moveMouse, text } from '../peers/moonlight/input.ts';
import { statisticsOf } from '../peers/moonlight/statistics.ts';
import type { RunningStream } from '../peers/moonlight/stream.ts';
import { ffmpegPath, NO_FFMPEG, readCards } from './card-reader.ts';
import { HostProcess } from './host-process.ts';

let host: HostProcess;
let device: MoonlightDevice;

beforeAll(async () => {
  host = await HostProcess.start();
  device = await host.pairedDevice('living room');
});

afterAll(async () => {
  await host?.dispose();
});

/** A busy machine may change the encoder's preset, which begins with an IDR, a few times. */
const KEY_FRAMES_MAX = 4;

/** Frames without a gap, the first one an IDR, and no rule of the wire broken. */
function expectIntact(stream: RunningStream): void {
  const figures = statisticsOf(stream);
  expect(figures).toMatchObject({
    lostFrames: 0,
    firstIndex: 1,
    firstType: 2,
    unopenedDatagrams: 0,
    audioUnopened: 0,
    audioMissing: 0,
    unreadableMessages: 0,
    idrRequests: 0,
    invalidations: 0,
    lint: {},
  });
  expect(figures.lastIndex).toBe(figures.frames);
  expect(figures.shownFrames).toBe(figures.frames);
  expect(figures.keyFrames).toBeLessThanOrEqual(KEY_FRAMES_MAX);
}

describe('a device', () => {
  test('is known after pairing, over TLS alone, and told from strangers', async () => {
    const known = await device.serverInfo();
    expect(known).toMatchObject({ isPaired: true, isBusy: false, currentGame: 0 });
    expect(known.httpsPort).toBe(host.portBase - 5);
    const stranger = host.newDevice();
    expect((await stranger.serverInfo()).isPaired).toBe(false);
    const refused = await stranger.http.secure('/applist');
    expect(refused.status.code).toBe(401);
    const { data } = await host.ctl('devices');
    expect(data).toMatchObject([{ name: 'living room' }]);
  });

  test('with another PIN than the operator types is not paired, and both are told', async () => {
    const stranger = host.newDevice();
    const from = host.log.length;
    const outcome = stranger.pair({ pin: '1111' });
    await host.waitForLog(/wants to pair/, 5000, from);
    const { code, text: told } = await host.ctl('pin', '2222');
    expect(await outcome).toEqual({ kind: 'wrong-pin' });
    expect(code).toBe(1);
    expect(told).toContain('PIN');
    expect((await host.ctl('devices')).data).toHaveLength(1);
    expect((await stranger.http.secure('/applist')).status.code).toBe(401);
  });

  test('gets the list of apps and a picture of each', async () => {
    const apps = await device.apps();
    expect(apps.map((app) => app.title)).toEqual(['Desktop']);
    const art = await device.http.boxArt(apps[0]?.id ?? 0);
    expect(art.headers.get('content-type')).toBe('image/png');
    expect([...art.body.subarray(0, 4)]).toEqual([0x89, 0x50, 0x4e, 0x47]);
    expect(art.isClosedByHost).toBe(true);
  });
});

describe('a stream of 1280x720@60', () => {
  const units: Uint8Array[] = [];
  let stream: RunningStream;

  beforeAll(async () => {
    stream = await device.stream({ onPicture: (unit) => units.push(unit) });
    await stream.until((running) => running.video.frames.length >= 60, 10_000);
    // Input goes the other way without disturbing anything.
    for (const packet of [moveMouse(5, 5), mouseButton(1, true), key(0x41, true), ...text('aé€')]) {
      stream.control.sendInput(packet);
    }
    await Bun.sleep(2000);
  });

  test('is told in the state and in the list of sessions', async () => {
    expect(await device.serverInfo()).toMatchObject({ isBusy: true, currentGame: 1 });
    const [row] = await host.sessions();
    expect(row).toMatchObject({
      client_name: 'living room',
      mode: '1280x720@60',
      state: 'streaming',
    });
    await stream.stop();
  });

  test('brings every frame from an IDR with index 1 on, never faster than asked', () => {
    expectIntact(stream);
    const { framesPerSecond } = statisticsOf(stream);
    expect(framesPerSecond).toBeGreaterThan(30);
    expect(framesPerSecond).toBeLessThan(64);
  });

  test('brings sound of constant size that decodes to silence', async () => {
    const heard = await stream.hearStereo();
    expect(heard.concealedCount).toBe(0);
    expect(heard.sampleCount / 48_000).toBeGreaterThan(2);
    expect(Math.max(...heard.rms)).toBeLessThan(0.001);
  });

  test.skipIf(!ffmpegPath)(
    `shows a counter that grows with every picture${NO_FFMPEG}`,
    async () => {
      const { counters, complaints } = await readCards(units);
      expect(complaints).toBe('');
      expect(counters).toHaveLength(units.length);
      const read = counters.filter((counter) => counter !== null);
      // An IDR within one frame's budget, made in a hurry, may smear a square.
      expect(read.length / counters.length).toBeGreaterThan(0.97);
      const steps = read.slice(1).map((counter, index) => counter - (read[index] ?? 0));
      expect(Math.min(...steps)).toBeGreaterThanOrEqual(1);
      // Pictures are left out only when the machine is too slow for all of them.
      expect(steps.filter((step) => step <= 2).length / steps.length).toBeGreaterThan(0.7);
    },
  );

  test('goes on with a new key when the device resumes, and ends before quit is answered', async () => {
    expect((await device.serverInfo()).isBusy).toBe(true);
    const launch = await device.launch();
    expect(launch.kind).toBe('resume');
    await device.launch();
    const again = await device.stream({});
    expect(await again.untilFrames(30, 5000)).toBe(true);
    expect(await device.quit()).toBe(true);
    await again.ended;
    expect(again.end).toEqual({ kind: 'terminated', code: 0x80030023 });
    expectIntact(again);
    expect((await device.serverInfo()).state).toEndWith('_SERVER_FREE');
  });
});

describe('devices of every kind', () => {
  const kinds = [
    ['all sealed', { wantsSealedVideo: true, wantsSealedAudio: true }],
    ['plain RTSP, sealed sound', { knowsSealedRtsp: false, wantsSealedAudio: true }],
    ['sealed video, high audio quality', { wantsSealedVideo: true, isHighAudio: true }],
    ['control, pings and connect of old', { isControlLegacy: true, isPingLegacy: true }],
    ['old in everything', { knowsSealedRtsp: false, isControlLegacy: true, isPingLegacy: true }],
    ['small packets, no invalidation', { packetSize: 1024, wantsInvalidation: false, slices: 4 }],
    ['10 ms sound, full range BT.601', { packetDurationMs: 10, cscMode: 1 }],
  ] as const;

  for (const [name, wish] of kinds) {
    test(`stream with ${name}`, async () => {
      const stream = await device.stream({ width: 640, height: 360, ...wish });
      expect(await stream.untilFrames(40, 5000)).toBe(true);
      await stream.until((running) => running.audio.packets.size >= 40, 2000);
      await stream.stop();
      await host.untilIdle();
      expectIntact(stream);
      expect(stream.audio.packets.size).toBeGreaterThanOrEqual(40);
      const isSealed = 'wantsSealedVideo' in wish;
      expect((stream.handshake.offer.encryption & 2) !== 0).toBe(isSealed);
      expect(stream.launch.isRtspSealed).toBe(!('knowsSealedRtsp' in wish));
    });
  }

  for (const channels of [6, 8] as const) {
    test(`hear ${channels} channels in packets of one size`, async () => {
      const stream = await device.stream({ width: 640, height: 360, channels });
      expect(await stream.until((running) => running.audio.packets.size >= 60, 5000)).toBe(true);
      await stream.stop();
      expectIntact(stream);
    });
  }
});
