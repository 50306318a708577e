/**
 * The device's video plane after the socket: opening, recovery by parity, what is shown, what is
 * asked for, and what of the host's numbers is against the rules.
 */
import { GameStreamVideoReceiver } from '../../../src/packet/gamestream-video-receive.ts';
import type { ParityStatus } from './control-messages.ts';
import { type Codec, readPictureStart } from './key-picture.ts';
import { ParityLedger } from './parity-ledger.ts';
import { LossRecovery, type RecoveryRequest } from './recovery.ts';
import { openVideoDatagram, readShardHeader, type ShardHeader } from './shard-header.ts';

const RTP_BYTES = 16;
const FRAME_HEADER_BYTES = 8;
const FRAMES_MAX = 100_000;

export interface FrameRecord {
  readonly index: number;
  /** Byte 3 of the frame header: 1 P, 2 IDR, 4 intra-refresh, 5 after invalidation. */
  readonly type: number;
  readonly isKey: boolean;
  /** Given to the decoder. */
  readonly isShown: boolean;
  readonly bytes: number;
  readonly receivedAtMs: number;
  readonly recoveredShards: number;
  readonly rtpTimestamp: number;
  readonly latencyTenthMs: number;
}

export interface VideoSins {
  /** Throws parity away. */
  readonly ignoreParity?: boolean;
  /** Never asks for an IDR or an invalidation. */
  readonly neverAsk?: boolean;
}

export interface VideoOptions {
  readonly codec: Codec;
  readonly packetSize: number;
  /** Key of a sealed stream, else null. */
  readonly key: Uint8Array | null;
  readonly canInvalidate: boolean;
  readonly onRequest: (request: RecoveryRequest) => void;
  readonly onParityStatus: (status: ParityStatus) => void;
  /** Access units for the decoder, in order. */
  readonly onPicture: (accessUnit: Uint8Array) => void;
  readonly sins?: VideoSins;
}

export class VideoPlane {
  readonly frames: FrameRecord[] = [];
  readonly requests: (RecoveryRequest & { readonly atMs: number })[] = [];
  /** Breaches of the wire's rules and how often each was seen. */
  readonly lint = new Map<string, number>();
  datagramCount = 0;
  lostFrames = 0;
  unopenedCount = 0;
  firstDatagramAtMs: number | null = null;
  readonly #options: VideoOptions;
  readonly #receiver: GameStreamVideoReceiver;
  readonly #recovery: LossRecovery;
  readonly #ledger = new ParityLedger();
  #lastHeader: ShardHeader | null = null;

  constructor(options: VideoOptions) {
    this.#options = options;
    this.#receiver = new GameStreamVideoReceiver({ packetSize: options.packetSize, key: null });
    this.#recovery = new LossRecovery(options.canInvalidate);
  }

  get isFrozen(): boolean {
    return this.#recovery.isFrozen;
  }

  /** Takes one datagram off the wire at `nowMs`. */
  take(wire: Uint8Array, nowMs: number): void {
    this.datagramCount += 1;
    this.firstDatagramAtMs ??= nowMs;
    const { key, sins } = this.#options;
    const plain = key ? openVideoDatagram(key, wire) : wire;
    const header = plain && readShardHeader(plain);
    if (!plain || !header) {
      this.unopenedCount += 1;
      return;
    }
    this.#check(header, plain.length);
    if (sins?.ignoreParity && header.shard >= header.dataShards) return;
    const left = this.#ledger.count(header);
    if (left) this.#options.onParityStatus(left);
    for (const event of this.#receiver.receive(plain)) {
      if (event.kind === 'lost') {
        this.lostFrames += event.last - event.first + 1;
        this.#ask(this.#recovery.lost(event.last), nowMs);
      } else if (event.kind === 'frame') {
        const payloadBytes = this.#options.packetSize - RTP_BYTES - FRAME_HEADER_BYTES;
        const head = event.accessUnit.subarray(0, payloadBytes);
        const start = readPictureStart(this.#options.codec, head, event.frameType);
        if (!start.hasStartCode) this.#breach('picture without start code');
        if (event.frameType === 2 && !start.isKey) this.#breach('IDR not readable in first shard');
        if (start.isKey && event.frameType !== 2) this.#breach('key picture not of type 2');
        const { isShown, requests } = this.#recovery.arrived({ ...event, isKey: start.isKey });
        this.#ask(requests, nowMs);
        if (isShown) this.#options.onPicture(event.accessUnit);
        this.#record({
          index: event.frameIndex,
          type: event.frameType,
          isKey: start.isKey,
          isShown,
          bytes: event.accessUnit.length,
          receivedAtMs: nowMs,
          recoveredShards: event.recoveredShards,
          rtpTimestamp: event.rtpTimestamp,
          latencyTenthMs: event.latencyTenthMs,
        });
      } else if (event.reason !== 'stale') {
        this.#breach(`receiver refused: ${event.reason}`);
      }
    }
    if (this.#receiver.faultCount > 0) {
      this.lint.set(`receiver: ${this.#receiver.lastFault}`, this.#receiver.faultCount);
    }
  }

  #record(frame: FrameRecord): void {
    const before = this.frames.at(-1);
    if (before && ((frame.rtpTimestamp - before.rtpTimestamp) | 0) <= 0) {
      this.#breach('timestamp does not grow from frame to frame');
    }
    if (frame.rtpTimestamp === 0) this.#breach('timestamp 0');
    if (this.frames.length < FRAMES_MAX) this.frames.push(frame);
  }

  #ask(requests: readonly RecoveryRequest[], atMs: number): void {
    for (const request of requests) {
      this.requests.push({ ...request, atMs });
      if (!this.#options.sins?.neverAsk) this.#options.onRequest(request);
    }
  }

  #check(header: ShardHeader, bytes: number): void {
    const last = this.#lastHeader;
    this.#lastHeader = header;
    if (!header.hasRightConstants) this.#breach('constant bytes of the header');
    if (!last && (header.sequence > 0x7fff || header.frameIndex > 5)) {
      this.#breach('numbers do not start low');
    }
    const isLastData = header.shard === header.dataShards - 1;
    if (bytes !== this.#options.packetSize + RTP_BYTES && !isLastData) {
      this.#breach('datagram of another size than agreed');
    }
    if (last && ((header.sequence - last.sequence) & 0xffff) > 0x7fff) {
      this.#breach('sequence runs backwards');
    }
    if (last && header.frameIndex > last.frameIndex + 1 && header.sequence === last.sequence + 1) {
      this.#breach('frame index skipped without a loss');
    }
    if (header.percentField > 0 && header.dataShards + header.parityShards > 255) {
      this.#breach('block larger than the code');
    }
  }

  #breach(what: string): void {
    this.lint.set(what, (this.lint.get(what) ?? 0) + 1);
  }
}
