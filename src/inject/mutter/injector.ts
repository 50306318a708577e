/**
 * Input through Mutter's remote desktop session. Every call is a D-Bus message whose answer nobody
 * waits for; positions count in pixels of the session's own stream.
 *
 * What is held down is remembered and released by `close`. A pen becomes a pointer: the interface
 * has no tablet.
 */
import type { DbusValue } from '../../desktop/dbus/index.ts';
import type { Logger } from '../../platform/log.ts';
import type { DisplayMode } from '../../session/mode.ts';
import type { Injector, PenSample, PointerButton, TouchContact } from '../port.ts';
import { strokesOf } from './keysym.ts';
import { axisEvents } from './scroll.ts';

/** linux/input-event-codes.h. */
const BUTTON_CODES: Readonly<Record<PointerButton, number>> = {
  left: 0x110,
  right: 0x111,
  middle: 0x112,
  side: 0x113,
  extra: 0x114,
};
const AXIS_CODES = { vertical: 0, horizontal: 1 } as const;
/** NotifyPointerAxis flag: the distance came from a wheel. */
const AXIS_SOURCE_WHEEL = 2;
/** A code no keyboard sends. */
const KEY_UNKNOWN = 240;
/** Fingers Mutter tells apart in one session. */
const TOUCH_SLOTS_MAX = 16;
/** Held keys remembered; a keyboard has fewer. */
const HELD_MAX = 256;
/** Characters of one text message. */
const TEXT_LENGTH_MAX = 1024;

export interface MutterInjectorOptions {
  readonly notify: (member: string, signature: string, body: readonly DbusValue[]) => void;
  readonly streamPath: string;
  /** Mode of the stream as it is now. */
  readonly mode: () => DisplayMode;
  readonly log: Logger;
  /** For status; default `mutter remote desktop`. */
  readonly description?: string;
}

export function openMutterInjector(injectorOptions: MutterInjectorOptions): Injector {
  return new MutterInjector(injectorOptions);
}

class MutterInjector implements Injector {
  readonly description: string;
  readonly #options: MutterInjectorOptions;
  readonly #keys = new Set<number>();
  readonly #buttons = new Set<number>();
  /** Touch pointer id → slot. */
  readonly #touches = new Map<number, number>();
  #isPenDown = false;
  #hasSaidPen = false;
  #isClosed = false;

  constructor(injectorOptions: MutterInjectorOptions) {
    this.#options = injectorOptions;
    this.description = injectorOptions.description ?? 'mutter remote desktop';
    // Mutter makes its virtual devices at their first event. On a machine without a keyboard or a
    // mouse, programs learn of them only then and would miss that event: these change nothing.
    this.#send('NotifyPointerMotionRelative', 'dd', [0, 0]);
    this.#send('NotifyKeyboardKeycode', 'ub', [KEY_UNKNOWN, true]);
    this.#send('NotifyKeyboardKeycode', 'ub', [KEY_UNKNOWN, false]);
  }

  moveRelative(dxPixels: number, dyPixels: number): void {
    this.#send('NotifyPointerMotionRelative', 'dd', [dxPixels, dyPixels]);
  }

  moveAbsolute(x: number, y: number): void {
    const { streamPath } = this.#options;
    this.#send('NotifyPointerMotionAbsolute', 'sdd', [streamPath, ...this.#pixels(x, y)]);
  }

