/**
 * Control messages from the host, all reliable on channel 0. Pure encoders; numbers are clamped to
 * what their field holds.
 *
 * | type   | payload (LE unless noted)                                              |
 * |--------|------------------------------------------------------------------------|
 * | 0x0109 | termination: u32 BE code                                               |
 * | 0x010b | rumble: u32 0, u16 pad, u16 low, u16 high                              |
 * | 0x010e | HDR mode: u8 enabled, 13 × u16                                         |
 * | 0x5500 | trigger rumble: u16 pad, u16 left, u16 right                           |
 * | 0x5501 | motion reporting: u16 pad, u16 Hz, u8 sensor                           |
 * | 0x5502 | light: u16 pad, u8 red, green, blue                                    |
 * | 0x5503 | adaptive triggers: u16 pad, u8 flags, u8 left, u8 right, 10 + 10 bytes |
 *
 * Source: GameStream §7.3, §7.4.
 */
import type { ControlMessage } from './seal.ts';

export const HOST_MESSAGE = {
  termination: 0x0109,
  rumble: 0x010b,
  hdrMode: 0x010e,
  triggerRumble: 0x5500,
  motion: 0x5501,
  light: 0x5502,
  adaptiveTriggers: 0x5503,
} as const;

/** What the device tells its user at the end of a stream. */
export const TERMINATION = {
  graceful: 0x80030023,
  protectedContent: 0x800e9302,
  frameConversion: 0x800e9403,
} as const;

export type MotionSensor = 'accelerometer' | 'gyro';

export interface Chromaticity {
  /** In 1/50000. */
  readonly x: number;
  readonly y: number;
}

export interface HdrMetadata {
  readonly red: Chromaticity;
  readonly green: Chromaticity;
  readonly blue: Chromaticity;
  readonly white: Chromaticity;
  readonly maxDisplayNits: number;
  /** In 1/10000 nit. */
  readonly minDisplayTenThousandthNits: number;
  readonly maxContentNits: number;
  readonly maxFrameAverageNits: number;
  readonly maxFullFrameNits: number;
}

export interface AdaptiveTrigger {
  readonly type: number;
  /** Up to 10 bytes; missing ones are 0. */
  readonly parameters: Uint8Array;
}

const ADAPTIVE_RIGHT = 4;
const ADAPTIVE_LEFT = 8;
const ADAPTIVE_PARAMETER_BYTES = 10;

export function encodeTermination(code: number): ControlMessage {
  const payload = new Uint8Array(4);
  viewOf(payload).setUint32(0, code);
  return { type: HOST_MESSAGE.termination, payload };
}

/** Motors 0–65535. */
export function encodeRumble(pad: number, lowMotor: number, highMotor: number): ControlMessage {
  const payload = new Uint8Array(10);
  writeU16(payload, 4, [pad, lowMotor, highMotor]);
  return { type: HOST_MESSAGE.rumble, payload };
}

export function encodeTriggerRumble(pad: number, left: number, right: number): ControlMessage {
  const payload = new Uint8Array(6);
  writeU16(payload, 0, [pad, left, right]);
  return { type: HOST_MESSAGE.triggerRumble, payload };
}

/** Rate 0 stops the reports. */
export function encodeMotion(pad: number, rateHz: number, sensor: MotionSensor): ControlMessage {
  const payload = new Uint8Array(5);
  writeU16(payload, 0, [pad, rateHz]);
  payload[4] = sensor === 'accelerometer' ? 1 : 2;
  return { type: HOST_MESSAGE.motion, payload };
}

export function encodeLight(pad: number, red: number, green: number, blue: number): ControlMessage {
  const payload = new Uint8Array(5);
  writeU16(payload, 0, [pad]);
  payload.set([clamp(red, 255), clamp(green, 255), clamp(blue, 255)], 2);
  return { type: HOST_MESSAGE.light, payload };
}

/** A trigger that is null stays as it is. */
export function encodeAdaptiveTriggers(
  pad: number,
  left: AdaptiveTrigger | null,
  right: AdaptiveTrigger | null,
): ControlMessage {
  const payload = new Uint8Array(5 + 2 * ADAPTIVE_PARAMETER_BYTES);
  writeU16(payload, 0, [pad]);
  payload[2] = (right ? ADAPTIVE_RIGHT : 0) | (left ? ADAPTIVE_LEFT : 0);
  payload[3] = clamp(left?.type ?? 0, 255);
  payload[4] = clamp(right?.type ?? 0, 255);
  if (left) payload.set(left.parameters.subarray(0, ADAPTIVE_PARAMETER_BYTES), 5);
  if (right) payload.set(right.parameters.subarray(0, ADAPTIVE_PARAMETER_BYTES), 15);
  return { type: HOST_MESSAGE.adaptiveTriggers, payload };
}

/** Metadata is null while HDR is off. */
export function encodeHdrMode(isOn: boolean, metadata: HdrMetadata | null): ControlMessage {
  const payload = new Uint8Array(27);
  payload[0] = isOn ? 1 : 0;
  if (metadata) {
    const { red, green, blue, white } = metadata;
    writeU16(payload, 1, [
      ...[red, green, blue, white].flatMap(({ x, y }) => [x, y]),
      metadata.maxDisplayNits,
      metadata.minDisplayTenThousandthNits,
      metadata.maxContentNits,
      metadata.maxFrameAverageNits,
      metadata.maxFullFrameNits,
    ]);
  }
  return { type: HOST_MESSAGE.hdrMode, payload };
}

function writeU16(into: Uint8Array, offset: number, values: readonly number[]): void {
  const view = viewOf(into);
  for (const [index, value] of values.entries()) {
    view.setUint16(offset + index * 2, clamp(value, 0xffff), true);
  }
}

function clamp(value: number, max: number): number {
  if (!(value > 0)) return 0;
  return Math.min(max, Math.round(value));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
