/**
 * One media port of the device: pings so that the host learns where to send, receives, and loses on
 * purpose what a test wants lost (GameStream §5).
 */
import { createSocket, type Socket } from 'node:dgram';
import { concatBytes, viewOf } from './bytes.ts';

const PING_MS = 500;
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
const LEGACY_PING = new TextEncoder().encode('PING');

export interface MediaSocketOptions {
  readonly address: string;
  readonly port: number;
  /** 16 characters of SETUP, or null for the 4-byte ping. */
  readonly ping: string | null;
  /** Datagrams lost on purpose, 0–100. */
  readonly lossPct?: number;
  readonly seed?: number;
  readonly onDatagram: (datagram: Uint8Array, nowMs: number) => void;
}

export class MediaSocket {
  droppedCount = 0;
  lossPct: number;
  readonly #options: MediaSocketOptions;
  readonly #socket: Socket;
  readonly #random: () => number;
  #timer: ReturnType<typeof setInterval> | undefined;
  #counter = 0;
  #isClosed = false;

  private constructor(options: MediaSocketOptions) {
    this.#options = options;
    this.lossPct = options.lossPct ?? 0;
    this.#random = seededRatios(options.seed ?? 1);
    this.#socket = createSocket(options.address.includes(':') ? 'udp6' : 'udp4');
  }

  static async open(options: MediaSocketOptions): Promise<MediaSocket> {
    const media = new MediaSocket(options);
    media.#socket.on('error', () => undefined);
    media.#socket.on('message', (datagram) => media.#receive(datagram));
    await new Promise<void>((resolve) => media.#socket.bind(0, () => resolve()));
    media.#socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
    media.#ping();
    media.#timer = setInterval(() => media.#ping(), PING_MS);
    return media;
  }

  /** Any bytes to the host's media port. */
  send(datagram: Uint8Array): void {
    if (this.#isClosed) return;
    this.#socket.send(datagram, this.#options.port, this.#options.address, () => undefined);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#socket.close();
  }

  #receive(datagram: Uint8Array): void {
    if (this.#isClosed) return;
    if (this.lossPct > 0 && this.#random() * 100 < this.lossPct) {
      this.droppedCount += 1;
      return;
    }
    this.#options.onDatagram(datagram, performance.now());
  }

  #ping(): void {
    this.#counter += 1;
    this.send(pingDatagram(this.#options.ping, this.#counter));
  }
}

/** 16 bytes of payload and u32 BE counter, or `PING`. */
export function pingDatagram(payload: string | null, counter: number): Uint8Array {
  if (payload === null) return LEGACY_PING;
  const count = new Uint8Array(4);
  viewOf(count).setUint32(0, counter);
  return concatBytes(new TextEncoder().encode(payload), count);
}

/** Repeatable numbers in 0…1: Park and Miller's generator. */
function seededRatios(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