  button(button: PointerButton, isDown: boolean): void {
    const code = BUTTON_CODES[button];
    if (!remember(this.#buttons, code, isDown)) return;
    this.#send('NotifyPointerButton', 'ib', [code, isDown]);
  }

  scroll(verticalUnits: number, horizontalUnits: number): void {
    for (const event of axisEvents(verticalUnits, horizontalUnits)) {
      if (event.kind === 'notches') {
        const axis = AXIS_CODES[event.axis];
        this.#send('NotifyPointerAxisDiscrete', 'ui', [axis, event.steps]);
      } else {
        this.#send('NotifyPointerAxis', 'ddu', [event.dx, event.dy, AXIS_SOURCE_WHEEL]);
      }
    }
  }

  key(evdevCode: number, isDown: boolean): void {
    if (!remember(this.#keys, evdevCode, isDown)) return;
    this.#send('NotifyKeyboardKeycode', 'ub', [evdevCode, isDown]);
  }

  text(utf8: string): void {
    for (const character of [...utf8.slice(0, TEXT_LENGTH_MAX)]) {
      for (const { keysym, isDown } of strokesOf(character.codePointAt(0) ?? 0)) {
        this.#send('NotifyKeyboardKeysym', 'ub', [keysym, isDown]);
      }
    }
  }

  touch(contact: TouchContact): void {
    switch (contact.phase) {
      case 'down':
      case 'move':
        this.#moveTouch(contact);
        break;
      case 'up':
      case 'cancel':
        this.#liftTouch(contact.pointerId);
        break;
      case 'cancel-all':
        for (const pointerId of [...this.#touches.keys()]) this.#liftTouch(pointerId);
        break;
      case 'hover':
      case 'hover-leave':
        break;
    }
  }

  pen(sample: PenSample): void {
    if (!this.#hasSaidPen) {
      this.#hasSaidPen = true;
      this.#options.log.info('the pen acts as a pointer: GNOME takes no tablet input from a host');
    }
    if (sample.phase !== 'button-only') this.moveAbsolute(sample.x, sample.y);
    const isDown = sample.phase === 'down' || (sample.phase === 'move' && this.#isPenDown);
    if (sample.phase !== 'button-only' && isDown !== this.#isPenDown) {
      this.#isPenDown = isDown;
      this.button('left', isDown);
    }
    this.button('right', (sample.buttons & 1) !== 0);
    this.button('middle', (sample.buttons & 2) !== 0);
  }

  close(): void {
    if (this.#isClosed) return;
    for (const code of [...this.#keys]) this.key(code, false);
    for (const code of this.#buttons) this.#send('NotifyPointerButton', 'ib', [code, false]);
    this.#buttons.clear();
    for (const pointerId of [...this.#touches.keys()]) this.#liftTouch(pointerId);
    this.#isClosed = true;
  }

  #moveTouch({ pointerId, phase, x, y }: TouchContact): void {
    const { streamPath } = this.#options;
    const position = this.#pixels(x, y);
    const known = this.#touches.get(pointerId);
    if (known !== undefined) {
      this.#send('NotifyTouchMotion', 'sudd', [streamPath, known, ...position]);
      return;
    }
    const slot = phase === 'down' ? freeSlot(new Set(this.#touches.values())) : null;
    if (slot === null) return;
    this.#touches.set(pointerId, slot);
    this.#send('NotifyTouchDown', 'sudd', [streamPath, slot, ...position]);
  }

  #liftTouch(pointerId: number): void {
    const slot = this.#touches.get(pointerId);
    if (slot === undefined) return;
    this.#touches.delete(pointerId);
    this.#send('NotifyTouchUp', 'u', [slot]);
  }

  /** Stream pixels; the last column and row are reachable, one further is not. */
  #pixels(x: number, y: number): [number, number] {
    const { width, height } = this.#options.mode();
    return [clampRatio(x) * (width - 1), clampRatio(y) * (height - 1)];
  }

  #send(member: string, signature: string, body: readonly DbusValue[]): void {
    if (!this.#isClosed) this.#options.notify(member, signature, body);
  }
}

/** Keeps the set of held codes; false when the event changes nothing. */
function remember(held: Set<number>, code: number, isDown: boolean): boolean {
  if (!isDown) return held.delete(code);
  if (held.has(code) || held.size >= HELD_MAX) return false;
  held.add(code);
  return true;
}

function freeSlot(used: ReadonlySet<number>): number | null {
  for (let slot = 0; slot < TOUCH_SLOTS_MAX; slot++) if (!used.has(slot)) return slot;
  return null;
}

function clampRatio(value: number): number {
  return Number.isFinite(value) ? Math.min(1, Math.max(0, value)) : 0;
}
