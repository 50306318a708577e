/**
 * Controller packets behind their 8-byte header: state, arrival, touchpad, motion, battery.
 * Pure. Source: GameStream §8.
 */
import type {
  BatteryState,
  InputEvent,
  PadCapabilities,
  PadKind,
} from '../../inject/dispatch-events.ts';
import { MAGIC } from './magic.ts';
import { touchPhase, unit } from './touch-packets.ts';

export const PADS_MAX = 16;
/** The second word of buttons sits above the first. */
const EXTRA_BUTTON_SHIFT = 16;
const EXTRA_BUTTON_BITS = 0x3f;

const KINDS: readonly PadKind[] = ['unknown', 'xbox', 'playstation', 'nintendo', 'steam'];
const BATTERY_STATES: readonly BatteryState[] = [
  'unknown',
  'absent',
  'discharging',
  'charging',
  'not-charging',
  'full',
];
const CHARGE_UNKNOWN = 255;

const CAPABILITY = {
  analogueTriggers: 0x01,
  rumble: 0x02,
  triggerRumble: 0x04,
  touchpad: 0x08,
  accelerometer: 0x10,
  gyro: 0x20,
  battery: 0x40,
  light: 0x80,
  dualTouchpad: 0x100,
} as const;

/** Null for an unknown magic, a pad number above 15, or a value without meaning. */
export function decodePad(magic: number, body: DataView): InputEvent | null {
  if (magic === MAGIC.padState) return decodeState(body);
  const pad = body.getUint8(0);
  if (pad >= PADS_MAX) return null;
  switch (magic) {
    case MAGIC.padArrival:
      return {
        kind: 'pad-arrival',
        pad,
        padKind: KINDS[body.getUint8(1)] ?? 'unknown',
        capabilities: readCapabilities(body.getUint16(2, true)),
        supportedButtons: body.getUint32(4, true),
      };
    case MAGIC.padTouch:
      return decodePadTouch(body, pad);
    case MAGIC.padMotion:
      return decodeMotion(body, pad);
    case MAGIC.padBattery: {
      const charge = body.getUint8(2);
      return {
        kind: 'pad-battery',
        pad,
        state: BATTERY_STATES[body.getUint8(1)] ?? 'unknown',
        chargePct: charge === CHARGE_UNKNOWN ? null : Math.min(100, charge),
      };
    }
    default:
      return null;
  }
}

function decodeState(body: DataView): InputEvent | null {
  // Offset 0 and 6 hold constants of older versions.
  const pad = body.getUint16(2, true);
  if (pad >= PADS_MAX) return null;
  const extra = body.getUint16(22, true) & EXTRA_BUTTON_BITS;
  return {
    kind: 'pad-state',
    pad,
    activeMask: body.getUint16(4, true),
    state: {
      buttons: body.getUint16(8, true) | (extra << EXTRA_BUTTON_SHIFT),
      leftTrigger: body.getUint8(10),
      rightTrigger: body.getUint8(11),
      leftX: body.getInt16(12, true),
      leftY: body.getInt16(14, true),
      rightX: body.getInt16(16, true),
      rightY: body.getInt16(18, true),
    },
  };
}

function decodePadTouch(body: DataView, pad: number): InputEvent | null {
  const phase = touchPhase(body.getUint8(1));
  const x = unit(body, 8);
  const y = unit(body, 12);
  const pressure = unit(body, 16);
  if (phase === null || x === null || y === null || pressure === null) return null;
  return {
    kind: 'pad-touch',
    pad,
    touchpad: body.getUint8(3),
    phase,
    pointerId: body.getUint32(4, true),
    x,
    y,
    pressure,
  };
}

function decodeMotion(body: DataView, pad: number): InputEvent | null {
  const type = body.getUint8(1);
  const x = body.getFloat32(4, true);
  const y = body.getFloat32(8, true);
  const z = body.getFloat32(12, true);
  const areNumbers = Number.isFinite(x) && Number.isFinite(y) && Number.isFinite(z);
  if ((type !== 1 && type !== 2) || !areNumbers) return null;
  return { kind: 'pad-motion', pad, sensor: type === 1 ? 'accelerometer' : 'gyro', x, y, z };
}

function readCapabilities(bits: number): PadCapabilities {
  return {
    analogueTriggers: (bits & CAPABILITY.analogueTriggers) !== 0,
    rumble: (bits & CAPABILITY.rumble) !== 0,
    triggerRumble: (bits & CAPABILITY.triggerRumble) !== 0,
    touchpad: (bits & CAPABILITY.touchpad) !== 0,
    accelerometer: (bits & CAPABILITY.accelerometer) !== 0,
    gyro: (bits & CAPABILITY.gyro) !== 0,
    battery: (bits & CAPABILITY.battery) !== 0,
    light: (bits & CAPABILITY.light) !== 0,
    dualTouchpad: (bits & CAPABILITY.dualTouchpad) !== 0,
  };
}
