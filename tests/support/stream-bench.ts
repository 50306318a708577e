/**
 * A stream's sending half as it runs in the host: the real packet worker on its own thread, real
 * sockets, a frame ring filled by the test, and a receiver that decodes what arrives on loopback.
 */
import { libc } from '../../ffi/libc.ts';
import { getIntOption, SOCKET, setIntOption } from '../../ffi/libc-socket.ts';
import { monotonicNs } from '../../ffi/libc-time.ts';
import { pin, stableBytes, unpin } from '../../ffi/pins.ts';
import { packSocketAddress } from '../../src/net/socket-address.ts';
import { openUdpSocket } from '../../src/net/udp-socket.ts';
import { datagramBytesOf } from '../../src/packet/gamestream-video-format.ts';
import {
  GameStreamVideoReceiver,
  type VideoEvent,
} from '../../src/packet/gamestream-video-receive.ts';
import { FrameRingWriter } from '../../src/pipeline/frame-ring.ts';
import type { StartPackets, WorkerReport } from '../../src/pipeline/messages.ts';
import { StreamControl } from '../../src/pipeline/stream-control.ts';
import { createStreamMemory } from '../../src/pipeline/stream-memory.ts';
import type { GameStreamPacketFormat } from '../../src/session/plan.ts';

const MSG_DONTWAIT = 0x40;
const RECEIVE_BUFFER_BYTES = 16 * 1024 * 1024;
const STOP_TIMEOUT_MS = 2000;

/** A sealed LAN stream with 20 % parity. */
export const STREAM_FORMAT: GameStreamPacketFormat = {
  kind: 'gamestream',
  packetSize: 1392,
  parityPct: 20,
  minParityShards: 2,
  sealVideo: true,
  sealAudio: false,
  key: Uint8Array.from({ length: 16 }, (_, index) => index * 3),
  keyId: 1,
  videoDscp: 0,
  audioDscp: 0,
};

export interface StreamBenchOptions {
  readonly format?: GameStreamPacketFormat;
  readonly fps: number;
  readonly testDropPct?: number;
  readonly segmentationOffload?: boolean;
  /** Leave the destination unknown at the start. */
  readonly isSilent?: boolean;
  readonly bindAddress?: '127.0.0.1' | '::';
}

/** Bytes of receive buffer this user gets on this machine, as the system counts them. */
export function grantedReceiveBuffer(): number {
  const socket = openUdpSocket({ bindAddress: '127.0.0.1', port: 0 });
  growReceiveBuffer(socket.fd);
  const granted = getIntOption(socket.fd, SOCKET.SOL_SOCKET, SOCKET.SO_RCVBUF);
  socket.close();
  return granted;
}

function growReceiveBuffer(fd: number): void {
  const { SOL_SOCKET, SO_RCVBUF, SO_RCVBUFFORCE } = SOCKET;
  if (setIntOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES) < 0) {
    setIntOption(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES);
  }
}

export class StreamBench {
  readonly control = new StreamControl();
  readonly writer: FrameRingWriter;
  readonly receiver: GameStreamVideoReceiver;
  readonly events: VideoEvent[] = [];
  readonly reports: WorkerReport[] = [];
  /** Datagrams seen by the receiver's socket. */
  receivedCount = 0;
  readonly #worker: Worker;
  readonly #output: ReturnType<typeof openUdpSocket>;
  readonly #input = openUdpSocket({ bindAddress: '127.0.0.1', port: 0 });
  readonly #buffer: Uint8Array<ArrayBuffer>;

  constructor(options: StreamBenchOptions) {
    const format = options.format ?? STREAM_FORMAT;
    const { memory, ring } = createStreamMemory(format);
    this.writer = new FrameRingWriter(ring);
    this.receiver = new GameStreamVideoReceiver({
      packetSize: format.packetSize,
      key: format.sealVideo ? format.key : null,
    });
    this.#output = openUdpSocket({ bindAddress: options.bindAddress ?? '127.0.0.1', port: 0 });
    growReceiveBuffer(this.#input.fd);
    this.#buffer = pin(stableBytes(datagramBytesOf(format) + 1));
    if (!options.isSilent) this.aim();
    this.#worker = new Worker(new URL('../../src/workers/packet.ts', import.meta.url).href);
    this.#worker.onmessage = ({ data }: MessageEvent<WorkerReport>) => this.reports.push(data);
    const order: StartPackets = {
      kind: 'start-packets',
      control: this.control.buffer,
      memory,
      ring,
      format,
      socketFd: this.#output.fd,
      fpsNum: options.fps,
      fpsDen: 1,
      testDropPct: options.testDropPct ?? 0,
      segmentationOffload: options.segmentationOffload ?? true,
    };
    this.#worker.postMessage(order);
  }

  /** Points the stream at this bench's receiver. */
  aim(): void {
    const address = packSocketAddress('127.0.0.1', this.#input.port, this.#output.family);
    if (address) this.control.setAddress('video', address);
  }

  /** Pushes one access unit, waiting while the ring is full, and receives meanwhile. */
  async push(accessUnit: Uint8Array, frameIndex: number, flags = 0): Promise<void> {
    const nowNs = monotonicNs();
    const record = { frameIndex, flags, captureNs: nowNs - 1e6, encodedNs: nowNs };
    while (!this.writer.push(accessUnit, record)) await this.breathe();
    this.drain();
  }

  /** Receives until `isDone` or the time is over; returns whether it is done. */
  async until(isDone: () => boolean, timeoutMs = 5000): Promise<boolean> {
    const giveUpNs = monotonicNs() + timeoutMs * 1e6;
    while (!isDone() && monotonicNs() < giveUpNs) await this.breathe();
    return isDone();
  }

  async breathe(): Promise<void> {
    this.drain();
    await Bun.sleep(1);
  }

  drain(): void {
    const { recv } = libc();
    for (;;) {
      const length = recv(this.#input.fd, this.#buffer, this.#buffer.length, MSG_DONTWAIT);
      if (length < 0) return;
      this.receivedCount += 1;
      this.events.push(...this.receiver.receive(this.#buffer.slice(0, length)));
    }
  }

  framesReceived(): number {
    return this.events.filter((event) => event.kind === 'frame').length;
  }

  fact(name: string): string | undefined {
    const found = this.reports.findLast((report) => report.kind === 'fact' && report.name === name);
    return found?.kind === 'fact' ? found.value : undefined;
  }

  /** Ends the worker; false when it did not acknowledge in time. */
  async stop(): Promise<boolean> {
    this.control.set('stop', 1);
    const isStopped = () => this.reports.some((report) => report.kind === 'stopped');
    const acknowledged = await this.until(isStopped, STOP_TIMEOUT_MS);
    this.#worker.terminate();
    this.#output.close();
    this.#input.close();
    unpin(this.#buffer);
    return acknowledged;
  }
}
