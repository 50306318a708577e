/** The portal's protocol against a scripted portal on a real bus: order, tokens, refusals, input. */
import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from 'bun:test';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { variant } from '../../src/desktop/dbus/index.ts';
import { toPortalDialect } from '../../src/inject/portal/dialect.ts';
import { logger } from '../../src/platform/log.ts';
import { createPortalBackend } from '../../src/vdisplay/portal/backend.ts';
import { matchOutput } from '../../src/vdisplay/portal/output.ts';
import { RestoreTokens } from '../../src/vdisplay/portal/restore-token.ts';
import { readStream, sourceOptions } from '../../src/vdisplay/portal/session.ts';
import {
  type DesktopSession,
  sessionSkipReason,
  startSession,
  waitForPath,
} from './harness-session.ts';
import { modeOf } from './mutter-rig.ts';
import { type PortalScript, portalProperties, ScriptedPortal } from './scripted-portal.ts';

setDefaultTimeout(30_000);

const skipReason = sessionSkipReason(['pipewire']);
if (skipReason) console.log(`skipped: the portal's protocol on a bus: ${skipReason}`);

const SCREEN_CAST = 'org.freedesktop.portal.ScreenCast';
const REMOTE_DESKTOP = 'org.freedesktop.portal.RemoteDesktop';
const STREAMS = variant('a(ua{sv})', [
  [
    42,
    new Map([
      ['size', variant('(ii)', [2560, 1440])],
      ['position', variant('(ii)', [0, 0])],
    ]),
  ],
]);
const STARTED = { code: 0, results: { streams: STREAMS, restore_token: variant('s', 'next') } };

