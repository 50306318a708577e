/**
 * Framing of sway's IPC (the i3 protocol, sway-ipc(7)). Pure.
 *
 * | offset | size | meaning                                        |
 * |--------|------|------------------------------------------------|
 * | 0      | 6    | `i3-ipc`                                       |
 * | 6      | 4    | payload bytes, host byte order                 |
 * | 10     | 4    | message type; the top bit marks an event       |
 * | 14     | …    | payload: a command, or JSON in replies         |
 */

const MAGIC = new TextEncoder().encode('i3-ipc');
export const SWAY_HEADER_BYTES = 14;
/** A tree of many windows is some hundred KiB; beyond this the peer is not sway. */
export const SWAY_PAYLOAD_BYTES_MAX = 16 * 1024 * 1024;

export const SWAY_MESSAGE = {
  runCommand: 0,
  getWorkspaces: 1,
  getOutputs: 3,
  getVersion: 7,
} as const;

export interface SwayHeader {
  readonly payloadBytes: number;
  readonly type: number;
}

export function encodeSwayMessage(type: number, payload: string): Uint8Array<ArrayBuffer> {
  const body = new TextEncoder().encode(payload);
  const message = new Uint8Array(new ArrayBuffer(SWAY_HEADER_BYTES + body.length));
  const view = new DataView(message.buffer);
  message.set(MAGIC);
  view.setUint32(6, body.length, true);
  view.setUint32(10, type, true);
  message.set(body, SWAY_HEADER_BYTES);
  return message;
}

/** Header at the start of `bytes`; null while it is incomplete, a sentence when it is none. */
export function decodeSwayHeader(bytes: Uint8Array): SwayHeader | string | null {
  for (let index = 0; index < Math.min(bytes.length, MAGIC.length); index += 1) {
    if (bytes[index] !== MAGIC[index]) return 'the socket does not speak the i3 protocol';
  }
  if (bytes.length < SWAY_HEADER_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const payloadBytes = view.getUint32(6, true);
  if (payloadBytes > SWAY_PAYLOAD_BYTES_MAX) return `a message of ${payloadBytes} bytes`;
  return { payloadBytes, type: view.getUint32(10, true) };
}
