import { describe, expect, test } from 'bun:test';
import { DisplayLeases } from '../../src/host/display-leases.ts';
import type { DisplayPlan } from '../../src/session/plan.ts';
import { ScriptedScreens, until } from './desk-rig.ts';

const plan = (width = 1280, source: DisplayPlan['source'] = 'virtual'): DisplayPlan => ({
  source,
  backend: 'wlroots',
  mode: { width, height: 720, refreshNum: 60, refreshDen: 1 },
});

function leasesOver(screens: ScriptedScreens, lingerMs = 60_000): DisplayLeases {
  return new DisplayLeases([screens], lingerMs);
}

describe('the screens of devices', () => {
  test('a device has one screen, each device its own', async () => {
    const screens = new ScriptedScreens();
    const leases = leasesOver(screens);

    const first = await leases.acquire('sofa', plan());
    expect(await leases.acquire('sofa', plan())).toBe(first);
    expect(await leases.acquire('bed', plan())).not.toBe(first);

    expect(screens.requests.map(({ identity, kind }) => [identity, kind])).toEqual([
      ['sofa', 'virtual'],
      ['bed', 'virtual'],
    ]);
    await leases.releaseAll();
    expect(screens.open.size).toBe(0);
  });

  test.each([
    ['another mode', plan(1920)],
    ['another source', plan(1280, 'mirror')],
    ['another monitor to copy', { ...plan(), outputName: 'DP-2' }],
  ])('%s replaces the screen', async (_, wanted) => {
    const screens = new ScriptedScreens();
    const leases = leasesOver(screens);
    await leases.acquire('sofa', plan());

    await leases.acquire('sofa', wanted);

    expect(screens.requests.length).toBe(2);
    expect(screens.open).toEqual(new Set(['SCREEN-2']));
  });

  test('a screen that delivers nothing is made anew although its mode still fits', async () => {
    const screens = new ScriptedScreens();
    const leases = leasesOver(screens);
    await leases.acquire('sofa', plan());

    await leases.acquire('sofa', plan(), true);

    expect(screens.open).toEqual(new Set(['SCREEN-2']));
  });

  test('the test card needs no backend and one that is missing is named', async () => {
    const leases = new DisplayLeases([]);

    const card = await leases.acquire('sofa', { ...plan(), backend: 'synthetic' });
    expect(card.outputName).toBe('test-card');
    expect(await card.readBack()).toEqual(plan().mode);
    expect((await card.openInjector()).description).toContain('test card');

    await expect(leases.acquire('bed', plan())).rejects.toThrow('display backend wlroots');
  });

  test('a refused screen leaves nothing behind and can be asked for again', async () => {
    const screens = new ScriptedScreens();
    const leases = leasesOver(screens);
    screens.onAcquire = () => Promise.reject(new Error('no room'));
    await expect(leases.acquire('sofa', plan())).rejects.toThrow('no room');

    screens.onAcquire = async () => {};
    expect((await leases.acquire('sofa', plan())).outputName).toBe('SCREEN-1');
  });
});

describe('a lingering screen', () => {
  test('waits for its device and is gone afterwards', async () => {
    const screens = new ScriptedScreens();
    const leases = leasesOver(screens, 40);
    await leases.acquire('sofa', plan());
    leases.linger('sofa');

    await Bun.sleep(20);
    expect(screens.open.size).toBe(1);
    await until(() => screens.open.size === 0);
  });

  test('is kept for good when the device comes back in time', async () => {
    const screens = new ScriptedScreens();
    const leases = leasesOver(screens, 30);
    const lease = await leases.acquire('sofa', plan());
    leases.linger('sofa');

    expect(await leases.acquire('sofa', plan())).toBe(lease);
    await Bun.sleep(60);

    expect(screens.open.size).toBe(1);
  });

  test('lingers once: a second drop does not prolong the first, a release ends it', async () => {
    const screens = new ScriptedScreens();
    const leases = leasesOver(screens, 60);
    await leases.acquire('sofa', plan());
    leases.linger('sofa');
    await Bun.sleep(40);
    leases.linger('sofa');
    await Bun.sleep(35);
    expect(screens.open.size).toBe(0);

    await leases.acquire('sofa', plan());
    leases.linger('sofa');
    await leases.release('sofa');
    expect(screens.open.size).toBe(0);
  });
});

describe('things that happen at the same time', () => {
  test('two requests of a device make one screen', async () => {
    const screens = new ScriptedScreens();
    const leases = leasesOver(screens);
    screens.onAcquire = () => Bun.sleep(5);

    const [first, second] = await Promise.all([
      leases.acquire('sofa', plan()),
      leases.acquire('sofa', plan()),
    ]);

    expect(second).toBe(first);
    expect(screens.open.size).toBe(1);
  });

  test('a release waits for the screen that is still being made', async () => {
    const screens = new ScriptedScreens();
    const leases = leasesOver(screens);
    screens.onAcquire = () => Bun.sleep(5);
    const acquiring = leases.acquire('sofa', plan());

    await leases.release('sofa');

    await acquiring;
    expect(screens.open.size).toBe(0);
  });

  test('the end of the host waits for screens that are being made or removed', async () => {
    const screens = new ScriptedScreens();
    const leases = leasesOver(screens);
    await leases.acquire('sofa', plan());
    screens.onAcquire = () => Bun.sleep(5);
    screens.onRelease = () => Bun.sleep(5);
    const acquiring = leases.acquire('bed', plan());
    void leases.release('sofa');

    await leases.releaseAll();

    await acquiring;
    expect(screens.open.size).toBe(0);
  });

  test('a screen that the compositor took away is not given out again', async () => {
    const screens = new ScriptedScreens();
    const leases = leasesOver(screens);
    await leases.acquire('sofa', plan());
    screens.lose('the compositor went away');
    await Promise.resolve();

    expect((await leases.acquire('sofa', plan())).outputName).toBe('SCREEN-2');
    expect(screens.open).toEqual(new Set(['SCREEN-2']));
  });

  test('a screen that cannot be removed raises nothing', async () => {
    const screens = new ScriptedScreens();
    const leases = leasesOver(screens, 5);
    screens.onRelease = () => Promise.reject(new Error('refused'));
    await leases.acquire('sofa', plan());
    await leases.acquire('bed', plan());
    await leases.acquire('desk', plan());

    leases.linger('bed');
    screens.lose('gone');
    await leases.release('sofa');
    await Bun.sleep(15);
    await leases.releaseAll();
  });
});
