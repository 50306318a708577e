/**
 * ENet 1.3 datagrams: reading commands and writing the ones a host sends. All fields are
 * big-endian but the opaque connectID.
 *
 * Datagram: u16 peer word (bits 0–11 receiver's peer index, 12–13 session, 14 compressed, 15 time
 * present), u16 sent time when bit 15, then up to 32 commands. Command header: u8 number | flags,
 * u8 channel, u16 reliable sequence number. Source: GameStream §6.1; enet protocol.h.
 */

export const COMMAND = {
  acknowledge: 1,
  connect: 2,
  verifyConnect: 3,
  disconnect: 4,
  ping: 5,
  sendReliable: 6,
  sendUnreliable: 7,
  sendFragment: 8,
  sendUnsequenced: 9,
  bandwidthLimit: 10,
  throttleConfigure: 11,
  sendUnreliableFragment: 12,
} as const;

export const FLAG_ACKNOWLEDGE = 0x80;
export const FLAG_UNSEQUENCED = 0x40;
const NUMBER_MASK = 0x0f;

/** Fixed size of each command by number; data follows where the command carries any. */
const COMMAND_BYTES = [0, 8, 48, 44, 8, 4, 6, 8, 24, 8, 12, 16, 24] as const;
const CARRIES_DATA = new Set<number>([6, 7, 8, 9, 12]);
/** Offset of the u16 data length inside a command that carries data. */
const DATA_LENGTH_OFFSET = [0, 0, 0, 0, 0, 0, 4, 6, 6, 6, 0, 0, 6] as const;

export const COMMANDS_PER_DATAGRAM_MAX = 32;
export const NO_PEER = 0xfff;
/** Channel of connection-level commands. */
export const CONNECTION_CHANNEL = 0xff;
const WORD_PEER_MASK = 0x0fff;
const WORD_SESSION_SHIFT = 12;
const WORD_COMPRESSED = 0x4000;
const WORD_SENT_TIME = 0x8000;
/** Larger than any path the clients use; what is longer is not ENet. */
const DATAGRAM_BYTES_MAX = 4096;

export interface EnetCommand {
  readonly number: number;
  readonly wantsAck: boolean;
  readonly isUnsequenced: boolean;
  readonly channel: number;
  readonly sequence: number;
  /** Fixed part of the command, header included. */
  readonly fields: DataView;
  /** Empty for commands without data; a view into the datagram. */
  readonly data: Uint8Array;
}

export interface EnetHeader {
  readonly peerIndex: number;
  readonly session: number;
  /** Low 16 bits of the sender's millisecond clock; null when absent. */
  readonly sentTime: number | null;
  readonly commands: readonly EnetCommand[];
  /** The rest of the datagram was dropped at a malformed command. */
  readonly isCutShort: boolean;
}

/** Reads a datagram up to its first malformed command; null when not even the header is there. */
export function decodeDatagram(bytes: Uint8Array): EnetHeader | null {
  if (bytes.length < 2 || bytes.length > DATAGRAM_BYTES_MAX) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = view.getUint16(0);
  if ((word & WORD_COMPRESSED) !== 0) return null;
  const hasTime = (word & WORD_SENT_TIME) !== 0;
  if (hasTime && bytes.length < 4) return null;
  const commands: EnetCommand[] = [];
  let offset = hasTime ? 4 : 2;
  while (offset < bytes.length && commands.length < COMMANDS_PER_DATAGRAM_MAX) {
    const command = decodeCommand(bytes, view, offset);
    if (command === null) break;
    commands.push(command);
    offset += command.fields.byteLength + command.data.length;
  }
  return {
    peerIndex: word & WORD_PEER_MASK,
    session: (word >> WORD_SESSION_SHIFT) & 3,
    sentTime: hasTime ? view.getUint16(2) : null,
    commands,
    isCutShort: offset < bytes.length,
  };
}

function decodeCommand(bytes: Uint8Array, view: DataView, offset: number): EnetCommand | null {
  const first = bytes[offset] ?? 0;
  const number = first & NUMBER_MASK;
  const fixedBytes = COMMAND_BYTES[number] ?? 0;
  if (fixedBytes === 0 || bytes.length - offset < fixedBytes) return null;
  let dataBytes = 0;
  if (CARRIES_DATA.has(number)) {
    dataBytes = view.getUint16(offset + (DATA_LENGTH_OFFSET[number] ?? 0));
    if (bytes.length - offset - fixedBytes < dataBytes) return null;
  }
  const dataOffset = offset + fixedBytes;
  return {
    number,
    wantsAck: (first & FLAG_ACKNOWLEDGE) !== 0,
    isUnsequenced: (first & FLAG_UNSEQUENCED) !== 0,
    channel: bytes[offset + 1] ?? 0,
    sequence: view.getUint16(offset + 2),
    fields: new DataView(bytes.buffer, bytes.byteOffset + offset, fixedBytes),
    data: bytes.subarray(dataOffset, dataOffset + dataBytes),
  };
}

