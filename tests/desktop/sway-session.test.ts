/** Finding the running desktop from outside it. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compositorKind, findDesktops } from '../../src/desktop/session.ts';
import { type SwayDesktop, startSway, swaySkipReason } from './harness.ts';

const skipReason = swaySkipReason();
if (skipReason) console.log(`skipped: finding sway: ${skipReason}`);

describe('compositors by process name', () => {
  test.each([
    ['sway', 'sway'],
    ['gnome-shell', 'mutter'],
    ['mutter', 'mutter'],
    ['kwin_wayland', 'kwin'],
    ['kwin_wayland_wr', 'kwin'],
    ['Hyprland', 'hyprland'],
    ['gamescope-wl', 'gamescope'],
    ['labwc', 'other'],
    ['swaybg', 'other'],
  ] as const)('%s is %s', (name, kind) => {
    expect(compositorKind(name)).toBe(kind);
  });
});

describe('a runtime directory', () => {
  test('a socket that nobody serves, a lock file and a plain file are no desktop', async () => {
    const runtimeDir = mkdtempSync(join(tmpdir(), 'pfrun-'));
    await Bun.write(join(runtimeDir, 'wayland-0'), '');
    await Bun.write(join(runtimeDir, 'wayland-1.lock'), '');
    const stale = createServer();
    await new Promise<void>((resolve) => stale.listen(join(runtimeDir, 'wayland-2'), resolve));
    stale.close();

    const found = findDesktops({ XDG_RUNTIME_DIR: runtimeDir });

    expect(found.filter((desktop) => desktop.runtimeDir === runtimeDir)).toEqual([]);
    rmSync(runtimeDir, { recursive: true, force: true });
  });
});

describe.skipIf(skipReason !== null)('a running sway', () => {
  let sway: SwayDesktop;

  beforeAll(async () => {
    sway = await startSway();
  });

  afterAll(async () => {
    await sway?.stop();
  });

  test.each([
    ['its own environment', (one: SwayDesktop) => one.env],
    [
      'the runtime directory alone',
      (one: SwayDesktop) => ({ XDG_RUNTIME_DIR: one.session.runtimeDir }),
    ],
    [
      'an absolute WAYLAND_DISPLAY alone',
      (one: SwayDesktop) => ({ WAYLAND_DISPLAY: one.socketPath }),
    ],
  ])('is found with %s', (_, environmentOf) => {
    const [found] = findDesktops(environmentOf(sway));

    expect(found).toEqual({
      uid: found?.uid ?? -1,
      runtimeDir: sway.session.runtimeDir,
      waylandSocket: sway.socketPath,
      compositor: 'sway',
      processName: 'sway',
      pid: sway.process.pid,
      swaySocket: sway.ipcPath,
      busAddress: sway.session.busAddress,
    });
  });

  test('the environment is only read', () => {
    const before = { ...process.env };

    findDesktops(Object.freeze({ ...sway.env }));

    expect({ ...process.env }).toEqual(before);
  });
});
