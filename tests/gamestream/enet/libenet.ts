/**
 * libenet.so.7 (Debian libenet7, ENet 1.3.17) as the device's side: the reference implementation,
 * called by FFI for tests alone.
 *
 * ENetAddress: u32 host, u16 port. ENetEvent: i32 type, peer at 8, u8 channel at 16, u32 data at 20,
 * packet at 24. ENetPacket: data pointer at 16, size at 24. Source: enet/enet.h, 64-bit.
 */
import { read, toArrayBuffer } from 'bun:ffi';
import { bindLibrary, cString, LibraryError } from '../../../ffi/loader.ts';
import { pin, stableBytes, unpin } from '../../../ffi/pins.ts';

const SYMBOLS = {
  enet_initialize: { args: [], returns: 'i32' },
  enet_address_set_host: { args: ['ptr', 'ptr'], returns: 'i32' },
  enet_host_create: { args: ['ptr', 'usize', 'usize', 'u32', 'u32'], returns: 'ptr' },
  enet_host_connect: { args: ['ptr', 'ptr', 'usize', 'u32'], returns: 'ptr' },
  enet_host_service: { args: ['ptr', 'ptr', 'u32'], returns: 'i32' },
  enet_host_destroy: { args: ['ptr'], returns: 'void' },
  enet_packet_create: { args: ['ptr', 'usize', 'u32'], returns: 'ptr' },
  enet_packet_destroy: { args: ['ptr'], returns: 'void' },
  enet_peer_send: { args: ['ptr', 'u8', 'ptr'], returns: 'i32' },
  enet_peer_disconnect: { args: ['ptr', 'u32'], returns: 'void' },
  enet_peer_disconnect_now: { args: ['ptr', 'u32'], returns: 'void' },
} as const;

const EVENTS = ['none', 'connect', 'disconnect', 'receive'] as const;
const FLAGS = { unreliable: 0, reliable: 1, unsequenced: 2 } as const;

function bind() {
  return bindLibrary(['libenet.so.7'], SYMBOLS).symbols;
}

/** Why the library cannot be used here, or null. */
export function libenetProblem(): string | null {
  try {
    return bind().enet_initialize() === 0 ? null : 'libenet does not initialise';
  } catch (error) {
    return error instanceof LibraryError ? error.message : String(error);
  }
}

export interface LibenetEvent {
  readonly type: (typeof EVENTS)[number];
  readonly channel: number;
  readonly bytes: Buffer;
}

export class LibenetClient {
  readonly events: LibenetEvent[] = [];
  readonly #enet = bind();
  readonly #event = pin(stableBytes(32));
  readonly #address = pin(stableBytes(8));
  readonly #host: number;
  readonly #peer: number;

  /** Begins to connect to a port of 127.0.0.1. */
  constructor(port: number, channelCount: number, connectData: number) {
    const host = this.#enet.enet_host_create(null, 1, channelCount, 0, 0);
    this.#enet.enet_address_set_host(this.#address, cString('127.0.0.1'));
    new DataView(this.#address.buffer).setUint16(4, port, true);
    const peer = host
      ? this.#enet.enet_host_connect(host, this.#address, channelCount, connectData)
      : null;
    if (!host || !peer) throw new Error('libenet gave no host or peer');
    this.#host = host;
    this.#peer = peer;
  }

  get kinds(): readonly string[] {
    return this.events.map((event) => event.type);
  }

  send(channel: number, bytes: Uint8Array, delivery: keyof typeof FLAGS): void {
    const packet = this.#enet.enet_packet_create(bytes, bytes.length, FLAGS[delivery]);
    if (this.#enet.enet_peer_send(this.#peer, channel, packet) !== 0) throw new Error('not sent');
  }

  disconnect(order: 'after-ack' | 'now'): void {
    if (order === 'now') this.#enet.enet_peer_disconnect_now(this.#peer, 0);
    else this.#enet.enet_peer_disconnect(this.#peer, 0);
  }

  /** Lets the library send and receive what is due. */
  service(): void {
    const view = new DataView(this.#event.buffer);
    while (this.#enet.enet_host_service(this.#host, this.#event, 0) > 0) {
      const type = EVENTS[view.getInt32(0, true)] ?? 'none';
      let bytes = Buffer.alloc(0);
      const packet = Number(view.getBigUint64(24, true));
      if (type === 'receive' && packet !== 0) {
        const data = read.ptr(packet as never, 16);
        const size = Number(read.u64(packet as never, 24));
        if (size > 0) bytes = Buffer.from(new Uint8Array(toArrayBuffer(data as never, 0, size)));
        this.#enet.enet_packet_destroy(packet);
      }
      this.events.push({ type, channel: view.getUint8(16), bytes });
    }
  }

  close(): void {
    this.#enet.enet_host_destroy(this.#host);
    unpin(this.#event);
    unpin(this.#address);
  }
}
