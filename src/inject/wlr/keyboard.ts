/**
 * Two virtual keyboards on one seat: one with the base keymap for keys, one whose keymap is made
 * for the text that is typed. Keys that are down are known, so that all can be let go.
 * Source: virtual-keyboard-unstable-v1.
 */
import { createSharedMemory } from '../../../ffi/libc-fd.ts';
import type { WaylandConnection, WaylandObject } from '../../desktop/wayland/connection.ts';
import {
  VIRTUAL_KEYBOARD,
  type VIRTUAL_KEYBOARD_MANAGER,
} from '../../desktop/wayland/protocols/wlr.ts';
import { baseKeymapText, EVDEV_CODE_MAX } from './base-keymap.ts';
import { modifiersOfKeymap } from './keymap-modifiers.ts';
import { ModifierState } from './modifier-state.ts';
import { codePointsOf, TEXT_SLOTS_MAX, TextKeymap } from './text-keymap.ts';

const KEYMAP_FORMAT_XKB_V1 = 1;
/** One call types at most this many characters; the rest is dropped. */
const TEXT_CHARACTERS_MAX = 4096;

type KeyboardObject = WaylandObject<keyof typeof VIRTUAL_KEYBOARD.requests>;

export class WlrKeyboard {
  readonly #connection: WaylandConnection;
  readonly #keys: KeyboardObject;
  readonly #text: KeyboardObject;
  readonly #timeMs: () => number;
  readonly #modifiers: ModifierState;
  readonly #textKeymap = new TextKeymap();
  readonly #held = new Set<number>();
  #hasTextKeymap = false;

  /** `keymap`: text of the desktop's own keymap; null for the US layout of this host. */
  constructor(
    connection: WaylandConnection,
    manager: WaylandObject<keyof typeof VIRTUAL_KEYBOARD_MANAGER.requests>,
    seat: WaylandObject,
    keymap: string | null,
    timeMs: () => number,
  ) {
    this.#connection = connection;
    this.#timeMs = timeMs;
    const create = () =>
      connection.construct(manager, 'create_virtual_keyboard', VIRTUAL_KEYBOARD, {}, seat.id);
    this.#keys = create();
    this.#text = create();
    const text = keymap ?? baseKeymapText();
    this.#modifiers = new ModifierState(modifiersOfKeymap(text));
    this.#sendKeymap(this.#keys, text);
    this.#sendModifiers();
  }

  key(evdevCode: number, isDown: boolean): void {
    if (evdevCode < 1 || evdevCode > EVDEV_CODE_MAX || this.#held.has(evdevCode) === isDown) return;
    if (isDown) this.#held.add(evdevCode);
    else this.#held.delete(evdevCode);
    const state = isDown ? 1 : 0;
    this.#connection.request(this.#keys, 'key', this.#timeMs(), evdevCode, state);
    if (this.#modifiers.update(evdevCode, isDown)) this.#sendModifiers();
  }

  text(text: string): void {
    const points = codePointsOf(text, TEXT_CHARACTERS_MAX);
    for (let start = 0; start < points.length; start += TEXT_SLOTS_MAX) {
      const piece = points.slice(start, start + TEXT_SLOTS_MAX);
      const { codes, changed } = this.#textKeymap.assign(piece);
      if (changed || !this.#hasTextKeymap) {
        this.#sendKeymap(this.#text, this.#textKeymap.text());
        this.#hasTextKeymap = true;
      }
      for (const code of codes) {
        this.#connection.request(this.#text, 'key', this.#timeMs(), code, 1);
        this.#connection.request(this.#text, 'key', this.#timeMs(), code, 0);
      }
    }
  }

  /** Lets go of every key and clears locks, so that nothing of this session remains. */
  releaseAll(): void {
    for (const code of [...this.#held]) this.key(code, false);
    this.#connection.request(this.#keys, 'modifiers', 0, 0, 0, 0);
  }

  close(): void {
    this.releaseAll();
    this.#connection.destroy(this.#text);
    this.#connection.destroy(this.#keys);
  }

  #sendModifiers(): void {
    const { depressed, locked } = this.#modifiers;
    this.#connection.request(this.#keys, 'modifiers', depressed, 0, locked, 0);
  }

  #sendKeymap(keyboard: KeyboardObject, text: string): void {
    const bytes = new TextEncoder().encode(`${text}\0`);
    const { fd, mapping } = createSharedMemory('punktfunk-keymap', bytes.length);
    mapping.bytes.set(bytes);
    mapping.close();
    this.#connection.request(keyboard, 'keymap', KEYMAP_FORMAT_XKB_V1, fd, bytes.length);
  }
}
