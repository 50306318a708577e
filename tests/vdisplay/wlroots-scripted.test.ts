/** Output management against a scripted compositor: what is asked for, and what a refusal leaves. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  OUTPUT_CONFIGURATION,
  OUTPUT_CONFIGURATION_HEAD,
  OUTPUT_HEAD,
  OUTPUT_MANAGER,
  OUTPUT_MODE,
} from '../../src/desktop/wayland/protocols/wlr.ts';
import { RestoreJournal } from '../../src/platform/journal.ts';
import { borrowHeadlessOutput, undoHeadMode } from '../../src/vdisplay/wlroots/head-output.ts';
import {
  FakeCompositor,
  ScriptedClient,
  type ScriptedRequest,
} from '../desktop/fake-compositor.ts';

const MONITOR = 0xff000001;
const HEADLESS = 0xff000002;
const OFF = 0xff000003;
const FIRST_MODE = 0xff000010;
const MODE = { width: 1922, height: 1082, refreshNum: 5994, refreshDen: 100 };

/** A desktop of a monitor, a headless output and one that is off. */
function announce(client: ScriptedClient, manager: number): void {
  const heads = [
    { id: MONITOR, name: 'DP-1', size: [2560, 1440], place: [0, 0] },
    { id: HEADLESS, name: 'HEADLESS-1', size: [800, 600], place: [2560, 0] },
    { id: OFF, name: 'HDMI-A-1', size: null, place: [0, 0] },
  ];
  heads.forEach(({ id, name, size, place }, index) => {
    client.know(id, OUTPUT_HEAD);
    client.send(manager, 'head', id);
    client.send(id, 'name', name);
    client.send(id, 'enabled', size ? 1 : 0);
    if (!size) return;
    client.know(FIRST_MODE + index, OUTPUT_MODE);
    client.send(id, 'mode', FIRST_MODE + index);
    client.send(FIRST_MODE + index, 'size', ...size);
    client.send(FIRST_MODE + index, 'refresh', 60_000);
    client.send(id, 'current_mode', FIRST_MODE + index);
    client.send(id, 'position', ...place);
    client.send(id, 'scale', 1);
  });
  client.send(manager, 'done', 77);
}

describe('output management', () => {
  let compositor: FakeCompositor;
  let directory: string;
  let journal: RestoreJournal;
  let requests: ScriptedRequest[];
  let verdict: 'succeeded' | 'failed' | 'cancelled';

  beforeEach(async () => {
    requests = [];
    verdict = 'succeeded';
    directory = mkdtempSync(join(tmpdir(), 'pfheads-'));
    journal = new RestoreJournal(join(directory, 'journal.json'));
    compositor = new FakeCompositor((socket) => {
      new ScriptedClient(socket, [OUTPUT_MANAGER], (request, client) => {
        requests.push(request);
        const made = Number(request.values[0]);
        if (request.name.startsWith('bind')) announce(client, request.objectId);
        if (request.name === 'create_configuration') client.know(made, OUTPUT_CONFIGURATION);
        if (request.name === 'enable_head') client.know(made, OUTPUT_CONFIGURATION_HEAD);
        if (request.name === 'apply') client.send(request.objectId, verdict);
      });
    });
    await compositor.listen();
  });

  afterEach(() => {
    compositor.close();
    rmSync(directory, { recursive: true, force: true });
  });

  function borrow(leased: readonly string[] = []) {
    const socketPath = compositor.path;
    return borrowHeadlessOutput({ socketPath, journal, leased: new Set(leased), mode: MODE });
  }

  test('every head is named, and only the headless one gets the mode, right of the monitor', async () => {
    const taken = await borrow();

    const asked = requests.map(({ name, values }) => [name, ...values]);
    const heads = asked
      .filter(([name]) => /_head$/.test(String(name)))
      .map(([name, ...values]) => [name, values.at(-1)]);
    expect(taken.name).toBe('HEADLESS-1');
    expect(asked.find(([name]) => name === 'create_configuration')?.at(-1)).toBe(77);
    expect(heads).toEqual([
      ['enable_head', MONITOR],
      ['enable_head', HEADLESS],
      ['disable_head', OFF],
    ]);
    expect(asked.filter(([name]) => String(name).startsWith('set_'))).toEqual([
      ['set_custom_mode', 1922, 1082, 59_940],
      ['set_position', 2560, 0],
      ['set_scale', 1],
    ]);
  });

  test('the old mode is in the journal first and asked for again at the end', async () => {
    const taken = await borrow();
    const pending = journal.pending();
    requests = [];

    await taken.giveBack();

    expect(pending[0]?.step.detail).toMatchObject({
      name: 'HEADLESS-1',
      width: 800,
      height: 600,
      refreshMilliHz: 60_000,
      x: 2560,
      y: 0,
    });
    expect(requests.find(({ name }) => name === 'set_custom_mode')?.values).toEqual([
      800, 600, 60_000,
    ]);
    expect(journal.pending()).toEqual([]);
  });

  test.each([
    ['failed', 'the compositor refused the configuration'],
    ['cancelled', 'the outputs changed meanwhile'],
  ] as const)('an answer %s is an error and leaves no journal entry', async (answer, cause) => {
    verdict = answer;

    await expect(borrow()).rejects.toThrow(`mode on HEADLESS-1: ${cause}`);
    await borrow().catch(() => {});
    expect(journal.pending()).toEqual([]);
  });

  test('an undo that the compositor refuses stays in the journal', async () => {
    await borrow();
    verdict = 'failed';

    const result = await journal.undoAll({ 'wlr-head-mode': undoHeadMode });

    expect(result.undone).toBe(0);
    expect(result.failed[0]?.reason).toContain('old mode of HEADLESS-1');
    expect(journal.pending().length).toBe(1);
  });

  test('a headless output that another session uses is not taken', async () => {
    await expect(borrow(['HEADLESS-1'])).rejects.toThrow('no free headless one');
  });
});
