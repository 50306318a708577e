/**
 * The packet worker's loop: frame ring → blocks → parity → sealing → paced sending.
 *
 * Processing and sending are interleaved: a step's datagrams are sealed while their deadline is
 * waited for, and the next block is made after the last one left. Nothing is allocated per frame.
 * Everything outside is injected, so tests run the loop with a scripted clock and sender.
 */
import type { DatagramSender } from '../net/port.ts';
import type { GameStreamVideoPacketizer, VideoFrame } from '../packet/gamestream-video.ts';
import { FRAME_TYPE } from '../packet/gamestream-video-format.ts';
import {
  FRAME_FLAG_IDR,
  FRAME_FLAG_RECOVERY_ANCHOR,
  type FrameRecord,
  type FrameRingReader,
} from './frame-ring.ts';
import type { WorkerReport } from './messages.ts';
import { FramePacer } from './pacing.ts';
import { RtpClock } from './rtp-clock.ts';
import { STAGES, type StreamControl } from './stream-control.ts';

/** Longest sleep on an empty ring, so that `stop` is heard and the heart beats. */
const WAIT_MS = 50;
const LATENCY_UNIT_NS = 100_000;
const LATENCY_MAX = 65_535;
/** Seed of the test loss: every run loses the same datagrams. */
const DROP_SEED = 0x2545f491;

const STAGE_QUEUE = STAGES.indexOf('queue');
const STAGE_PACKETIZE = STAGES.indexOf('packetize');
const STAGE_SEND = STAGES.indexOf('send');
const STAGE_TOTAL = STAGES.indexOf('total');

export interface PacketLoopPorts {
  readonly packetizer: GameStreamVideoPacketizer;
  readonly sender: DatagramSender;
  nowNs(): number;
  sleepUntilNs(deadlineNs: number): void;
  report(report: WorkerReport): void;
  /** Called after each turn; see housekeeper.ts. */
  housekeep?(): void;
}

export interface PacketLoopSetup {
  readonly fpsNum: number;
  readonly fpsDen: number;
  /** Percent of datagrams thrown away after parity, 0…100, for tests. */
  readonly testDropPct: number;
}

/** Runs until `control.stop` is set or the ring is closed and empty. */
export function runPacketLoop(
  setup: PacketLoopSetup,
  ports: PacketLoopPorts,
  control: StreamControl,
  ring: FrameRingReader,
): void {
  const loop = new PacketLoop(setup, ports, control, ring);
  while (control.get('stop') === 0 && loop.turn()) {
    control.add('packetHeartbeat');
    ports.housekeep?.();
  }
}

