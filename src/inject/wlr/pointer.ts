/**
 * A virtual pointer bound to one output. Version 2 of the protocol lets the compositor keep it
 * there; with version 1 absolute positions are computed in the layout of all outputs.
 * Source: wlr-virtual-pointer-unstable-v1.
 */
import type { WaylandConnection, WaylandObject } from '../../desktop/wayland/connection.ts';
import {
  layoutBounds,
  type OutputTracker,
  type WaylandOutput,
} from '../../desktop/wayland/outputs.ts';
import {
  VIRTUAL_POINTER,
  type VIRTUAL_POINTER_MANAGER,
} from '../../desktop/wayland/protocols/wlr.ts';
import type { PointerButton } from '../port.ts';
import { type ScrollStep, WheelCounter } from './wheel.ts';

/** linux/input-event-codes.h */
const BUTTONS: Readonly<Record<PointerButton, number>> = {
  left: 0x110,
  right: 0x111,
  middle: 0x112,
  side: 0x113,
  extra: 0x114,
};
const AXIS_VERTICAL = 0;
const AXIS_HORIZONTAL = 1;
const AXIS_SOURCE_WHEEL = 0;
/** Steps of an absolute position: far finer than any screen. */
const POSITION_STEPS = 65_535;
/** 24.8 fixed point ends at 2^23; no mouse moves this far at once. */
const MOTION_PIXELS_MAX = 32_768;

export class WlrPointer {
  readonly #connection: WaylandConnection;
  readonly #pointer: WaylandObject<keyof typeof VIRTUAL_POINTER.requests>;
  readonly #tracker: OutputTracker;
  readonly #output: WaylandOutput;
  readonly #isBound: boolean;
  readonly #timeMs: () => number;
  readonly #held = new Set<PointerButton>();
  readonly #vertical = new WheelCounter();
  readonly #horizontal = new WheelCounter();

  constructor(
    connection: WaylandConnection,
    manager: WaylandObject<keyof typeof VIRTUAL_POINTER_MANAGER.requests>,
    seat: WaylandObject,
    tracker: OutputTracker,
    output: WaylandOutput,
    timeMs: () => number,
  ) {
    this.#connection = connection;
    this.#tracker = tracker;
    this.#output = output;
    this.#timeMs = timeMs;
    this.#isBound = manager.version >= 2;
    this.#pointer = this.#isBound
      ? connection.construct(
          manager,
          'create_virtual_pointer_with_output',
          VIRTUAL_POINTER,
          {},
          seat.id,
          output.object.id,
        )
      : connection.construct(manager, 'create_virtual_pointer', VIRTUAL_POINTER, {}, seat.id);
  }

  moveRelative(dxPixels: number, dyPixels: number): void {
    const dx = clamp(dxPixels, -MOTION_PIXELS_MAX, MOTION_PIXELS_MAX);
    const dy = clamp(dyPixels, -MOTION_PIXELS_MAX, MOTION_PIXELS_MAX);
    this.#connection.request(this.#pointer, 'motion', this.#timeMs(), dx, dy);
    this.#connection.request(this.#pointer, 'frame');
  }

  /** Position 0–1 of the output. */
  moveAbsolute(x: number, y: number): void {
    const inside = { x: clamp(x, 0, 1), y: clamp(y, 0, 1) };
    const place = this.#isBound ? inside : this.#inLayout(inside.x, inside.y);
    this.#connection.request(
      this.#pointer,
      'motion_absolute',
      this.#timeMs(),
      Math.round(place.x * POSITION_STEPS),
      Math.round(place.y * POSITION_STEPS),
      POSITION_STEPS,
      POSITION_STEPS,
    );
    this.#connection.request(this.#pointer, 'frame');
  }

  button(button: PointerButton, isDown: boolean): void {
    if (this.#held.has(button) === isDown) return;
    if (isDown) this.#held.add(button);
    else this.#held.delete(button);
    const state = isDown ? 1 : 0;
    this.#connection.request(this.#pointer, 'button', this.#timeMs(), BUTTONS[button], state);
    this.#connection.request(this.#pointer, 'frame');
  }

  /** 120 units per notch, positive up and right. */
  scroll(verticalUnits: number, horizontalUnits: number): void {
    // Wayland counts down as positive.
    if (verticalUnits !== 0) this.#axis(AXIS_VERTICAL, this.#vertical.step(-verticalUnits));
    if (horizontalUnits !== 0) this.#axis(AXIS_HORIZONTAL, this.#horizontal.step(horizontalUnits));
  }

  releaseAll(): void {
    for (const button of [...this.#held]) this.button(button, false);
  }

  close(): void {
    this.releaseAll();
    this.#connection.destroy(this.#pointer);
  }

  #axis(axis: number, { distance, notches }: ScrollStep): void {
    const pointer = this.#pointer;
    this.#connection.request(pointer, 'axis_source', AXIS_SOURCE_WHEEL);
    if (notches === 0) {
      this.#connection.request(pointer, 'axis', this.#timeMs(), axis, distance);
    } else {
      this.#connection.request(pointer, 'axis_discrete', this.#timeMs(), axis, distance, notches);
    }
    this.#connection.request(pointer, 'frame');
  }

  #inLayout(x: number, y: number): { readonly x: number; readonly y: number } {
    const bounds = layoutBounds(this.#tracker.list());
    const { logicalX, logicalY, logicalWidth, logicalHeight } = this.#output;
    if (bounds.width === 0 || logicalWidth === 0) return { x, y };
    return {
      x: (logicalX - bounds.x + x * logicalWidth) / bounds.width,
      y: (logicalY - bounds.y + y * logicalHeight) / bounds.height,
    };
  }
}

function clamp(value: number, low: number, high: number): number {
  return Number.isFinite(value) ? Math.min(high, Math.max(low, value)) : 0;
}
