/**
 * Apps of `apps.json` on a streamed screen: the device sends an id, the host prepares, opens the
 * window on that screen, and undoes what it prepared when the device quits or the app ends.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LaunchRefused } from '../peers/moonlight/client.ts';
import { waitUntil } from './harness-session.ts';
import { type StreamDesktop, startDesktop, streamSkipReason } from './stream-desktop.ts';
import { StreamHost } from './stream-host.ts';
import { Recording } from './stream-recording.ts';

const MODE = { width: 1280, height: 720, fps: 60 };
const WINDOW_TITLE = 'streamed terminal';
/** Writes what the app sees of its stream, then stays open. */
const SAY = 'echo "$PF_DISPLAY_NAME $PF_STREAM_MODE $PF_CLIENT_NAME" > $HOME/seen; exec sleep 600';

const APPS = [
  {
    title: 'Terminal',
    command: ['foot', '--title', WINDOW_TITLE, 'sh', '-c', SAY],
    prep: [
      { do: 'echo first >> $HOME/prepared', undo: 'echo first >> $HOME/undone' },
      { do: ['sh', '-c', 'echo second >> $HOME/prepared'], undo: 'echo second >> $HOME/undone' },
    ],
  },
  { title: 'Broken', command: 'true', prep: [{ do: 'false', onFail: 'abort' }] },
];

const skipReason = streamSkipReason('sway', ['foot']);
if (skipReason) console.log(`skipped: apps on a streamed screen: ${skipReason}`);

interface TreeNode {
  readonly name: string | null;
  readonly type: string;
  readonly nodes: readonly TreeNode[];
}

/** Output of the window with this title, or null. */
function outputOfWindow(node: TreeNode, title: string, output: string | null): string | null {
  const here = node.type === 'output' ? node.name : output;
  if (node.name === title && node.type === 'con') return here;
  for (const child of node.nodes) {
    const found = outputOfWindow(child, title, here);
    if (found !== null) return found;
  }
  return null;
}

describe.skipIf(skipReason !== null)('apps on a streamed screen', () => {
  let desktop: StreamDesktop;
  let host: StreamHost;

  const written = (name: string): string => {
    const path = join(desktop.session.homeDir, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  };
  const windowPlace = async (): Promise<string | null> => {
    const tree = await desktop.session.run(['swaymsg', '-r', '-t', 'get_tree'], {
      env: desktop.env,
    });
    return outputOfWindow(JSON.parse(tree) as TreeNode, WINDOW_TITLE, null);
  };
  const appId = async (title: string): Promise<number> => {
    await host.pairDevice();
    return (await host.device.apps()).find((app) => app.title === title)?.id ?? -1;
  };

  beforeAll(async () => {
    desktop = await startDesktop('sway');
    host = await StreamHost.start(desktop.session, {
      env: desktop.env,
      apps: JSON.stringify(APPS),
    });
  }, 30_000);

  afterAll(async () => {
    await host?.stop();
    await desktop?.stop();
  });

  test('an app is prepared, shows its window on the device`s screen, knows its stream, and is undone backwards', async () => {
    const recording = await Recording.start(desktop, host, MODE, {
      appId: await appId('Terminal'),
    });
    await waitUntil(async () => (await windowPlace()) !== null, `the window: ${host.log()}`, 50);
    await waitUntil(() => written('seen') !== '', 'the app wrote what it knows', 50);

    expect(await windowPlace()).toBe(recording.output);
    expect(recording.row.app?.title).toBe('Terminal');
    expect(written('seen')).toMatch(new RegExp(`^${recording.output} 1280x720@60 .+`));
    expect(written('prepared')).toBe('first\nsecond\n');
    expect(written('undone')).toBe('');

    expect(await host.device.quit()).toBe(true);
    recording.close();
    expect(await windowPlace()).toBeNull();
    expect(written('undone')).toBe('second\nfirst\n');
    expect(host.journal()).toEqual([]);
  }, 30_000);

  test('a device that left finds its window again when it resumes', async () => {
    const id = await appId('Terminal');
    const first = await Recording.start(desktop, host, MODE, { appId: id });
    await waitUntil(async () => (await windowPlace()) !== null, 'the window', 50);
    await first.stream.stop();
    first.close();
    expect((await host.device.serverInfo()).currentGame).toBe(id);

    const second = await Recording.start(desktop, host, MODE);
    expect(await windowPlace()).toBe(second.output);
    expect(second.output).toBe(first.output);
    expect(await host.device.quit()).toBe(true);
    second.close();
  }, 30_000);

  test('undo steps run at the next start when the host was killed', async () => {
    const recording = await Recording.start(desktop, host, MODE, {
      appId: await appId('Terminal'),
    });
    await waitUntil(async () => (await windowPlace()) !== null, 'the window', 50);
    const before = written('undone');
    await host.crash();
    recording.close();
    expect(written('undone')).toBe(before);

    await host.restart();

    expect(written('undone').slice(before.length)).toBe('second\nfirst\n');
    expect(host.journal()).toEqual([]);
  }, 30_000);

  test('an app whose preparation fails is refused, and the host is free', async () => {
    const launch = Recording.start(desktop, host, MODE, { appId: await appId('Broken') });

    await expect(launch).rejects.toThrow();
    await waitUntil(
      async () => (await host.device.serverInfo()).currentGame === 0,
      'the host is free',
      100,
    );
  }, 30_000);

  test('an app that is not on the list is refused with 404', async () => {
    const launch = host.device.launch({ appId: 424_242 });

    await expect(launch).rejects.toThrow(LaunchRefused);
    await expect(launch).rejects.toMatchObject({ code: 404 });
  });
});
