/**
 * The injector port: what a device's input does to the desktop. Calls never block and never throw;
 * a backend that lacks a kind of input falls to the nearest thing and says so once.
 *
 * Keys are Linux evdev codes (inject/keymap.ts maps Windows virtual keys), buttons too.
 * Positions are 0–1 of the session's screen.
 */
export type PointerButton = 'left' | 'middle' | 'right' | 'side' | 'extra';

export interface TouchContact {
  readonly pointerId: number;
  readonly phase: 'hover' | 'down' | 'move' | 'up' | 'cancel' | 'hover-leave' | 'cancel-all';
  readonly x: number;
  readonly y: number;
  readonly pressure: number;
  readonly contactMajor: number;
  readonly contactMinor: number;
  /** Degrees 0–359; null unknown. */
  readonly rotationDeg: number | null;
}

export interface PenSample {
  readonly phase: TouchContact['phase'] | 'button-only';
  readonly tool: 'pen' | 'eraser' | 'unknown';
  /** Bit 0 primary, 1 secondary, 2 tertiary. */
  readonly buttons: number;
  readonly x: number;
  readonly y: number;
  readonly pressure: number;
  readonly rotationDeg: number | null;
  /** 0–90; null unknown. */
  readonly tiltDeg: number | null;
}

export interface Injector {
  /** For status, e.g. `wlr virtual pointer + keyboard`. */
  readonly description: string;
  moveRelative(dxPixels: number, dyPixels: number): void;
  moveAbsolute(x: number, y: number): void;
  button(button: PointerButton, isDown: boolean): void;
  /** 120 per wheel notch; positive up and right. */
  scroll(verticalUnits: number, horizontalUnits: number): void;
  key(evdevCode: number, isDown: boolean): void;
  /** Types text past the layout. */
  text(utf8: string): void;
  touch(contact: TouchContact): void;
  pen(sample: PenSample): void;
  close(): void;
}
