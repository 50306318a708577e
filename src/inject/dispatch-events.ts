/**
 * What a device's user did, in the words of neither protocol. Both protocol rooms decode their
 * packets into these; dispatch and the pad registry consume them.
 */
import type { PenSample, PointerButton, TouchContact } from './port.ts';

export type PadKind = 'unknown' | 'xbox' | 'playstation' | 'nintendo' | 'steam';

export interface PadCapabilities {
  readonly analogueTriggers: boolean;
  readonly rumble: boolean;
  readonly triggerRumble: boolean;
  readonly touchpad: boolean;
  readonly accelerometer: boolean;
  readonly gyro: boolean;
  readonly battery: boolean;
  readonly light: boolean;
  readonly dualTouchpad: boolean;
}

/** Buttons in one word; the low half is the classic pad, the high half what came later. */
export const PAD_BUTTON = {
  up: 0x1,
  down: 0x2,
  left: 0x4,
  right: 0x8,
  start: 0x10,
  back: 0x20,
  leftStick: 0x40,
  rightStick: 0x80,
  leftShoulder: 0x100,
  rightShoulder: 0x200,
  guide: 0x400,
  a: 0x1000,
  b: 0x2000,
  x: 0x4000,
  y: 0x8000,
  paddle1: 0x1_0000,
  paddle2: 0x2_0000,
  paddle3: 0x4_0000,
  paddle4: 0x8_0000,
  touchpad: 0x10_0000,
  misc: 0x20_0000,
} as const;

export interface PadState {
  /** {@link PAD_BUTTON} bits. */
  readonly buttons: number;
  /** 0–255. */
  readonly leftTrigger: number;
  readonly rightTrigger: number;
  /** −32768…32767, up and right positive. */
  readonly leftX: number;
  readonly leftY: number;
  readonly rightX: number;
  readonly rightY: number;
}

export type BatteryState =
  | 'unknown'
  | 'absent'
  | 'discharging'
  | 'charging'
  | 'not-charging'
  | 'full';

export type PadEvent =
  | {
      readonly kind: 'pad-arrival';
      readonly pad: number;
      readonly padKind: PadKind;
      readonly capabilities: PadCapabilities;
      /** {@link PAD_BUTTON} bits that the pad has. */
      readonly supportedButtons: number;
    }
  | {
      readonly kind: 'pad-state';
      readonly pad: number;
      /** Bit n: the device has a pad in slot n. */
      readonly activeMask: number;
      readonly state: PadState;
    }
  | {
      readonly kind: 'pad-touch';
      readonly pad: number;
      readonly touchpad: number;
      readonly phase: TouchContact['phase'];
      readonly pointerId: number;
      /** 0–1 of the touchpad. */
      readonly x: number;
      readonly y: number;
      readonly pressure: number;
    }
  | {
      readonly kind: 'pad-motion';
      readonly pad: number;
      readonly sensor: 'accelerometer' | 'gyro';
      /** m/s² with gravity, or degrees per second. */
      readonly x: number;
      readonly y: number;
      readonly z: number;
    }
  | {
      readonly kind: 'pad-battery';
      readonly pad: number;
      readonly state: BatteryState;
      /** Null: not known. */
      readonly chargePct: number | null;
    };

/** Bits of a key event's modifiers. */
export const MODIFIER = { shift: 1, ctrl: 2, alt: 4, meta: 8 } as const;

export type InputEvent =
  | { readonly kind: 'pointer-move'; readonly dxPixels: number; readonly dyPixels: number }
  /** 0–1 of the session's screen. */
  | { readonly kind: 'pointer-position'; readonly x: number; readonly y: number }
  | {
      readonly kind: 'pointer-button';
      readonly button: PointerButton;
      readonly isDown: boolean;
    }
  /** 120 per notch, positive up and right. */
  | { readonly kind: 'scroll'; readonly verticalUnits: number; readonly horizontalUnits: number }
  | {
      readonly kind: 'key';
      /** Windows virtual key, 1–255. */
      readonly virtualKey: number;
      readonly isDown: boolean;
      /** {@link MODIFIER} bits as they are with this event. */
      readonly modifiers: number;
      /** The key is named by the device's own layout, not by its place on a US keyboard. */
      readonly isDeviceLayout: boolean;
    }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'touch'; readonly contact: TouchContact }
  | { readonly kind: 'pen'; readonly sample: PenSample }
  /** The device takes rumble. */
  | { readonly kind: 'haptics'; readonly isEnabled: boolean }
  | PadEvent;
