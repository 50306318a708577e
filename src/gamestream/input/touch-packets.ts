/**
 * Touch and pen packets behind their 8-byte header. Floats are IEEE f32 little-endian; what is not
 * a number has no meaning, what lies outside its range is clamped. Pure. Source: GameStream §8.
 *
 * | touch | field                          | pen | field                                |
 * |-------|--------------------------------|-----|--------------------------------------|
 * | 0     | u8 event                       | 0   | u8 event                             |
 * | 2     | u16 rotation, 0xFFFF unknown   | 1   | u8 tool                              |
 * | 4     | u32 pointer id                 | 2   | u8 buttons                           |
 * | 8     | f32 x, y, pressure or distance | 4   | f32 x, y, pressure or distance       |
 * | 20    | f32 contact major, minor       | 16  | u16 rotation, u8 tilt, u8 0          |
 * |       |                                | 20  | f32 contact major, minor             |
 */
import type { InputEvent } from '../../inject/dispatch-events.ts';
import type { PenSample, TouchContact } from '../../inject/port.ts';

/** Phases by wire number; 5 belongs to pens alone. */
const PHASES: readonly PenSample['phase'][] = [
  'hover',
  'down',
  'up',
  'move',
  'cancel',
  'button-only',
  'hover-leave',
  'cancel-all',
];
const TOOLS: readonly PenSample['tool'][] = ['unknown', 'pen', 'eraser'];
const ROTATION_UNKNOWN = 0xffff;
const TILT_UNKNOWN = 255;
const PEN_BUTTON_BITS = 7;

export function touchPhase(wire: number): TouchContact['phase'] | null {
  const phase = PHASES[wire];
  return phase === undefined || phase === 'button-only' ? null : phase;
}

export function decodeTouch(body: DataView): InputEvent | null {
  const phase = touchPhase(body.getUint8(0));
  const x = unit(body, 8);
  const y = unit(body, 12);
  const pressure = unit(body, 16);
  if (phase === null || x === null || y === null || pressure === null) return null;
  return {
    kind: 'touch',
    contact: {
      pointerId: body.getUint32(4, true),
      phase,
      x,
      y,
      pressure,
      contactMajor: unit(body, 20) ?? 0,
      contactMinor: unit(body, 24) ?? 0,
      rotationDeg: rotation(body.getUint16(2, true)),
    },
  };
}

export function decodePen(body: DataView): InputEvent | null {
  const phase = PHASES[body.getUint8(0)];
  const x = unit(body, 4);
  const y = unit(body, 8);
  const pressure = unit(body, 12);
  if (phase === undefined || x === null || y === null || pressure === null) return null;
  const tilt = body.getUint8(18);
  return {
    kind: 'pen',
    sample: {
      phase,
      tool: TOOLS[body.getUint8(1)] ?? 'unknown',
      buttons: body.getUint8(2) & PEN_BUTTON_BITS,
      x,
      y,
      pressure,
      rotationDeg: rotation(body.getUint16(16, true)),
      tiltDeg: tilt === TILT_UNKNOWN ? null : Math.min(90, tilt),
    },
  };
}

/** A float clamped to 0–1; null when it is not a number. */
export function unit(body: DataView, offset: number): number | null {
  const value = body.getFloat32(offset, true);
  if (Number.isNaN(value)) return null;
  return Math.min(1, Math.max(0, value));
}

function rotation(wire: number): number | null {
  return wire === ROTATION_UNKNOWN ? null : wire % 360;
}