/** Body of a connect: what the host needs of it. */
export interface ConnectBody {
  readonly outgoingPeerId: number;
  readonly incomingSession: number;
  readonly outgoingSession: number;
  readonly mtuBytes: number;
  readonly windowBytes: number;
  readonly channelCount: number;
  readonly throttle: readonly [interval: number, acceleration: number, deceleration: number];
  readonly connectId: Uint8Array;
  readonly data: number;
}

export function decodeConnect(command: EnetCommand): ConnectBody {
  const { fields } = command;
  return {
    outgoingPeerId: fields.getUint16(4),
    incomingSession: fields.getUint8(6),
    outgoingSession: fields.getUint8(7),
    mtuBytes: fields.getUint32(8),
    windowBytes: fields.getUint32(12),
    channelCount: fields.getUint32(16),
    throttle: [fields.getUint32(28), fields.getUint32(32), fields.getUint32(36)],
    connectId: new Uint8Array(fields.buffer, fields.byteOffset + 40, 4).slice(),
    data: fields.getUint32(44),
  };
}

/** Header of a datagram towards a peer. `sentTime` null leaves the time out. */
export function encodeDatagramHeader(
  into: Uint8Array,
  peerIndex: number,
  session: number,
  sentTime: number | null,
): number {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  const word = (peerIndex & WORD_PEER_MASK) | ((session & 3) << WORD_SESSION_SHIFT);
  view.setUint16(0, sentTime === null ? word : word | WORD_SENT_TIME);
  if (sentTime === null) return 2;
  view.setUint16(2, sentTime & 0xffff);
  return 4;
}

function commandBytes(
  number: number,
  flags: number,
  channel: number,
  sequence: number,
  dataBytes = 0,
): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array((COMMAND_BYTES[number] ?? 0) + dataBytes);
  const view = new DataView(bytes.buffer);
  bytes[0] = number | flags;
  bytes[1] = channel;
  view.setUint16(2, sequence);
  return { bytes, view };
}

export function encodeAcknowledge(
  channel: number,
  receivedSequence: number,
  receivedSentTime: number,
): Uint8Array {
  const { bytes, view } = commandBytes(COMMAND.acknowledge, 0, channel, receivedSequence);
  view.setUint16(4, receivedSequence);
  view.setUint16(6, receivedSentTime);
  return bytes;
}

export function encodeVerifyConnect(body: {
  readonly sequence: number;
  readonly outgoingPeerId: number;
  readonly incomingSession: number;
  readonly outgoingSession: number;
  readonly mtuBytes: number;
  readonly windowBytes: number;
  readonly channelCount: number;
  readonly throttle: ConnectBody['throttle'];
  readonly connectId: Uint8Array;
}): Uint8Array {
  const { bytes, view } = commandBytes(
    COMMAND.verifyConnect,
    FLAG_ACKNOWLEDGE,
    CONNECTION_CHANNEL,
    body.sequence,
  );
  view.setUint16(4, body.outgoingPeerId);
  view.setUint8(6, body.incomingSession);
  view.setUint8(7, body.outgoingSession);
  view.setUint32(8, body.mtuBytes);
  view.setUint32(12, body.windowBytes);
  view.setUint32(16, body.channelCount);
  // Bandwidth 0/0 at 20 and 24: unlimited.
  view.setUint32(28, body.throttle[0]);
  view.setUint32(32, body.throttle[1]);
  view.setUint32(36, body.throttle[2]);
  bytes.set(body.connectId.subarray(0, 4), 40);
  return bytes;
}

/** Connection-level ping. */
export function encodePing(sequence: number): Uint8Array {
  return commandBytes(COMMAND.ping, FLAG_ACKNOWLEDGE, CONNECTION_CHANNEL, sequence).bytes;
}

/** Disconnect that wants an ack, or the immediate form that does not. */
export function encodeDisconnect(sequence: number, data: number, isImmediate: boolean): Uint8Array {
  const flags = isImmediate ? FLAG_UNSEQUENCED : FLAG_ACKNOWLEDGE;
  const { bytes, view } = commandBytes(COMMAND.disconnect, flags, CONNECTION_CHANNEL, sequence);
  view.setUint32(4, data);
  return bytes;
}

export function encodeReliable(channel: number, sequence: number, data: Uint8Array): Uint8Array {
  const { bytes, view } = commandBytes(
    COMMAND.sendReliable,
    FLAG_ACKNOWLEDGE,
    channel,
    sequence,
    data.length,
  );
  view.setUint16(4, data.length);
  bytes.set(data, 6);
  return bytes;
}

export function encodeUnreliable(
  channel: number,
  reliableSequence: number,
  unreliableSequence: number,
  data: Uint8Array,
): Uint8Array {
  const { bytes, view } = commandBytes(
    COMMAND.sendUnreliable,
    0,
    channel,
    reliableSequence,
    data.length,
  );
  view.setUint16(4, unreliableSequence);
  view.setUint16(6, data.length);
  bytes.set(data, 8);
  return bytes;
}

export function encodeUnsequenced(channel: number, group: number, data: Uint8Array): Uint8Array {
  const { bytes, view } = commandBytes(
    COMMAND.sendUnsequenced,
    FLAG_UNSEQUENCED,
    channel,
    0,
    data.length,
  );
  view.setUint16(4, group);
  view.setUint16(6, data.length);
  bytes.set(data, 8);
  return bytes;
}