class PacketLoop {
  readonly #ports: PacketLoopPorts;
  readonly #control: StreamControl;
  readonly #ring: FrameRingReader;
  readonly #pacer: FramePacer;
  readonly #clock = new RtpClock();
  readonly #frame: VideoFrame = {
    offsetBytes: 0,
    lengthBytes: 0,
    frameIndex: 0,
    rtpTimestamp: 0,
    frameType: FRAME_TYPE.predicted,
    latencyTenthMs: 0,
  };
  /** A 32-bit random value below this loses its datagram. */
  readonly #dropBelow: number;
  #random = DROP_SEED;
  #destinationVersion = 0;
  #rungReported = '';
  #oversizeFrames = 0;
  #damagedFrames = 0;
  /** Step of the current frame and what is left of it. */
  #step = 0;
  #stepLeft = 0;
  #sent = 0;
  #lost = 0;

  constructor(
    setup: PacketLoopSetup,
    ports: PacketLoopPorts,
    control: StreamControl,
    ring: FrameRingReader,
  ) {
    this.#ports = ports;
    this.#control = control;
    this.#ring = ring;
    this.#pacer = new FramePacer((1e9 * setup.fpsDen) / setup.fpsNum);
    this.#dropBelow = (Math.min(Math.max(setup.testDropPct, 0), 100) / 100) * 2 ** 32;
    this.#reportRung();
  }

  /** One wait and at most one frame; false when no more frames will come. */
  turn(): boolean {
    const found = this.#ring.wait(WAIT_MS);
    if (found !== 'frame') return found === 'timeout';
    const version = this.#control.get('videoAddressVersion');
    if (version !== this.#destinationVersion) {
      this.#destinationVersion = version;
      this.#ports.sender.setDestination(this.#control.address('video'));
    }
    if (version === 0) {
      // Nobody to send to: the encoder does not start before a destination is known.
      this.#ring.release();
      return true;
    }
    this.#sendFrame();
    return true;
  }

  #sendFrame(): void {
    const { nowNs, packetizer } = this.#ports;
    const { record } = this.#ring;
    const arrivalNs = nowNs();
    this.#describe(record, arrivalNs);
    const captureNs = record.captureNs;
    const queuedNs = arrivalNs - record.encodedNs;
    const isSendable = packetizer.begin(this.#frame);
    if (packetizer.isOversize) this.#countOversize(isSendable);
    if (!isSendable) {
      this.#ring.release();
      return;
    }
    this.#pacer.begin(packetizer.datagramCount, arrivalNs);
    this.#step = 0;
    this.#stepLeft = 0;
    this.#sent = 0;
    this.#lost = 0;
    let packetizeNs = 0;
    while (packetizer.hasBlocks) {
      const begin = nowNs();
      const count = packetizer.nextBlock();
      packetizeNs += nowNs() - begin;
      // The access unit is copied out; the encoder may have the slot while this frame is paced.
      if (!packetizer.hasBlocks) this.#ring.release();
      packetizeNs += this.#sendBlock(count);
    }
    const endNs = nowNs();
    const control = this.#control;
    control.add('framesSent');
    control.add('packetsSent', this.#sent);
    if (this.#lost > 0) control.add('packetsTestDropped', this.#lost);
    const missing = packetizer.datagramCount - this.#sent - this.#lost;
    if (missing > 0) this.#countDropped(missing);
    control.recordStage(STAGE_QUEUE, queuedNs);
    control.recordStage(STAGE_PACKETIZE, packetizeNs);
    control.recordStage(STAGE_SEND, endNs - arrivalNs - packetizeNs);
    control.recordStage(STAGE_TOTAL, endNs - captureNs);
    if (this.#ports.sender.rung !== this.#rungReported) this.#reportRung();
  }

  #describe(record: FrameRecord, arrivalNs: number): void {
    const frame = this.#frame;
    const latency = Math.round((arrivalNs - record.captureNs) / LATENCY_UNIT_NS);
    frame.offsetBytes = this.#ring.offsetBytes;
    frame.lengthBytes = this.#ring.lengthBytes;
    frame.frameIndex = record.frameIndex;
    frame.rtpTimestamp = this.#clock.timestamp(record.captureNs);
    frame.latencyTenthMs = Math.min(Math.max(latency, 0), LATENCY_MAX);
    frame.frameType = FRAME_TYPE.predicted;
    if (record.flags & FRAME_FLAG_RECOVERY_ANCHOR) frame.frameType = FRAME_TYPE.afterInvalidation;
    if (record.flags & FRAME_FLAG_IDR) frame.frameType = FRAME_TYPE.idr;
  }

  /** Seals and sends the block's `count` datagrams on schedule; returns the time sealing took. */
  #sendBlock(count: number): number {
    const { nowNs, packetizer, sleepUntilNs } = this.#ports;
    let sealNs = 0;
    for (let first = 0; first < count; ) {
      const isStepStart = this.#stepLeft === 0;
      if (isStepStart) this.#stepLeft = this.#pacer.stepDatagrams;
      const taken = Math.min(count - first, this.#stepLeft);
      const begin = nowNs();
      packetizer.seal(first, taken);
      const sealedNs = nowNs();
      sealNs += sealedNs - begin;
      if (isStepStart) {
        const deadlineNs = this.#pacer.deadlineNs(this.#step, sealedNs);
        this.#step += 1;
        if (deadlineNs > sealedNs) sleepUntilNs(deadlineNs);
      }
      if (this.#dropBelow === 0) this.#sendRun(first, taken);
      else this.#sendWithLoss(first, taken);
      first += taken;
      this.#stepLeft -= taken;
    }
    return sealNs;
  }

  #sendRun(first: number, count: number): void {
    const { packetizer, sender } = this.#ports;
    this.#sent += sender.send(first, count, packetizer.datagramBytes);
  }

  /** Sends what the test loss leaves over, in runs. */
  #sendWithLoss(first: number, count: number): void {
    let runStart = first;
    for (let index = first; index < first + count; index += 1) {
      this.#random ^= this.#random << 13;
      this.#random ^= this.#random >>> 17;
      this.#random ^= this.#random << 5;
      if (this.#random >>> 0 >= this.#dropBelow) continue;
      this.#lost += 1;
      if (index > runStart) this.#sendRun(runStart, index - runStart);
      runStart = index + 1;
    }
    const end = first + count;
    if (end > runStart) this.#sendRun(runStart, end - runStart);
  }

  #countOversize(isSendable: boolean): void {
    this.#control.add('framesOversize');
    this.#oversizeFrames += 1;
    const count = this.#oversizeFrames;
    if (!isPowerOfTwo(count)) return;
    const { lengthBytes, frameIndex } = this.#frame;
    const fate = isSendable ? 'sent without parity' : 'not sent';
    this.#ports.report({
      kind: 'fact',
      name: 'oversize frame',
      value: `frame ${frameIndex} of ${lengthBytes} bytes needs more than four blocks: ${fate} (${count} so far)`,
    });
  }

  #countDropped(missing: number): void {
    this.#control.add('packetsDropped', missing);
    this.#damagedFrames += 1;
    if (!isPowerOfTwo(this.#damagedFrames)) return;
    const { packetizer, sender, report } = this.#ports;
    report({
      kind: 'fact',
      name: 'send loss',
      value: `${missing} of ${packetizer.datagramCount} datagrams of ${packetizer.datagramBytes} bytes were not sent (${sender.lastError}), ${this.#damagedFrames} frames so far`,
    });
  }

  #reportRung(): void {
    this.#rungReported = this.#ports.sender.rung;
    this.#ports.report({ kind: 'fact', name: 'sender', value: this.#rungReported });
  }
}

/** Repeating troubles are said at counts that are powers of two, so that they do not flood. */
function isPowerOfTwo(count: number): boolean {
  return (count & (count - 1)) === 0;
}
