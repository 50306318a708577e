/**
 * Touch and pen on a desktop that takes only a pointer: the first finger and the pen's tip are the
 * left button, the pen's barrel buttons the right and middle one. Pure.
 */
import type { PenSample, PointerButton, TouchContact } from '../port.ts';

export interface PointerTarget {
  moveAbsolute(x: number, y: number): void;
  button(button: PointerButton, isDown: boolean): void;
}

/** Follows one finger at a time; others are ignored until it is lifted. */
export class TouchAsPointer {
  #finger: number | null = null;

  apply(contact: TouchContact, pointer: PointerTarget): void {
    const { pointerId, phase, x, y } = contact;
    if (phase === 'cancel-all') {
      this.#lift(pointer);
      return;
    }
    if (phase === 'hover' || phase === 'hover-leave') {
      if (this.#finger === null && phase === 'hover') pointer.moveAbsolute(x, y);
      return;
    }
    if (phase === 'down' && this.#finger === null) {
      this.#finger = pointerId;
      pointer.moveAbsolute(x, y);
      pointer.button('left', true);
      return;
    }
    if (pointerId !== this.#finger) return;
    if (phase === 'move' || phase === 'up') pointer.moveAbsolute(x, y);
    if (phase === 'up' || phase === 'cancel') this.#lift(pointer);
  }

  #lift(pointer: PointerTarget): void {
    if (this.#finger !== null) pointer.button('left', false);
    this.#finger = null;
  }
}

const PEN_PRIMARY = 1;
const PEN_SECONDARY = 2;

/** Each sample says the whole state, so nothing needs to be kept: repeated states do nothing. */
export function penAsPointer(sample: PenSample, pointer: PointerTarget): void {
  const { phase, buttons, x, y } = sample;
  const isAway = phase === 'hover-leave' || phase === 'cancel' || phase === 'cancel-all';
  if (!isAway && phase !== 'button-only') pointer.moveAbsolute(x, y);
  if (phase === 'down') pointer.button('left', true);
  else if (phase !== 'move' && phase !== 'button-only') pointer.button('left', false);
  pointer.button('right', !isAway && (buttons & PEN_PRIMARY) !== 0);
  pointer.button('middle', !isAway && (buttons & PEN_SECONDARY) !== 0);
}
