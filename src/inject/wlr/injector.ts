/**
 * Injector for wlroots compositors: virtual pointer and virtual keyboard on the seat, touch and pen
 * through the pointer. Runs on the main thread; calls queue a few bytes and never wait.
 */
import { monotonicNs } from '../../../ffi/libc-time.ts';
import { WaylandConnection, type WaylandObject } from '../../desktop/wayland/connection.ts';
import { OutputTracker, type WaylandOutput } from '../../desktop/wayland/outputs.ts';
import { WL_SEAT } from '../../desktop/wayland/protocols/core.ts';
import {
  VIRTUAL_KEYBOARD_MANAGER,
  VIRTUAL_POINTER_MANAGER,
} from '../../desktop/wayland/protocols/wlr.ts';
import type { Logger } from '../../platform/log.ts';
import type { Injector } from '../port.ts';
import { WlrKeyboard } from './keyboard.ts';
import { WlrPointer } from './pointer.ts';
import { penAsPointer, TouchAsPointer } from './pointer-emulation.ts';
import { readSeatKeymap } from './seat-keymap.ts';

/** Bit of wl_seat.capabilities. */
const SEAT_KEYBOARD = 2;
const ANSWER_TIMEOUT_MS = 2_000;
/** Nothing is awaited from the compositor; this only notices its end. */
const POLL_INTERVAL_MS = 250;
/** How long the compositor may take to handle the last releases; usually well below 1 ms. */
const CLOSE_TIMEOUT_MS = 200;

export interface WlrInjectorTarget {
  readonly socketPath: string;
  /** Output that positions 0–1 refer to. */
  readonly outputName: string;
  readonly log: Logger;
}

/** Opens the injector; throws when the compositor does not answer or the output is not there. */
export async function openWlrInjector(target: WlrInjectorTarget): Promise<Injector> {
  const connection = new WaylandConnection(target.socketPath);
  try {
    await connection.roundtripAsync(ANSWER_TIMEOUT_MS);
    const tracker = new OutputTracker(connection);
    let capabilities = 0;
    const seat = connection.bindFirst(WL_SEAT, {
      capabilities: ([value]) => {
        capabilities = Number(value);
      },
    });
    await connection.roundtripAsync(ANSWER_TIMEOUT_MS);
    if (connection.failure !== null) throw new Error(connection.failure);
    const output = tracker.find(target.outputName);
    if (!output) throw new Error(`the compositor has no output ${target.outputName}`);
    if (!seat) throw new Error('the compositor has no seat to put input on');
    const hasKeyboard = (capabilities & SEAT_KEYBOARD) !== 0;
    const keymap = hasKeyboard ? await readSeatKeymap(connection, seat) : null;
    const devices = openDevices(connection, seat, tracker, output, keymap);
    await connection.roundtripAsync(ANSWER_TIMEOUT_MS);
    if (connection.failure !== null) throw new Error(connection.failure);
    connection.onFailure = (cause) => target.log.warn('input has no way any more', { cause });
    connection.keepReading(POLL_INTERVAL_MS);
    return createInjector(connection, devices, target.log);
  } catch (error) {
    connection.close();
    throw error;
  }
}

interface Devices {
  readonly pointer: WlrPointer | null;
  readonly keyboard: WlrKeyboard | null;
}

function openDevices(
  connection: WaylandConnection,
  seat: WaylandObject,
  tracker: OutputTracker,
  output: WaylandOutput,
  keymap: string | null,
): Devices {
  const timeMs = () => Math.floor(monotonicNs() / 1e6) >>> 0;
  const pointers = connection.bindFirst(VIRTUAL_POINTER_MANAGER);
  const keyboards = connection.bindFirst(VIRTUAL_KEYBOARD_MANAGER);
  return {
    pointer: pointers && new WlrPointer(connection, pointers, seat, tracker, output, timeMs),
    keyboard: keyboards && new WlrKeyboard(connection, keyboards, seat, keymap, timeMs),
  };
}

function createInjector(
  connection: WaylandConnection,
  { pointer, keyboard }: Devices,
  log: Logger,
): Injector {
  const said = new Set<string>();
  const sayOnce = (text: string) => {
    if (!said.has(text)) log.info(text);
    said.add(text);
  };
  const withPointer = (act: (pointer: WlrPointer) => void) => {
    if (pointer) act(pointer);
    else sayOnce('the compositor has no virtual pointer; pointer input is ignored');
    connection.flush();
  };
  const withKeyboard = (act: (keyboard: WlrKeyboard) => void) => {
    if (keyboard) act(keyboard);
    else sayOnce('the compositor has no virtual keyboard; keys and text are ignored');
    connection.flush();
  };
  const touch = new TouchAsPointer();
  const names = [pointer ? 'virtual pointer' : '', keyboard ? 'virtual keyboard' : ''];
  let isOpen = true;
  return {
    description: `wlr ${names.filter((name) => name !== '').join(' + ') || 'without input'}`,
    moveRelative: (dx, dy) => withPointer((p) => p.moveRelative(dx, dy)),
    moveAbsolute: (x, y) => withPointer((p) => p.moveAbsolute(x, y)),
    button: (button, isDown) => withPointer((p) => p.button(button, isDown)),
    scroll: (vertical, horizontal) => withPointer((p) => p.scroll(vertical, horizontal)),
    key: (code, isDown) => withKeyboard((k) => k.key(code, isDown)),
    text: (utf8) => withKeyboard((k) => k.text(utf8)),
    touch: (contact) => {
      sayOnce('wlroots has no virtual touch screen; the first finger moves the pointer');
      withPointer((p) => touch.apply(contact, p));
    },
    pen: (sample) => {
      sayOnce('wlroots has no virtual tablet; the pen moves the pointer, without pressure');
      withPointer((p) => penAsPointer(sample, p));
    },
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      pointer?.close();
      keyboard?.close();
      // A compositor that sees the socket closed drops what it did not read yet.
      connection.roundtrip(CLOSE_TIMEOUT_MS);
      connection.close();
    },
  };
}
