/** A host that is killed in the middle of a stream leaves nothing behind once it was started again. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { waitUntil } from './harness-session.ts';
import { type StreamDesktop, startDesktop, streamSkipReason } from './stream-desktop.ts';
import { StreamHost } from './stream-host.ts';
import { Recording } from './stream-recording.ts';
import { chooseSink, chosenSink, playingSink } from './stream-sound.ts';

const USERS_SINK = 'users-speakers';
const MODE = { width: 1280, height: 720, fps: 60 };

for (const kind of ['sway', 'mutter'] as const) {
  const skipReason = streamSkipReason(kind, ['pw-metadata']);
  if (skipReason) console.log(`skipped: a killed host on ${kind}: ${skipReason}`);

  describe.skipIf(skipReason !== null)(`a host killed on ${kind}`, () => {
    let desktop: StreamDesktop;
    let host: StreamHost;

    beforeAll(async () => {
      desktop = await startDesktop(kind);
      await chooseSink(desktop.session, USERS_SINK);
      host = await StreamHost.start(desktop.session, { env: desktop.env });
    }, 30_000);

    afterAll(async () => {
      await host?.stop();
      await desktop?.stop();
    });

    test('the screen and the default sound output are back after the next start, and it streams', async () => {
      const before = await desktop.outputs();
      const first = await Recording.start(desktop, host, MODE);
      await first.more(30);
      expect((await desktop.outputs()).get(first.output)).toBe('1280x720@60');
      expect(await chosenSink(desktop.session)).not.toBe(USERS_SINK);
      expect(host.journal().length).toBeGreaterThan(0);

      await host.crash();
      first.close();
      await host.restart();

      expect(await desktop.outputs()).toEqual(before);
      expect(await chosenSink(desktop.session)).toBe(USERS_SINK);
      expect(host.journal()).toEqual([]);
      await waitUntil(
        async () => (await playingSink(desktop.session)) === USERS_SINK,
        'the user`s sound output plays again',
        50,
      );
      expect((await host.device.serverInfo()).currentGame).toBe(0);
      // The device is still paired and streams as before.
      const second = await Recording.start(desktop, host, MODE);
      await second.more(30);
      expect(await host.device.quit()).toBe(true);
      second.close();
      expect(await desktop.outputs()).toEqual(before);
    }, 40_000);

    test('a host that is asked to end puts everything back and ends with 0', async () => {
      const before = await desktop.outputs();
      const recording = await Recording.start(desktop, host, MODE);
      await recording.more(10);

      const code = await host.stop();

      expect(code).toBe(0);
      expect(await recording.stream.ended).toMatchObject({ kind: 'terminated' });
      recording.close();
      expect(await desktop.outputs()).toEqual(before);
      expect(await chosenSink(desktop.session)).toBe(USERS_SINK);
      expect(host.journal()).toEqual([]);
    }, 30_000);
  });
}