describe.skipIf(skipReason !== null)('a portal session', () => {
  let session: DesktopSession;
  let stateDir: string;
  let portal: ScriptedPortal | null = null;

  beforeAll(async () => {
    session = await startSession();
    session.spawn(['pipewire']);
    stateDir = mkdtempSync(join(tmpdir(), 'pfstate-'));
    await waitForPath(join(session.runtimeDir, 'pipewire-0'));
  });
  afterEach(() => {
    portal?.stop();
    portal = null;
  });
  afterAll(async () => {
    await session?.stop();
    rmSync(stateDir, { recursive: true, force: true });
  });

  async function play(script: PortalScript, tokenFile = 'token') {
    portal = await ScriptedPortal.start(session.busAddress, script);
    const restoreTokenPath = join(stateDir, tokenFile);
    const backend = createPortalBackend({
      environment: session.env,
      restoreTokenPath,
      log: logger('test'),
    });
    const acquire = (kind: 'virtual' | 'mirror' = 'mirror') =>
      backend.acquire({ mode: modeOf('1280x720@60'), identity: 'device', kind });
    return { portal, backend, acquire, tokens: new RestoreTokens(restoreTokenPath) };
  }

  test('without input goes through ScreenCast alone, in order, and closes its session', async () => {
    const { portal, backend, acquire } = await play(
      { properties: portalProperties(4, 0, 1), answers: { Start: STARTED } },
      'screen-cast',
    );

    expect(await backend.probe()).toEqual({
      available: true,
      detail: 'portal, ScreenCast version 4, without input of its own',
    });
    const lease = await acquire();

    expect(portal.calls.map(({ interface: from, member }) => `${from}.${member}`)).toEqual([
      `${SCREEN_CAST}.CreateSession`,
      `${SCREEN_CAST}.SelectSources`,
      `${SCREEN_CAST}.Start`,
    ]);
    expect(portal.calls.map(({ signature }) => signature)).toEqual(['a{sv}', 'oa{sv}', 'osa{sv}']);
    expect(lease).toMatchObject({
      backend: 'portal',
      outputName: 'shared screen',
      mode: modeOf('2560x1440@60'),
      source: { kind: 'pipewire', nodeId: 42, runtimeDir: session.runtimeDir, fixedSize: false },
    });
    const refused = lease.openInjector();
    expect(refused).rejects.toThrow("this desktop's portal takes no input");
    await refused.catch(() => {});
    await Promise.all([lease.release(), lease.release()]);
    expect(portal.of('Close').map(({ path }) => path)).toEqual([String(portal.calls[1]?.body[0])]);
    expect(await lease.lost).toBe('screen sharing was ended');
  });

  test('keeps the restore token owner-only and uses it once at the next start', async () => {
    const script = { properties: portalProperties(4, 0, 1), answers: { Start: STARTED } };
    const first = await play(script, 'restore');
    await (await first.acquire()).release();
    expect(first.portal.option('SelectSources', 'restore_token')).toBeUndefined();
    expect(first.portal.option('SelectSources', 'persist_mode')).toBe(2);
    expect(first.tokens.read('mirror')).toBe('next');
    expect(first.tokens.read('virtual')).toBeNull();
    expect(statSync(join(stateDir, 'restore')).mode & 0o777).toBe(0o600);
    first.portal.stop();

    const second = await play(
      { ...script, answers: { Start: { code: 0, results: { streams: STREAMS } } } },
      'restore',
    );
    await (await second.acquire()).release();

    expect(second.portal.option('SelectSources', 'restore_token')).toBe('next');
    expect(second.tokens.read('mirror')).toBeNull();
  });

  test('with input selects devices first and speaks the portal dialect', async () => {
    const { portal, acquire } = await play({
      properties: portalProperties(5, 2, 7),
      answers: {
        Start: { code: 0, results: { ...STARTED.results, devices: variant('u', 7) } },
      },
    });
    const lease = await acquire('virtual');

    expect(portal.calls.map(({ interface: from, member }) => `${from}.${member}`)).toEqual([
      `${REMOTE_DESKTOP}.CreateSession`,
      `${REMOTE_DESKTOP}.SelectDevices`,
      `${SCREEN_CAST}.SelectSources`,
      `${REMOTE_DESKTOP}.Start`,
    ]);
    expect(portal.option('SelectDevices', 'persist_mode')).toBe(2);
    expect(portal.option('SelectSources', 'persist_mode')).toBeUndefined();
    expect(portal.option('SelectSources', 'types')).toBe(4);
    expect(lease.source).toMatchObject({ mode: modeOf('1280x720@60') });

    const injector = await lease.openInjector();
    expect(injector.description).toBe('portal remote desktop');
    injector.moveRelative(1, -2);
    injector.moveAbsolute(1, 0);
    injector.button('left', true);
    injector.scroll(-120, 0);
    injector.scroll(60, 0);
    injector.key(30, true);
    injector.text('a');
    injector.close();
    await lease.release();

    const session = portal.of('NotifyPointerMotion')[0]?.body[0];
    // Three calls that change nothing make the devices known.
    const calls = portal.calls.slice(4 + 3);
    expect(
      calls.map(({ member, signature, body }) => [member, signature, ...body.slice(2)]),
    ).toEqual([
      ['NotifyPointerMotion', 'oa{sv}dd', 1, -2],
      ['NotifyPointerMotionAbsolute', 'oa{sv}udd', 42, 2559, 0],
      ['NotifyPointerButton', 'oa{sv}iu', 0x110, 1],
      ['NotifyPointerAxisDiscrete', 'oa{sv}ui', 0, 1],
      ['NotifyPointerAxis', 'oa{sv}dd', 0, -5],
      ['NotifyKeyboardKeycode', 'oa{sv}iu', 30, 1],
      ['NotifyKeyboardKeysym', 'oa{sv}iu', 0x61, 1],
      ['NotifyKeyboardKeysym', 'oa{sv}iu', 0x61, 0],
      ['NotifyKeyboardKeycode', 'oa{sv}iu', 30, 0],
      ['NotifyPointerButton', 'oa{sv}iu', 0x110, 0],
      ['Close', ''],
    ]);
    expect(calls.slice(0, -1).every(({ body }) => body[0] === session)).toBe(true);
  });

  test('hears a response that comes before the call returned', async () => {
    const { acquire } = await play({
      properties: portalProperties(4, 0, 1),
      answers: { Start: STARTED },
      answersEarly: true,
    });

    await (await acquire()).release();
  });

  test('follows a portal that chooses its own request paths', async () => {
    const { acquire } = await play({
      properties: portalProperties(1, 0, 1),
      answers: { Start: STARTED },
      choosesPaths: true,
    });

    await (await acquire()).release();
  });

  test.each([
    [1, "the desktop's user refused to share the screen (Start)"],
    [2, "the desktop's portal could not share the screen (Start ended with code 2)"],
  ])('a start that ends with code %d says why', async (code, text) => {
    const { acquire } = await play({
      properties: portalProperties(4, 0, 1),
      answers: { Start: { code } },
    });

    const acquired = acquire();

    expect(acquired).rejects.toThrow(text);
    await acquired.catch(() => {});
  });

  test('a start without streams, or with nonsense for streams, shared nothing', async () => {
    const { acquire } = await play({
      properties: portalProperties(4, 0, 1),
      answers: { Start: { code: 0, results: { streams: variant('s', 'none') } } },
    });

    const acquired = acquire();

    expect(acquired).rejects.toThrow("the desktop's portal shared nothing");
    await acquired.catch(() => {});
  });

  test('a session that the portal closes is lost, and so is a portal that leaves', async () => {
    const script = { properties: portalProperties(4, 0, 1), answers: { Start: STARTED } };
    const first = await play(script);
    const lease = await first.acquire();
    const path = String(first.portal.of('SelectSources')[0]?.body[0]);

    first.portal.emit(path, 'org.freedesktop.portal.Session', 'Closed');
    expect(await lease.lost).toBe('the desktop ended screen sharing');
    const second = await first.acquire();
    first.portal.stop();

    expect(await second.lost).toBe('the desktop portal left the session bus');
    await second.release();
  });

  test('a portal without ScreenCast, and a bus without a portal, are missing with a remedy', async () => {
    const { backend, portal } = await play({ properties: {}, answers: {} });
    expect(await backend.probe()).toMatchObject({
      available: false,
      missing: "the desktop's portal cannot share screens",
    });

    portal.stop();

    expect(await backend.probe()).toMatchObject({
      available: false,
      missing: 'no xdg-desktop-portal runs',
      remedy: 'install and start xdg-desktop-portal',
    });
  });
});

