/** Apps on GNOME: the screen exists only once it shows pictures, and the app is started on it. */
import { expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitUntil } from './harness-session.ts';
import { startDesktop, streamSkipReason } from './stream-desktop.ts';
import { StreamHost } from './stream-host.ts';
import { Recording } from './stream-recording.ts';

const skipReason = streamSkipReason('mutter', []);
if (skipReason) console.log(`skipped: apps on GNOME: ${skipReason}`);

const SAY = 'echo "$PF_DISPLAY_NAME $PF_STREAM_MODE" > $HOME/seen; exec sleep 600';

test.skipIf(skipReason !== null)(
  'an app on GNOME knows the monitor that was made for its device',
  async () => {
    const desktop = await startDesktop('mutter');
    try {
      const apps = JSON.stringify([{ title: 'App', command: ['sh', '-c', SAY] }]);
      const host = await StreamHost.start(desktop.session, { env: desktop.env, apps });
      await host.pairDevice();
      const appId = (await host.device.apps()).find(({ title }) => title === 'App')?.id ?? -1;
      const mode = { width: 1280, height: 720, fps: 60 };
      const recording = await Recording.start(desktop, host, mode, { appId });
      const seen = join(desktop.session.homeDir, 'seen');
      await waitUntil(
        () => existsSync(seen) && readFileSync(seen, 'utf8') !== '',
        'the app ran',
        50,
      );

      expect(recording.output).toMatch(/^Meta-/);
      expect(readFileSync(seen, 'utf8')).toBe(`${recording.output} 1280x720@60\n`);

      await host.device.quit();
      recording.close();
      await host.stop();
    } finally {
      await desktop.stop();
    }
  },
  60_000,
);
