/**
 * The video worker's loop: newest picture → conversion → encoder → frame ring.
 *
 * Synchronous in steady state: it blocks only in the capturer, for at most one frame interval, and
 * never on the network. It returns to the event loop only while the capture source is lost, to hear
 * of a new one. Everything outside is injected, so tests run it with scripted ports.
 */
import type { CapturedFrame, Capturer, CaptureSource } from '../capture/port.ts';
import type { EncodedChunk, EncoderInput, VideoEncoder } from '../encode/port.ts';
import { FrameCadence } from './cadence.ts';
import {
  FRAME_FLAG_IDR,
  FRAME_FLAG_RECOVERY_ANCHOR,
  type FrameRecord,
  type FrameRingWriter,
} from './frame-ring.ts';
import { KeyframeGate, type RepairAction } from './keyframe-gate.ts';
import { STAGES, type StreamControl } from './stream-control.ts';
import type {
  FrameConverter,
  GovernorDecision,
  VideoLoopPorts,
  VideoLoopSetup,
} from './video-ports.ts';

const NS_PER_MS = 1e6;
/** Capture loss: this many new sources within this time, then the session ends. */
const REBUILD_TRIES_MAX = 5;
const REBUILD_BUDGET_NS = 40e9;
/** A source that shows nothing for this long after opening counts as lost. */
const FIRST_PICTURE_NS = 5e9;
/** Longest stay in one native capture call, so that `stop` is heard. */
const CAPTURE_WAIT_MAX_MS = 50;
/** Between looks for the device's address. */
const ADDRESS_POLL_MS = 2;

const STAGE_CAPTURE = STAGES.indexOf('capture');
const STAGE_CONVERT = STAGES.indexOf('convert');
const STAGE_ENCODE = STAGES.indexOf('encode');

/** Runs until `control.stop`; resolves with the reason when the stream cannot go on, else null. */
export async function runVideoLoop(
  setup: VideoLoopSetup,
  ports: VideoLoopPorts,
  control: StreamControl,
  ring: FrameRingWriter,
): Promise<string | null> {
  const loop = new VideoLoop(setup, ports, control, ring);
  try {
    return await loop.run();
  } finally {
    loop.close();
  }
}

class VideoLoop {
  readonly #setup: VideoLoopSetup;
  readonly #ports: VideoLoopPorts;
  readonly #control: StreamControl;
  readonly #ring: FrameRingWriter;
  readonly #cadence: FrameCadence;
  readonly #converter: FrameConverter;
  readonly #record: FrameRecord = { frameIndex: 0, flags: 0, captureNs: 0, encodedNs: 0 };
  readonly #range = new Uint32Array(2);
  #gate: KeyframeGate;
  #encoder: VideoEncoder;
  #capturer: Capturer | null = null;
  #input: EncoderInput | null = null;
  #captureNs = 0;
  #lostCause = '';
  #openedNs = 0;
  #hasPicture = false;
  /** When the picture that was taken is encoded; null when it was. */
  #freshDueNs: number | null = null;
  #pictureId = 0;
  #frameIndex = 1;
  #idrRequestsSeen = 0;
  #invalidationsSeen = 0;
  #bitrateKbps: number;
  #setting: { preset: 'superfast' | 'ultrafast'; fpsNum: number; fpsDen: number };

  constructor(
    setup: VideoLoopSetup,
    ports: VideoLoopPorts,
    control: StreamControl,
    ring: FrameRingWriter,
  ) {
    this.#setup = setup;
    this.#ports = ports;
    this.#control = control;
    this.#ring = ring;
    this.#bitrateKbps = setup.bitrateKbps;
    this.#setting = { preset: 'superfast', fpsNum: setup.fpsNum, fpsDen: setup.fpsDen };
    this.#cadence = new FrameCadence(this.#intervalNs(), ports.nowNs());
    this.#converter = ports.openConverter();
    this.#encoder = ports.openEncoder({ ...this.#setting, bitrateKbps: this.#bitrateKbps });
    this.#gate = this.#newGate();
    this.#publishSetting();
  }

  async run(): Promise<string | null> {
    this.#capturer = this.#open(this.#setup.source);
    this.#ports.report({ kind: 'ready' });
    while (!this.#stopped()) {
      this.#control.add('videoHeartbeat');
      if (this.#capturer === null) {
        const reason = await this.#rebuild();
        if (reason !== null) return reason;
        continue;
      }
      this.#turn();
      this.#ports.housekeep?.();
    }
    return null;
  }

  close(): void {
    this.#capturer?.close();
    this.#encoder.close();
    this.#converter.close();
    this.#ring.close();
  }

  /** One wait for a picture and, when one is due, one encoded frame. */
  #turn(): void {
    const { nowNs } = this.#ports;
    const capturer = this.#capturer;
    if (!capturer) return;
    if (this.#control.get('videoAddressVersion') === 0) {
      this.#awaitDevice(capturer);
      return;
    }
    const begin = nowNs();
    const waitNs = this.#input ? this.#nextEncodeNs(begin) - begin : Infinity;
    const waitMs = Math.min(CAPTURE_WAIT_MAX_MS, Math.max(0, waitNs / NS_PER_MS));
    if (this.#look(capturer, waitMs)) this.#encodeWhenDue();
  }

