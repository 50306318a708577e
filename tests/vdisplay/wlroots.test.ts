/** Screens on a real sway: exact modes, read back, given back at the end and after a crash. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { RestoreJournal } from '../../src/platform/journal.ts';
import { logger } from '../../src/platform/log.ts';
import { type DisplayMode, formatMode, parseMode } from '../../src/session/mode.ts';
import type { VirtualDisplayBackend } from '../../src/vdisplay/port.ts';
import { createWlrootsBackend, wlrootsUndoHandlers } from '../../src/vdisplay/wlroots/backend.ts';
import { decodeSwayHeader, encodeSwayMessage } from '../../src/vdisplay/wlroots/sway-frame.ts';
import { listSwayOutputs, runSwayCommand } from '../../src/vdisplay/wlroots/sway-ipc.ts';
import { swayModeText } from '../../src/vdisplay/wlroots/sway-output.ts';
import {
  missingPrograms,
  type SwayDesktop,
  startSway,
  swaySkipReason,
} from '../desktop/harness.ts';
import { seededRandom } from '../support/random.ts';

const skipReason = swaySkipReason();
if (skipReason) console.log(`skipped: screens on sway: ${skipReason}`);
const footReason = skipReason ?? missingPrograms(['foot']);

function modeFrom(text: string): DisplayMode {
  const mode = parseMode(text);
  if (!mode) throw new Error(`not a mode: ${text}`);
  return mode;
}

describe('sway`s IPC', () => {
  test('a command is framed as the i3 protocol prescribes', () => {
    expect(new TextDecoder().decode(encodeSwayMessage(0, 'exit'))).toBe(
      'i3-ipc\u0004\u0000\u0000\u0000\u0000\u0000\u0000\u0000exit',
    );
  });

  test('a header is read once it is whole; other protocols and huge sizes are refused', () => {
    const message = encodeSwayMessage(3, '{}');

    expect(decodeSwayHeader(message.subarray(0, 13))).toBeNull();
    expect(decodeSwayHeader(message)).toEqual({ payloadBytes: 2, type: 3 });
    expect(decodeSwayHeader(new TextEncoder().encode('HTTP/1.1'))).toBeString();
    message.fill(255, 6, 10);
    expect(decodeSwayHeader(message)).toContain('4294967295 bytes');
  });

  test('100 000 random headers are read or refused', () => {
    const random = seededRandom('sway header');
    for (let round = 0; round < 100_000; round += 1) {
      const bytes = random.bytes(round % 40);
      if (round % 2 === 0)
        bytes.set(encodeSwayMessage(0, '').subarray(0, Math.min(6, bytes.length)));
      const header = decodeSwayHeader(bytes);
      if (header && typeof header === 'object') expect(bytes.length).toBeGreaterThanOrEqual(14);
    }
  });

  test.each([
    ['1280x720@60', '1280x720@60Hz'],
    ['1281x721@59.94', '1281x721@59.94Hz'],
    ['2560x1440@143.981', '2560x1440@143.981Hz'],
  ])('%s is %s in its words', (mode, text) => {
    expect(swayModeText(modeFrom(mode))).toBe(text);
  });
});

describe.skipIf(skipReason !== null)('a screen on sway', () => {
  let sway: SwayDesktop;
  let journal: RestoreJournal;
  let backend: VirtualDisplayBackend;

  beforeAll(async () => {
    sway = await startSway();
    journal = new RestoreJournal(join(sway.session.runtimeDir, 'journal.json'));
    backend = createWlrootsBackend({ environment: sway.env, journal, log: logger('test') });
  });

  afterAll(async () => {
    await sway?.stop();
  });

  /** Outputs that take part in the desktop: parked ones lie off its corner, 64 pixels wide. */
  async function desktopOutputs(): Promise<string[]> {
    const outputs = await listSwayOutputs(sway.ipcPath);
    return outputs
      .filter(({ isActive, mode }) => isActive && mode?.width !== 64)
      .map((o) => o.name);
  }

  test('the probe names the compositor and its socket, and changes nothing', async () => {
    const before = await sway.message('-t', 'get_outputs');

    const found = await backend.probe();

    expect(found).toEqual({ available: true, detail: `sway at ${sway.socketPath}` });
    expect(await sway.message('-t', 'get_outputs')).toEqual(before);
  });

  test('a host that was started outside finds the socket in the runtime directory', async () => {
    const outside = createWlrootsBackend({
      environment: { XDG_RUNTIME_DIR: sway.session.runtimeDir },
      journal,
      log: logger('test'),
    });

    expect((await outside.probe()).available).toBe(true);
  });

  test.each([
    '1280x720@60',
    '1922x1082@60',
    '1281x721@59.94',
    '3840x2160@120',
    '2560x1440@143.981',
  ])('%s is set exactly, right of the others, and given back', async (text) => {
    const lease = await backend.acquire({
      mode: modeFrom(text),
      identity: 'device',
      kind: 'virtual',
    });
    const outputs = await listSwayOutputs(sway.ipcPath);
    const ours = outputs.find(({ name }) => name === lease.outputName);
    const left = outputs.find(({ name }) => name === 'HEADLESS-1');

    expect(formatMode(lease.mode)).toBe(text);
    expect(formatMode(await lease.readBack())).toBe(text);
    expect(ours?.mode).toEqual({
      width: lease.mode.width,
      height: lease.mode.height,
      refreshMilliHz: Math.round((lease.mode.refreshNum * 1000) / lease.mode.refreshDen),
    });
    expect([ours?.x, ours?.y]).toEqual([(left?.x ?? 0) + (left?.width ?? 0), 0]);
    expect(ours?.isFocused).toBe(true);
    expect(journal.pending().map((entry) => entry.step.kind)).toEqual(['sway-output']);

    await lease.release();
    await lease.release();

    expect(await desktopOutputs()).toEqual(['HEADLESS-1']);
    expect(journal.pending()).toEqual([]);
  });

  test('two devices get two screens side by side', async () => {
    const request = { identity: 'device', kind: 'virtual' } as const;
    const [first, second] = await Promise.all([
      backend.acquire({ ...request, mode: modeFrom('1280x720@60') }),
      backend.acquire({ ...request, mode: modeFrom('800x600@30') }),
    ]);
    const outputs = await listSwayOutputs(sway.ipcPath);
    const places = [first, second].map(
      (lease) => outputs.find(({ name }) => name === lease.outputName)?.x ?? 0,
    );

    expect(first.outputName).not.toBe(second.outputName);
    expect(places).toEqual([1280, 2560]);
    await Promise.all([first.release(), second.release()]);
    expect(await desktopOutputs()).toEqual(['HEADLESS-1']);
  });

  test.skipIf(footReason !== null)(
    'a window on it moves to the remaining screen when it ends',
    async () => {
      const lease = await backend.acquire({
        mode: modeFrom('1280x720@60'),
        identity: 'device',
        kind: 'virtual',
      });
      const foot = sway.spawn(['foot', '-a', 'kept-window']);
      const outputOfWindow = async () => {
        const tree = (await sway.message('-t', 'get_tree')) as TreeNode;
        const output = tree.nodes.find((node) => JSON.stringify(node).includes('"kept-window"'));
        return output?.name ?? null;
      };
      while ((await outputOfWindow()) === null) await Bun.sleep(20);
      const during = await outputOfWindow();

      await lease.release();

      expect([during, await outputOfWindow()]).toEqual([lease.outputName, 'HEADLESS-1']);
      await foot.stop();
    },
  );

  test('mirroring takes the focused output as it is and leaves it so', async () => {
    const lease = await backend.acquire({
      mode: modeFrom('1920x1080@60'),
      identity: 'device',
      kind: 'mirror',
    });

    expect([lease.outputName, formatMode(lease.mode)]).toEqual(['HEADLESS-1', '1280x720@60']);
    expect(journal.pending()).toEqual([]);
    await lease.release();
    expect(await desktopOutputs()).toEqual(['HEADLESS-1']);
  });

  test('mirroring an output that is not there names those that are', async () => {
    const attempt = backend.acquire({
      mode: modeFrom('1920x1080@60'),
      identity: 'device',
      kind: 'mirror',
      outputName: 'DP-3',
    });

    await expect(attempt).rejects.toThrow(/no output DP-3; the outputs are: .*HEADLESS-1/);
  });

  test('a host killed with its screen open leaves a journal that gives the screen back', async () => {
    const path = join(sway.session.runtimeDir, 'killed.json');
    const host = sway.session.spawnOutside(
      [process.execPath, join(import.meta.dir, 'wlroots-host.ts'), path, '1600x900@60'],
      { env: sway.env },
    );
    const [, name = ''] = await host.waitFor(/taken (\S+)/);
    const during = await desktopOutputs();
    host.kill('SIGKILL');
    await host.exited;

    const left = new RestoreJournal(path);
    const result = await left.undoAll(wlrootsUndoHandlers());

    expect(during).toEqual(['HEADLESS-1', name]);
    expect(result).toEqual({ undone: 1, failed: [] });
    expect(await desktopOutputs()).toEqual(['HEADLESS-1']);
    expect((await left.undoAll(wlrootsUndoHandlers())).undone).toBe(0);
  });

  test('a crash between creating the output and learning its name is undone as well', async () => {
    const path = join(sway.session.runtimeDir, 'early.json');
    const early = new RestoreJournal(path);
    // The journal as it stands at that moment: the outputs that were there before.
    const known = (await listSwayOutputs(sway.ipcPath)).map(({ name }) => name).join(' ');
    const lease = await backend.acquire({
      mode: modeFrom('1280x720@60'),
      identity: 'device',
      kind: 'virtual',
    });
    const detail = { ...(journal.pending()[0]?.step.detail ?? {}) };
    delete detail['name'];
    early.record({ kind: 'sway-output', detail: { ...detail, known } });
    await lease.release();
    expect(await runSwayCommand(sway.ipcPath, 'create_output')).toBeNull();
    expect((await desktopOutputs()).length).toBe(2);

    await new RestoreJournal(path).undoAll(wlrootsUndoHandlers());

    expect(await desktopOutputs()).toEqual(['HEADLESS-1']);
  });

  test('a journal of a sway that ended is simply struck out', async () => {
    const path = join(sway.session.runtimeDir, 'other.json');
    const other = new RestoreJournal(path);
    const detail = { socket: '/nonexistent/sway.sock', instance: '1-2', name: 'HEADLESS-1' };
    other.record({ kind: 'sway-output', detail });
    other.record({ kind: 'sway-output', detail: { ...detail, socket: sway.ipcPath } });

    const result = await other.undoAll(wlrootsUndoHandlers());

    expect(result).toEqual({ undone: 2, failed: [] });
    expect(await desktopOutputs()).toEqual(['HEADLESS-1']);
  });

  test('a screen that the user unplugs or a compositor that dies is reported within a second', async () => {
    const doomed = await startSway();
    const lost = createWlrootsBackend({
      environment: doomed.env,
      journal: new RestoreJournal(join(sway.session.runtimeDir, 'doomed.json')),
      log: logger('test'),
    });
    const lease = await lost.acquire({
      mode: modeFrom('1280x720@60'),
      identity: 'device',
      kind: 'virtual',
    });
    const started = performance.now();
    doomed.process.kill('SIGKILL');

    const cause = await lease.lost;

    expect(performance.now() - started).toBeLessThan(1000);
    expect(cause).toContain('the compositor is gone');
    await lease.release();
    await doomed.stop();
  });

  test('without a desktop the probe says what is missing and what to do', async () => {
    const empty = join(sway.session.runtimeDir, 'empty');
    const nowhere = createWlrootsBackend({
      environment: { XDG_RUNTIME_DIR: empty },
      journal,
      log: logger('test'),
    });
    const found = await nowhere.probe();

    // A desktop of the user who runs the tests may be found in /run/user.
    if (!found.available) {
      expect(found.missing).toMatch(/no Wayland compositor answers|no screen copy protocol/);
      expect(found.remedy).not.toBe('');
    }
    rmSync(empty, { recursive: true, force: true });
  });
});

interface TreeNode {
  readonly name: string | null;
  readonly nodes: readonly TreeNode[];
}