describe('what the portal is asked and tells', () => {
  test('a virtual screen is asked for only where the portal makes one', () => {
    const types = (sourceTypes: number, wantsVirtual: boolean) =>
      sourceOptions({ sourceTypes, cursorModes: 3 }, wantsVirtual)['types']?.value;

    expect([types(1, true), types(7, true), types(7, false)]).toEqual([1, 4, 1]);
    expect(sourceOptions({ sourceTypes: 1, cursorModes: 1 }, false)['cursor_mode']).toBeUndefined();
  });

  test('a stream without size or place is still a stream', () => {
    const streams = (value: unknown) =>
      new Map([['streams', variant('a(ua{sv})', value as never)]]);

    expect(readStream(streams([[7, new Map()]]))).toEqual({
      nodeId: 7,
      size: null,
      position: null,
    });
    expect(readStream(streams([['seven', new Map()]]))).toBeNull();
    expect(readStream(streams([[7, new Map([['size', variant('(ii)', [0, -1])]])]]))).toEqual({
      nodeId: 7,
      size: null,
      position: null,
    });
    expect(readStream(new Map())).toBeNull();
  });

  test('a stream is matched to an output by place and size, never by guess', () => {
    const output = (name: string, x: number, width: number, scale: number) => ({
      name,
      width: width * scale,
      height: 720 * scale,
      refreshMilliHz: 60_000,
      logicalX: x,
      logicalY: 0,
      logicalWidth: width,
      logicalHeight: 720,
    });
    const outputs = [
      output('A', 0, 1280, 1),
      output('B', 1280, 1280, 1),
      output('C', 2560, 960, 2),
    ];
    const nameAt = (size: [number, number] | null, x: number | null) =>
      matchOutput(outputs, {
        size: size && { width: size[0], height: size[1] },
        position: x === null ? null : { x, y: 0 },
      })?.name ?? null;

    expect(nameAt([1280, 720], 1280)).toBe('B');
    expect(nameAt([1280, 720], null)).toBeNull();
    expect(nameAt([960, 720], null)).toBe('C');
    expect(nameAt([1920, 1440], null)).toBe('C');
    expect(nameAt([640, 480], 0)).toBeNull();
    expect(nameAt(null, 2560)).toBe('C');
    expect(nameAt(null, null)).toBeNull();
  });

  test('a damaged token file counts as none and is replaced', () => {
    const directory = mkdtempSync(join(tmpdir(), 'pfstate-'));
    const path = join(directory, 'token');
    const tokens = new RestoreTokens(path);
    for (const damaged of ['', '{', '[]', '{"tokens":7}', `{"tokens":{"mirror":[]}}`]) {
      writeFileSync(path, damaged);
      expect(tokens.read('mirror')).toBeNull();
    }
    tokens.write('mirror', 'x'.repeat(257));
    expect(tokens.read('mirror')).toBeNull();
    tokens.write('mirror', 'x'.repeat(256));
    expect(tokens.read('mirror')).toBe('x'.repeat(256));
    tokens.write('mirror', null);
    expect(tokens.read('mirror')).toBeNull();
    rmSync(directory, { recursive: true });
  });

  test('touches carry the node of their stream', () => {
    expect(toPortalDialect('NotifyTouchDown', ['/stream', 3, 1.5, 2], 42)).toEqual({
      member: 'NotifyTouchDown',
      signature: 'uudd',
      body: [42, 3, 1.5, 2],
    });
    expect(() => toPortalDialect('NotifyPen', [], 42)).toThrow('no portal method for NotifyPen');
  });
});
