/**
 * Modes through wlr-output-management, as on compositors without an IPC of their own. Shown on
 * sway, which speaks that protocol too.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { RestoreJournal } from '../../src/platform/journal.ts';
import { type DisplayMode, parseMode } from '../../src/session/mode.ts';
import { borrowHeadlessOutput, undoHeadMode } from '../../src/vdisplay/wlroots/head-output.ts';
import { HeadManager } from '../../src/vdisplay/wlroots/heads.ts';
import { listSwayOutputs } from '../../src/vdisplay/wlroots/sway-ipc.ts';
import { type SwayDesktop, startSway, swaySkipReason } from '../desktop/harness.ts';

/** sway 1.7 tells this protocol that its headless outputs are disabled and refuses to set them. */
function oldSway(): string | null {
  const version = Bun.spawnSync(['sway', '--version']).stdout.toString();
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(version) ?? [];
  const isOld = Number(major) === 1 && Number(minor) < 8;
  return isOld ? `${version.trim()} does not manage headless outputs this way` : null;
}

const skipReason = swaySkipReason() ?? oldSway();
if (skipReason) console.log(`skipped: output management: ${skipReason}`);

function modeFrom(text: string): DisplayMode {
  const mode = parseMode(text);
  if (!mode) throw new Error(`not a mode: ${text}`);
  return mode;
}

describe.skipIf(skipReason !== null)('an output lent by its compositor', () => {
  let sway: SwayDesktop;
  let journal: RestoreJournal;

  beforeAll(async () => {
    sway = await startSway({ outputs: 2 });
    await sway.message('output HEADLESS-2 mode --custom 1024x768@60Hz position 1280 0');
    journal = new RestoreJournal(join(sway.session.runtimeDir, 'journal.json'));
  });

  afterAll(async () => {
    await sway?.stop();
  });

  async function stateOf(name: string): Promise<string> {
    const output = (await listSwayOutputs(sway.ipcPath)).find((one) => one.name === name);
    const { width, height, refreshMilliHz } = output?.mode ?? {
      width: 0,
      height: 0,
      refreshMilliHz: 0,
    };
    return `${width}x${height}@${refreshMilliHz} at ${output?.x},${output?.y}`;
  }

  test('all heads are read with their modes and places', async () => {
    const manager = await HeadManager.open(sway.socketPath);
    const heads = manager
      .list()
      .map(({ name, isEnabled, mode, x }) => ({ name, isEnabled, mode, x }));
    manager.close();

    expect(heads.sort((a, b) => a.x - b.x)).toEqual([
      {
        name: 'HEADLESS-1',
        isEnabled: true,
        mode: { width: 1280, height: 720, refreshMilliHz: 60_000 },
        x: 0,
      },
      {
        name: 'HEADLESS-2',
        isEnabled: true,
        mode: { width: 1024, height: 768, refreshMilliHz: 60_000 },
        x: 1280,
      },
    ]);
  });

  test.each(['1922x1082@60', '1281x721@59.94'])(
    '%s is set on a free headless output and its old mode comes back',
    async (text) => {
      const mode = modeFrom(text);
      const taken = await borrowHeadlessOutput({
        socketPath: sway.socketPath,
        journal,
        leased: new Set(['HEADLESS-1']),
        mode,
      });
      const during = await stateOf('HEADLESS-2');
      const entries = journal.pending().length;

      await taken.giveBack();

      const milliHz = Math.round((mode.refreshNum * 1000) / mode.refreshDen);
      expect(taken.name).toBe('HEADLESS-2');
      expect(during).toBe(`${mode.width}x${mode.height}@${milliHz} at 1280,0`);
      expect(await stateOf('HEADLESS-2')).toBe('1024x768@60000 at 1280,0');
      expect([entries, journal.pending().length]).toEqual([1, 0]);
      expect(await stateOf('HEADLESS-1')).toBe('1280x720@60000 at 0,0');
    },
  );

  test('the journal of a killed host brings the old mode back', async () => {
    await borrowHeadlessOutput({
      socketPath: sway.socketPath,
      journal,
      leased: new Set(['HEADLESS-1']),
      mode: modeFrom('640x480@30'),
    });
    const during = await stateOf('HEADLESS-2');

    const result = await journal.undoAll({ 'wlr-head-mode': undoHeadMode });

    expect(during).toBe('640x480@30000 at 1280,0');
    expect(result).toEqual({ undone: 1, failed: [] });
    expect(await stateOf('HEADLESS-2')).toBe('1024x768@60000 at 1280,0');
  });

  test('without a free headless output it says how to get one', async () => {
    const attempt = borrowHeadlessOutput({
      socketPath: sway.socketPath,
      journal,
      leased: new Set(['HEADLESS-1', 'HEADLESS-2']),
      mode: modeFrom('640x480@30'),
    });

    await expect(attempt).rejects.toThrow(
      /no free headless one; start it with .*WLR_HEADLESS_OUTPUTS=1/,
    );
    expect(journal.pending()).toEqual([]);
  });
});
