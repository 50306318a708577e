/**
 * Input packets: payload of control message 0x0206 to one typed event.
 *
 * Header: u32 BE size of what follows this field, u32 LE magic. The size is checked against the
 * message and the packet's own minimum before anything is read; longer packets are accepted,
 * unknown magics are told apart from damaged packets. Pure. Source: GameStream §8.
 */
import type { InputEvent } from '../../inject/dispatch-events.ts';
import type { PointerButton } from '../../inject/port.ts';
import { MAGIC } from './magic.ts';
import { decodePad } from './pad-packets.ts';
import { decodePen, decodeTouch } from './touch-packets.ts';

export type InputDecoded =
  | { readonly ok: true; readonly event: InputEvent }
  | { readonly ok: false; readonly reason: 'short' | 'size' | 'range' | 'unknown' };

const HEADER_BYTES = 8;
/** Bytes of the magic, counted by the size field. */
const MAGIC_BYTES = 4;

/** Smallest packet of each kind, header included: what is read of it. */
const PACKET_BYTES_MIN: ReadonlyMap<number, number> = new Map([
  [MAGIC.keyDown, 12],
  [MAGIC.keyUp, 12],
  [MAGIC.absoluteMouse, 18],
  [MAGIC.relativeMouse, 12],
  [MAGIC.buttonDown, 9],
  [MAGIC.buttonUp, 9],
  [MAGIC.scroll, 10],
  [MAGIC.padState, 34],
  [MAGIC.haptics, 10],
  [MAGIC.text, 9],
  [MAGIC.horizontalScroll, 10],
  [MAGIC.touch, 36],
  [MAGIC.pen, 36],
  [MAGIC.padArrival, 16],
  [MAGIC.padTouch, 28],
  [MAGIC.padMotion, 24],
  [MAGIC.padBattery, 12],
]);

const BUTTONS: readonly (PointerButton | undefined)[] = [
  undefined,
  'left',
  'middle',
  'right',
  'side',
  'extra',
];
/** Clients send one code point per packet; a few more in one packet do no harm. */
const TEXT_BYTES_MAX = 32;
const MODIFIER_BITS = 0x0f;
/** Flag of key events: the key code belongs to the device's layout. */
const FLAG_DEVICE_LAYOUT = 1;

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

export function decodeInput(packet: Uint8Array): InputDecoded {
  if (packet.length < HEADER_BYTES) return refused('short');
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const packetBytes = view.getUint32(0) + MAGIC_BYTES;
  const magic = view.getUint32(4, true);
  const minBytes = PACKET_BYTES_MIN.get(magic);
  if (minBytes === undefined) return refused('unknown');
  if (packetBytes > packet.length || packetBytes < minBytes) return refused('size');
  const body = new DataView(packet.buffer, packet.byteOffset + HEADER_BYTES, packetBytes - 8);
  const event = decodeBody(magic, body);
  return event ? { ok: true, event } : refused('range');
}

/** Null: a value has no meaning. `body` is at least as long as its magic demands. */
function decodeBody(magic: number, body: DataView): InputEvent | null {
  switch (magic) {
    case MAGIC.relativeMouse:
      return {
        kind: 'pointer-move',
        dxPixels: body.getInt16(0),
        dyPixels: body.getInt16(2),
      };
    case MAGIC.absoluteMouse:
      return decodePosition(body);
    case MAGIC.buttonDown:
    case MAGIC.buttonUp: {
      const button = BUTTONS[body.getUint8(0)];
      if (!button) return null;
      return { kind: 'pointer-button', button, isDown: magic === MAGIC.buttonDown };
    }
    case MAGIC.scroll:
      return { kind: 'scroll', verticalUnits: body.getInt16(0), horizontalUnits: 0 };
    case MAGIC.horizontalScroll:
      return { kind: 'scroll', verticalUnits: 0, horizontalUnits: body.getInt16(0) };
    case MAGIC.keyDown:
    case MAGIC.keyUp:
      return decodeKey(body, magic === MAGIC.keyDown);
    case MAGIC.text:
      return decodeText(body);
    case MAGIC.haptics:
      return { kind: 'haptics', isEnabled: body.getUint16(0, true) !== 0 };
    case MAGIC.touch:
      return decodeTouch(body);
    case MAGIC.pen:
      return decodePen(body);
    default:
      return decodePad(magic, body);
  }
}

function decodePosition(body: DataView): InputEvent | null {
  // The device sends its reference size minus one.
  const maxX = body.getInt16(6);
  const maxY = body.getInt16(8);
  if (maxX <= 0 || maxY <= 0) return null;
  const x = Math.min(1, Math.max(0, body.getInt16(0) / maxX));
  const y = Math.min(1, Math.max(0, body.getInt16(2) / maxY));
  return { kind: 'pointer-position', x, y };
}

function decodeKey(body: DataView, isDown: boolean): InputEvent | null {
  // Clients set the high byte of the code to 0x80.
  const virtualKey = body.getUint16(1, true) & 0xff;
  if (virtualKey === 0) return null;
  return {
    kind: 'key',
    virtualKey,
    isDown,
    modifiers: body.getUint8(3) & MODIFIER_BITS,
    isDeviceLayout: (body.getUint8(0) & FLAG_DEVICE_LAYOUT) !== 0,
  };
}

function decodeText(body: DataView): InputEvent | null {
  if (body.byteLength > TEXT_BYTES_MAX) return null;
  const text = utf8.decode(body);
  if (text.includes('\ufffd') || text.includes('\0')) return null;
  return { kind: 'text', text };
}

function refused(reason: 'short' | 'size' | 'range' | 'unknown'): InputDecoded {
  return { ok: false, reason };
}
