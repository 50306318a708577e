/**
 * Input packets, payload of control message 0x0206 (GameStream §8): u32 BE size of what follows,
 * u32 LE kind, body. Every encoder returns the packet and how it travels. Pure.
 */
import { concatBytes, viewOf } from './bytes.ts';

export type Delivery = 'reliable' | 'unreliable' | 'unsequenced';

export interface InputPacket {
  readonly channel: number;
  readonly delivery: Delivery;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface PadState {
  readonly number: number;
  /** Bit n: pad n is present. */
  readonly activeMask: number;
  readonly buttons: number;
  readonly buttons2: number;
  readonly leftTrigger: number;
  readonly rightTrigger: number;
  readonly leftX: number;
  readonly leftY: number;
  readonly rightX: number;
  readonly rightY: number;
}

export interface PadArrival {
  readonly number: number;
  readonly type: number;
  readonly capabilities: number;
  readonly supportedButtons: number;
}

export interface TouchContact {
  readonly event: number;
  /** Degrees, 0xFFFF unknown. */
  readonly rotation: number;
  readonly pointerId: number;
  readonly x: number;
  readonly y: number;
  readonly pressure: number;
  readonly major: number;
  readonly minor: number;
}

export interface PenState {
  readonly event: number;
  readonly tool: number;
  readonly buttons: number;
  readonly x: number;
  readonly y: number;
  readonly pressure: number;
  readonly rotation: number;
  readonly tilt: number;
  readonly major: number;
  readonly minor: number;
  /** A changed button must arrive even when the pen only moves. */
  readonly isButtonChange: boolean;
}

const CHANNEL = { general: 0, keyboard: 2, mouse: 3, pen: 4, touch: 5, text: 6 } as const;
const PAD_CHANNEL = 0x10;
const SENSOR_CHANNEL = 0x20;
const EVENT_HOVER = 0;
const EVENT_MOVE = 3;
const SENSOR_GYRO = 2;

/** A writer of fixed-size bodies. */
class Body {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  #at = 0;
  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.#view = viewOf(this.bytes);
  }
  u8(value: number): this {
    this.#view.setUint8(this.#at, value);
    this.#at += 1;
    return this;
  }
  i16be(value: number): this {
    this.#view.setInt16(this.#at, value);
    this.#at += 2;
    return this;
  }
  u16(value: number): this {
    this.#view.setUint16(this.#at, value, true);
    this.#at += 2;
    return this;
  }
  i16(value: number): this {
    this.#view.setInt16(this.#at, value, true);
    this.#at += 2;
    return this;
  }
  u32(value: number): this {
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
    return this;
  }
  f32(...values: readonly number[]): this {
    for (const value of values) {
      this.#view.setFloat32(this.#at, value, true);
      this.#at += 4;
    }
    return this;
  }
}

function packet(
  kind: number,
  channel: number,
  body: Uint8Array,
  delivery: Delivery = 'reliable',
): InputPacket {
  const head = new Uint8Array(8);
  viewOf(head).setUint32(0, 4 + body.length);
  viewOf(head).setUint32(4, kind, true);
  return { channel, delivery, bytes: concatBytes(head, body) };
}

export function enableHaptics(): InputPacket {
  return packet(0x0d, CHANNEL.general, new Body(2).u16(1).bytes);
}

export function moveMouse(dx: number, dy: number): InputPacket {
  return packet(0x07, CHANNEL.mouse, new Body(4).i16be(dx).i16be(dy).bytes);
}

/** `x`, `y` within a surface of `width` × `height`. */
export function placeMouse(x: number, y: number, width: number, height: number): InputPacket {
  const body = new Body(10)
    .i16be(x)
    .i16be(y)
    .u16(0)
    .i16be(width - 1)
    .i16be(height - 1);
  return packet(0x05, CHANNEL.mouse, body.bytes);
}

export function mouseButton(button: number, isDown: boolean): InputPacket {
  return packet(isDown ? 0x08 : 0x09, CHANNEL.mouse, new Body(1).u8(button).bytes);
}

/** 120 per notch, positive up. */
export function scroll(amount: number): InputPacket {
  return packet(0x0a, CHANNEL.mouse, new Body(6).i16be(amount).i16be(amount).u16(0).bytes);
}