  /**
   * Nobody can be reached yet, so nothing is encoded. The source shows its first picture all the
   * same: some screens exist only from then on, and an app may be about to start on this one.
   */
  #awaitDevice(capturer: Capturer): void {
    const { nowNs, sleepUntilNs } = this.#ports;
    if (this.#hasPicture) sleepUntilNs(nowNs() + ADDRESS_POLL_MS * NS_PER_MS);
    else this.#look(capturer, ADDRESS_POLL_MS);
    this.#freshDueNs = null;
    // The source owes no picture while nobody looks.
    this.#openedNs = nowNs();
  }

  /** Takes a picture if one comes in time; false when the source is lost. */
  #look(capturer: Capturer, waitMs: number): boolean {
    const result = capturer.next(waitMs);
    const isSilent = !this.#hasPicture && this.#ports.nowNs() - this.#openedNs > FIRST_PICTURE_NS;
    if (result.kind === 'lost' || (result.kind === 'none' && isSilent)) {
      capturer.close();
      this.#capturer = null;
      this.#lostCause =
        result.kind === 'lost' ? result.cause : 'the source delivered no picture in 5 s';
      return false;
    }
    if (result.kind === 'frame') this.#take(result.frame);
    return true;
  }

  #nextEncodeNs(nowNs: number): number {
    return this.#freshDueNs ?? this.#cadence.repeatAtNs(nowNs);
  }

  /** On a static screen the device gets its last picture again at the frame rate. */
  #encodeWhenDue(): void {
    const now = this.#ports.nowNs();
    if (!this.#input || now < this.#nextEncodeNs(now)) return;
    const isNew = this.#freshDueNs !== null;
    if (!isNew) {
      this.#captureNs = now;
      this.#control.add('framesRepeated');
    }
    this.#encode(isNew);
  }

  #take(frame: CapturedFrame): void {
    if (frame.kind !== 'memory') throw new Error('this encoder rung needs pictures in memory');
    const { nowNs } = this.#ports;
    const begin = nowNs();
    this.#freshDueNs = this.#cadence.arrived(begin);
    const isFirst = this.#input === null;
    this.#hasPicture = true;
    this.#captureNs = Math.min(begin, frame.captureNs || begin);
    this.#input = this.#converter.convert(frame);
    this.#control.add('framesCaptured');
    this.#control.recordStage(STAGE_CAPTURE, begin - this.#captureNs);
    this.#control.recordStage(STAGE_CONVERT, nowNs() - begin);
    if (isFirst) {
      this.#control.set('appliedWidth', frame.width);
      this.#control.set('appliedHeight', frame.height);
      this.#ports.report({ kind: 'first-frame', width: frame.width, height: frame.height });
    }
  }

  #encode(isNew: boolean): void {
    const input = this.#input;
    if (!input) return;
    const { nowNs } = this.#ports;
    this.#hearRequests();
    const begin = nowNs();
    this.#cadence.encoded(begin, isNew);
    this.#freshDueNs = null;
    const pictureId = this.#pictureId;
    this.#pictureId += 1;
    this.#encoder.submit(input, pictureId, { idr: this.#gate.takeIdr(begin) });
    for (let chunk = this.#encoder.poll(); chunk !== null; chunk = this.#encoder.poll()) {
      this.#deliver(chunk);
    }
    const encodeNs = nowNs() - begin;
    this.#control.recordStage(STAGE_ENCODE, encodeNs);
    const decision = this.#ports.governor.sample(encodeNs, begin);
    if (decision) this.#apply(decision);
  }

  #deliver(chunk: EncodedChunk): void {
    this.#control.add('framesEncoded');
    const record = this.#record;
    record.frameIndex = this.#frameIndex;
    record.flags =
      (chunk.isIdr ? FRAME_FLAG_IDR : 0) |
      (chunk.isRecoveryAnchor ? FRAME_FLAG_RECOVERY_ANCHOR : 0);
    record.captureNs = this.#captureNs;
    record.encodedNs = this.#ports.nowNs();
    if (!this.#ring.push(chunk.data, record)) {
      this.#control.add(
        chunk.data.length > this.#ring.slotBytes ? 'framesOversize' : 'framesDropped',
      );
      this.#repair(this.#gate.dropped(chunk.pictureId, chunk.isIdr));
      return;
    }
    this.#gate.sent(this.#frameIndex, chunk.pictureId, {
      isIdr: chunk.isIdr,
      isAnchor: chunk.isRecoveryAnchor,
    });
    if (chunk.isIdr) this.#control.add('idrFrames');
    this.#frameIndex += 1;
  }

  #hearRequests(): void {
    const idrRequests = this.#control.get('idrRequests');
    if (idrRequests !== this.#idrRequestsSeen) {
      this.#idrRequestsSeen = idrRequests;
      this.#gate.requestIdr();
    }
    const seen = this.#control.takeInvalidations(this.#invalidationsSeen, this.#range);
    if (seen !== this.#invalidationsSeen) {
      this.#invalidationsSeen = seen;
      const action = this.#gate.lost(this.#range[0] ?? 1, this.#range[1] ?? 0);
      if (this.#repair(action)) this.#control.add('invalidationsAnswered');
    }
    const bitrateKbps = this.#control.get('bitrateKbps');
    if (bitrateKbps > 0 && bitrateKbps !== this.#bitrateKbps) this.#setBitrate(bitrateKbps);
  }

  /** @returns whether references were repaired without an IDR. */
  #repair(action: RepairAction): boolean {
    if (action.kind !== 'invalidate') return false;
    if (this.#encoder.invalidate(action.firstPicture, action.lastPicture)) return true;
    this.#gate.requestIdr();
    return false;
  }

  #setBitrate(bitrateKbps: number): void {
    this.#bitrateKbps = bitrateKbps;
    if (!this.#encoder.reconfigure(bitrateKbps)) this.#reopenEncoder();
    this.#control.set('appliedBitrateKbps', this.#encoder.appliedBitrateKbps());
  }

  #apply(decision: GovernorDecision): void {
    this.#setting = {
      preset: decision.preset,
      fpsNum: decision.fpsNum,
      fpsDen: decision.fpsDen,
    };
    this.#cadence.setInterval(this.#intervalNs(), this.#ports.nowNs());
    this.#reopenEncoder();
    this.#ports.report({ kind: 'fact', name: 'load', value: decision.reason });
  }

  /** A new encoder starts with an IDR; sequence, socket and clock of the stream go on. */
  #reopenEncoder(): void {
    this.#encoder.close();
    this.#encoder = this.#ports.openEncoder({ ...this.#setting, bitrateKbps: this.#bitrateKbps });
    this.#gate = this.#newGate();
    this.#publishSetting();
  }

  async #rebuild(): Promise<string | null> {
    const { nowNs, nextSource, report } = this.#ports;
    const giveUpAt = nowNs() + REBUILD_BUDGET_NS;
    for (let attempt = 1; attempt <= REBUILD_TRIES_MAX; attempt += 1) {
      this.#control.add('captureRebuilds');
      report({ kind: 'capture-lost', cause: this.#lostCause, attempt });
      const remainingMs = (giveUpAt - nowNs()) / NS_PER_MS;
      if (remainingMs <= 0) break;
      const source = await this.#awaitSource(Math.min(remainingMs, 8000), nextSource);
      if (this.#stopped()) return null;
      if (source) {
        try {
          this.#capturer = this.#open(source);
          this.#gate.requestIdr();
          return null;
        } catch (error) {
          this.#lostCause = error instanceof Error ? error.message : String(error);
        }
      }
    }
    return `the picture source was lost and could not be rebuilt in ${REBUILD_TRIES_MAX} tries: ${this.#lostCause}`;
  }

  /** Waits for a new source and keeps the device's picture alive with the last frame meanwhile. */
  async #awaitSource(
    timeoutMs: number,
    nextSource: VideoLoopPorts['nextSource'],
  ): Promise<CaptureSource | null> {
    let outcome: { source: CaptureSource | null } | null = null;
    void nextSource(timeoutMs).then((source) => {
      outcome = { source };
    });
    while (outcome === null && !this.#stopped()) {
      this.#control.add('videoHeartbeat');
      this.#encodeWhenDue();
      await new Promise((resolve) => setTimeout(resolve, 4));
    }
    return (outcome as { source: CaptureSource | null } | null)?.source ?? null;
  }

  #open(source: CaptureSource): Capturer {
    const capturer = this.#ports.openCapturer(source);
    this.#openedNs = this.#ports.nowNs();
    this.#hasPicture = false;
    this.#ports.report({ kind: 'fact', name: 'capture', value: capturer.description });
    return capturer;
  }

  #newGate(): KeyframeGate {
    return new KeyframeGate({
      intervalNs: this.#intervalNs(),
      canInvalidate: this.#setup.useInvalidation && this.#encoder.capabilities.canInvalidate,
    });
  }

  #publishSetting(): void {
    const { fpsNum, fpsDen, preset } = this.#setting;
    this.#control.set('appliedFpsTimes100', Math.round((fpsNum * 100) / fpsDen));
    this.#control.set('appliedPreset', preset === 'superfast' ? 0 : 1);
    this.#control.set('appliedBitrateKbps', this.#encoder.appliedBitrateKbps());
  }

  #intervalNs(): number {
    return (1e9 * this.#setting.fpsDen) / this.#setting.fpsNum;
  }

  #stopped(): boolean {
    return this.#control.get('stop') !== 0;
  }
}
