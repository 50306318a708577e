/** The injector against a scripted compositor: the first pointer protocol, and none at all. */
import { afterEach, describe, expect, test } from 'bun:test';
import {
  WL_OUTPUT,
  WL_SEAT,
  XDG_OUTPUT,
  XDG_OUTPUT_MANAGER,
} from '../../src/desktop/wayland/protocols/core.ts';
import {
  VIRTUAL_POINTER,
  VIRTUAL_POINTER_MANAGER,
} from '../../src/desktop/wayland/protocols/wlr.ts';
import { openWlrInjector } from '../../src/inject/wlr/injector.ts';
import type { Logger } from '../../src/platform/log.ts';
import {
  FakeCompositor,
  ScriptedClient,
  type ScriptedRequest,
} from '../desktop/fake-compositor.ts';

/** Left a portrait monitor, right of it the session's screen, a little lower. */
const OUTPUTS = [
  { name: 'DP-1', x: 0, y: 0, width: 1000, height: 2000 },
  { name: 'HEADLESS-1', x: 1000, y: 500, width: 1000, height: 500 },
];

describe('the injector', () => {
  let compositor: FakeCompositor | null = null;
  const requests: ScriptedRequest[] = [];
  const lines: string[] = [];
  const line = (text: string) => {
    lines.push(text);
  };
  const log: Logger = { error: line, warn: line, info: line, debug: line };

  afterEach(() => {
    compositor?.close();
    requests.length = 0;
    lines.length = 0;
  });

  async function open(pointerVersion: number | null) {
    const pointer = { ...VIRTUAL_POINTER_MANAGER, version: pointerVersion ?? 1 };
    const globals = [WL_SEAT, XDG_OUTPUT_MANAGER, WL_OUTPUT, WL_OUTPUT];
    compositor = new FakeCompositor((socket) => {
      let bound = 0;
      const offered = pointerVersion === null ? globals : [...globals, pointer];
      new ScriptedClient(socket, offered, (request, client) => {
        requests.push(request);
        const made = Number(request.values[0]);
        if (request.name === 'bind wl_seat') client.send(request.objectId, 'capabilities', 0);
        if (request.name === 'bind wl_output') {
          client.send(request.objectId, 'name', OUTPUTS[bound]?.name ?? '');
          client.send(request.objectId, 'mode', 1, OUTPUTS[bound]?.width ?? 0, 500, 60_000);
          client.send(request.objectId, 'done');
          bound += 1;
        }
        if (request.name === 'get_xdg_output') {
          const output = OUTPUTS[bound - 1] ?? { x: 0, y: 0, width: 0, height: 0 };
          client.know(made, XDG_OUTPUT);
          client.send(made, 'logical_position', output.x, output.y);
          client.send(made, 'logical_size', output.width, output.height);
          client.send(made, 'done');
        }
        const created = request.values.at(-1);
        if (/^create_virtual_pointer/.test(request.name))
          client.know(Number(created), VIRTUAL_POINTER);
      });
    });
    await compositor.listen();
    return await openWlrInjector({ socketPath: compositor.path, outputName: 'HEADLESS-1', log });
  }

  /** Requests of this name once `close` made sure that all arrived. */
  async function asked(name: string): Promise<(readonly unknown[])[]> {
    const deadline = performance.now() + 1000;
    while (!requests.some((one) => one.name === 'destroy') && performance.now() < deadline) {
      await Bun.sleep(5);
    }
    return requests.filter((one) => one.name === name).map(({ values }) => values.slice(1));
  }

  test('with the first pointer protocol a position is computed in the whole layout', async () => {
    const injector = await open(1);
    injector.moveAbsolute(0, 0);
    injector.moveAbsolute(1, 1);
    injector.moveAbsolute(Number.NaN, 7);
    injector.close();

    const steps = (x: number, y: number) => [Math.round(x * 65_535), Math.round(y * 65_535)];
    const moves = await asked('motion_absolute');
    expect(moves.map((values) => values.slice(0, 2))).toEqual([
      steps(0.5, 0.25),
      steps(1, 0.5),
      steps(0.5, 0.5),
    ]);
    expect((await asked('create_virtual_pointer')).length).toBe(1);
  });

  test('with the second one the compositor is told the output', async () => {
    const injector = await open(2);
    injector.moveAbsolute(0.5, 1);
    injector.close();

    const [created] = await asked('create_virtual_pointer_with_output');
    const outputs = requests.filter(({ name }) => name === 'bind wl_output');
    expect(created?.[0]).toBe(outputs[1]?.objectId);
    expect((await asked('motion_absolute'))[0]?.slice(0, 2)).toEqual([32_768, 65_535]);
  });

  test('a wild relative move is cut, and a number that is none does nothing', async () => {
    const injector = await open(2);
    injector.moveRelative(1e12, Number.NaN);
    injector.close();

    expect(await asked('motion')).toEqual([[32_768, 0]]);
  });

  test('what is held at the end is let go before the pointer goes away', async () => {
    const injector = await open(2);
    injector.button('left', true);
    injector.close();

    const buttons = await asked('button');
    expect(buttons).toEqual([
      [0x110, 1],
      [0x110, 0],
    ]);
  });

  test('without any protocol it says so once for pointer and keys, and goes on', async () => {
    const injector = await open(null);
    for (let round = 0; round < 3; round += 1) {
      injector.moveRelative(1, 1);
      injector.key(30, true);
      injector.text('a');
    }

    expect(injector.description).toBe('wlr without input');
    expect(lines).toEqual([
      'the compositor has no virtual pointer; pointer input is ignored',
      'the compositor has no virtual keyboard; keys and text are ignored',
    ]);
    injector.close();
  });
});