/** 120 per notch, positive right. */
export function scrollSideways(amount: number): InputPacket {
  return packet(0x55000001, CHANNEL.mouse, new Body(2).i16be(amount).bytes);
}

/** Windows virtual key; the high byte 0x80 is added as devices do. */
export function key(code: number, isDown: boolean, modifiers = 0, flags = 0): InputPacket {
  const body = new Body(6)
    .u8(flags)
    .u16(0x8000 | code)
    .u8(modifiers)
    .u16(0);
  return packet(isDown ? 0x03 : 0x04, CHANNEL.keyboard, body.bytes);
}

/** One packet per code point. */
export function text(value: string): InputPacket[] {
  return Array.from(value, (point) => packet(0x17, CHANNEL.text, new TextEncoder().encode(point)));
}

export function padState(state: PadState): InputPacket {
  const body = new Body(26)
    .u16(0x001a)
    .u16(state.number)
    .u16(state.activeMask)
    .u16(0x0014)
    .u16(state.buttons)
    .u8(state.leftTrigger)
    .u8(state.rightTrigger)
    .i16(state.leftX)
    .i16(state.leftY)
    .i16(state.rightX)
    .i16(state.rightY)
    .u16(0x009c)
    .u16(state.buttons2)
    .u16(0x0055);
  return packet(0x0c, PAD_CHANNEL + state.number, body.bytes);
}

/** All buttons and axes at rest. */
export function restingPad(number: number, activeMask: number): PadState {
  return {
    number,
    activeMask,
    buttons: 0,
    buttons2: 0,
    leftTrigger: 0,
    rightTrigger: 0,
    leftX: 0,
    leftY: 0,
    rightX: 0,
    rightY: 0,
  };
}

export function padArrival(arrival: PadArrival): InputPacket {
  const body = new Body(8)
    .u8(arrival.number)
    .u8(arrival.type)
    .u16(arrival.capabilities)
    .u32(arrival.supportedButtons);
  return packet(0x55000004, PAD_CHANNEL + arrival.number, body.bytes);
}

export function padTouch(
  number: number,
  event: number,
  touchpad: number,
  pointerId: number,
  x: number,
  y: number,
  pressure: number,
): InputPacket {
  const body = new Body(20).u8(number).u8(event).u8(0).u8(touchpad).u32(pointerId);
  return packet(0x55000005, PAD_CHANNEL + number, body.f32(x, y, pressure).bytes);
}

/** `type` 1 acceleration in m/s², 2 rotation in degrees/s; a gyro at rest says stop, reliably. */
export function padMotion(
  number: number,
  type: number,
  x: number,
  y: number,
  z: number,
): InputPacket {
  const isStop = type === SENSOR_GYRO && x === 0 && y === 0 && z === 0;
  const body = new Body(16).u8(number).u8(type).u16(0).f32(x, y, z);
  const delivery = isStop ? 'reliable' : 'unreliable';
  return packet(0x55000006, SENSOR_CHANNEL + number, body.bytes, delivery);
}

export function padBattery(number: number, state: number, percent: number): InputPacket {
  const body = new Body(4).u8(number).u8(state).u8(percent).u8(0);
  return packet(0x55000007, PAD_CHANNEL + number, body.bytes);
}

export function touch(contact: TouchContact): InputPacket {
  const body = new Body(28)
    .u8(contact.event)
    .u8(0)
    .u16(contact.rotation)
    .u32(contact.pointerId)
    .f32(contact.x, contact.y, contact.pressure, contact.major, contact.minor);
  return packet(0x55000002, CHANNEL.touch, body.bytes, deliveryOf(contact.event));
}

export function pen(state: PenState): InputPacket {
  const body = new Body(28)
    .u8(state.event)
    .u8(state.tool)
    .u8(state.buttons)
    .u8(0)
    .f32(state.x, state.y, state.pressure)
    .u16(state.rotation)
    .u8(state.tilt)
    .u8(0)
    .f32(state.major, state.minor);
  const delivery = state.isButtonChange ? 'reliable' : deliveryOf(state.event);
  return packet(0x55000003, CHANNEL.pen, body.bytes, delivery);
}

/** What is soon followed by a newer position need not arrive. */
function deliveryOf(event: number): Delivery {
  return event === EVENT_HOVER || event === EVENT_MOVE ? 'unreliable' : 'reliable';
}
