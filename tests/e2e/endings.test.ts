/** How a stream ends: the device dies, is replaced, refused or revoked, the host stops or crashes. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { LaunchRefused, type MoonlightDevice } from '../peers/moonlight/client.ts';
import { isGraceful } from '../peers/moonlight/stream.ts';
import { HostProcess, waitUntil } from './host-process.ts';

const SMALL = { width: 640, height: 360, fps: 60 } as const;
const FIRST_FRAMES_MS = 5000;
/** A device that is silent this long is gone; the rest is for a busy machine. */
const SILENCE_MS = 10_000;
const GRACE_MS = 3000;

describe('a running host', () => {
  let host: HostProcess;
  let device: MoonlightDevice;
  let other: MoonlightDevice;

  beforeAll(async () => {
    host = await HostProcess.start();
    device = await host.pairedDevice('first');
    other = await host.pairedDevice('second');
  });

  afterAll(async () => {
    await host?.dispose();
  });

  test('notices a device that falls silent within 10 s, keeps its app, and lets it resume', async () => {
    const stream = await device.stream(SMALL);
    expect(await stream.untilFrames(10, FIRST_FRAMES_MS)).toBe(true);
    const from = host.log.length;
    const diedAtMs = performance.now();
    stream.vanish();
    await host.waitForLog(/session ended/, SILENCE_MS + GRACE_MS, from);
    expect(performance.now() - diedAtMs).toBeGreaterThan(5000);
    expect(await host.sessions()).toEqual([]);
    expect((await device.serverInfo()).isBusy).toBe(true);
    const again = await device.stream(SMALL);
    expect(again.launch.kind).toBe('resume');
    expect(await again.untilFrames(10, FIRST_FRAMES_MS)).toBe(true);
    expect(again.video.frames[0]).toMatchObject({ index: 1, type: 2, isKey: true });
    await again.stop();
  });

  test('goes on after a drop that is shorter than that, with the same device on a new stream', async () => {
    const stream = await device.stream(SMALL);
    expect(await stream.untilFrames(10, FIRST_FRAMES_MS)).toBe(true);
    stream.vanish();
    const again = await device.stream(SMALL);
    expect(await again.untilFrames(20, FIRST_FRAMES_MS)).toBe(true);
    expect(again.end).toBeNull();
    expect(await host.sessions()).toHaveLength(1);
    await again.stop();
  });

  test('lets a second device replace the first, which is told so', async () => {
    const stream = await device.stream(SMALL);
    expect(await stream.untilFrames(10, FIRST_FRAMES_MS)).toBe(true);
    const newer = await other.stream(SMALL);
    expect(await newer.untilFrames(10, FIRST_FRAMES_MS)).toBe(true);
    expect(isGraceful(await stream.ended)).toBe(true);
    expect((await host.sessions()).map((row) => row.client_name)).toEqual(['second']);
    await newer.stop();
    expect(await other.quit()).toBe(true);
  });

  test('takes the running stream from a revoked device within a second', async () => {
    const stream = await other.stream(SMALL);
    expect(await stream.untilFrames(10, FIRST_FRAMES_MS)).toBe(true);
    const [row] = await host.sessions();
    const revokedAtMs = performance.now();
    const { code } = await host.ctl('unpair', row?.fingerprint ?? '');
    expect(code).toBe(0);
    await stream.ended;
    expect(performance.now() - revokedAtMs).toBeLessThan(1500);
    const lastAtMs = stream.video.frames.at(-1)?.receivedAtMs ?? 0;
    expect(lastAtMs - revokedAtMs).toBeLessThan(1000);
    expect((await other.serverInfo()).isPaired).toBe(false);
    const refused = await other.http.secure('/applist');
    expect(refused.status.code).toBe(401);
    expect((await device.serverInfo()).isPaired).toBe(true);
  });

  test('tells its device when it is stopped, and ends with 0', async () => {
    const stream = await device.stream(SMALL);
    expect(await stream.untilFrames(10, FIRST_FRAMES_MS)).toBe(true);
    const exited = host.terminate();
    expect(await stream.ended).toEqual({ kind: 'terminated', code: 0x80030023 });
    expect(await exited).toBe(0);
    expect(host.log).not.toContain('Error:');
  });
});

describe('a host that refuses second devices', () => {
  let host: HostProcess;

  beforeAll(async () => {
    host = await HostProcess.start({ flags: ['--second-client', 'refuse'] });
  });

  afterAll(async () => {
    await host?.dispose();
  });

  test('keeps the first streaming and gives the second a reason', async () => {
    const device = await host.pairedDevice('first');
    const other = await host.pairedDevice('second');
    const stream = await device.stream(SMALL);
    expect(await stream.untilFrames(10, FIRST_FRAMES_MS)).toBe(true);
    const refusal = await other.launch(SMALL).then(
      () => null,
      (error: unknown) => error,
    );
    expect(refusal).toBeInstanceOf(LaunchRefused);
    expect((refusal as LaunchRefused).code).toBe(503);
    const seen = stream.video.frames.length;
    expect(await stream.untilFrames(seen + 20, FIRST_FRAMES_MS)).toBe(true);
    await stream.stop();
    expect(await device.quit()).toBe(true);
    const now = await other.stream(SMALL);
    expect(await now.untilFrames(5, FIRST_FRAMES_MS)).toBe(true);
    await now.stop();
  });
});

describe('a host that is killed', () => {
  let host: HostProcess;
  const marks = { first: '', second: '' };

  beforeAll(async () => {
    const app = {
      id: 77,
      title: 'Marker',
      command: 'sleep 60',
      prep: [
        { do: 'touch "$HOME/first"', undo: 'rm "$HOME/first"' },
        { do: 'touch "$HOME/second"', undo: 'test -e "$HOME/first" && rm "$HOME/second"' },
      ],
    };
    host = await HostProcess.start({ apps: JSON.stringify([app]) });
    marks.first = join(host.folder, 'first');
    marks.second = join(host.folder, 'second');
  });

  afterAll(async () => {
    await host?.dispose();
  });

  test('puts back at its next start what it changed, last change first, and knows its devices', async () => {
    const device = await host.pairedDevice();
    const before = await device.serverInfo();
    const stream = await device.stream({ ...SMALL, appId: 77 });
    expect(await stream.untilFrames(10, FIRST_FRAMES_MS)).toBe(true);
    expect([marks.first, marks.second].every((path) => existsSync(path))).toBe(true);
    expect(host.journal().length).toBeGreaterThan(0);

    await host.crash();
    expect(existsSync(marks.second)).toBe(true);
    stream.vanish();
    await host.launch();
    await waitUntil(() => !existsSync(marks.first), 'the undo commands ran', 5000);
    expect(existsSync(marks.second)).toBe(false);
    expect(host.journal()).toEqual([]);
    const after = await device.serverInfo();
    expect(after).toMatchObject({ isPaired: true, isBusy: false, uniqueId: before.uniqueId });
    const again = await device.stream(SMALL);
    expect(await again.untilFrames(10, FIRST_FRAMES_MS)).toBe(true);
    await again.stop();
    expect(await device.quit()).toBe(true);
  });
});
