/**
 * The UDP socket under an ENet core: hands datagrams in and out and wakes the core in time.
 *
 * A peer that is gone answers with ICMP errors: they are thrown by `send` and delivered again to
 * the `error` handler, and neither may end the process.
 */
import { endpointKey, endpointOf } from './endpoint.ts';

/** What the socket drives; an ENet host or what wraps one. */
export interface DatagramCore {
  receive(bytes: Uint8Array, from: string): void;
  tick(): void;
  nextWakeMs(): number;
}

export interface EnetSocketOptions {
  readonly bindAddress: string;
  /** 0: the system chooses. */
  readonly port: number;
  readonly nowMs: () => number;
}

/** Timers are not asked for less than this; the core's own deadlines are coarser. */
const WAKE_MIN_MS = 5;
/** The core is looked at this often even without a deadline. */
const WAKE_MAX_MS = 1000;

export class EnetSocket {
  readonly #socket: Bun.udp.Socket<'uint8array'>;
  readonly #nowMs: () => number;
  #core: DatagramCore | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #wakesAtMs = 0;
  #isClosed = false;
  #sendErrorCount = 0;

  private constructor(socket: Bun.udp.Socket<'uint8array'>, nowMs: () => number) {
    this.#socket = socket;
    this.#nowMs = nowMs;
  }

  /** Binds; rejects with the system's error (EADDRINUSE, EACCES). */
  static async bind(options: EnetSocketOptions): Promise<EnetSocket> {
    let self: EnetSocket | null = null;
    const socket = await Bun.udpSocket({
      hostname: options.bindAddress,
      port: options.port,
      binaryType: 'uint8array',
      socket: {
        data(_socket, bytes: Uint8Array, port, address) {
          self?.receive(bytes, endpointKey(address, port));
        },
        error() {
          // ICMP unreachable of a peer that left; its own timeout deals with it.
        },
      },
    });
    self = new EnetSocket(socket as Bun.udp.Socket<'uint8array'>, options.nowMs);
    return self;
  }

  get port(): number {
    return this.#socket.port;
  }

  get sendErrorCount(): number {
    return this.#sendErrorCount;
  }

  /** Begins to deliver datagrams to `core`; until then they are dropped. */
  drive(core: DatagramCore): void {
    this.#core = core;
    this.wake();
  }

  receive(bytes: Uint8Array, from: string): void {
    if (!this.#core || this.#isClosed) return;
    this.#core.receive(bytes, from);
    this.wake();
  }

  /** Sends one datagram; errors are counted. */
  transmit(to: string, bytes: Uint8Array): void {
    if (this.#isClosed) return;
    const { address, port } = endpointOf(to);
    try {
      this.#socket.send(bytes, port, address);
    } catch {
      this.#sendErrorCount += 1;
    }
  }

  /** Plans the next look at the core; call after anything was queued from outside. */
  wake(): void {
    const core = this.#core;
    if (!core || this.#isClosed) return;
    const now = this.#nowMs();
    const waitMs = Math.min(WAKE_MAX_MS, Math.max(WAKE_MIN_MS, core.nextWakeMs() - now));
    // An earlier look that is planned already plans this one.
    if (this.#timer && this.#wakesAtMs <= now + waitMs) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#wakesAtMs = now + waitMs;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      core.tick();
      this.wake();
    }, waitMs);
  }

  close(): void {
    this.#isClosed = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#socket.close();
  }
}
