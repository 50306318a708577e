/**
 * A running stream as the device sees it: the RTSP steps, the three planes, what is counted, and
 * the ways it ends.
 */
import { connect } from 'node:net';
import { type AnnounceOffer, channelMaskOf } from './announce.ts';
import { AudioPlane, decodeStereo, type HeardSound } from './audio.ts';
import { ControlLink } from './control.ts';
import { confirmLongTerm, invalidate, parityStatus, requestIdr } from './control-messages.ts';
import { agreeEncryption, ENCRYPTION, type HandshakeResult, rtspHandshake } from './handshake.ts';
import type { Codec } from './key-picture.ts';
import { MediaSocket } from './media-socket.ts';
import type { RecoveryRequest } from './recovery.ts';
import { RtspClient } from './rtsp.ts';
import { VideoPlane, type VideoSins } from './video.ts';

/** What `/launch` or `/resume` gave. */
export interface Launch {
  readonly kind: 'launch' | 'resume';
  readonly address: string;
  readonly rtspPort: number;
  readonly isRtspSealed: boolean;
  readonly key: Uint8Array;
  readonly keyId: number;
}

export interface StreamOptions {
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  readonly bitrateKbps: number;
  /** Before sealing lowers it. */
  readonly packetSize: number;
  readonly codec: Codec;
  readonly wantsSealedVideo: boolean;
  readonly wantsSealedAudio: boolean;
  /** Announces no control V2, as programs of old. */
  readonly isControlLegacy: boolean;
  /** Knows neither session-id pings nor connect data. */
  readonly isPingLegacy: boolean;
  readonly wantsInvalidation: boolean;
  readonly channels: 2 | 6 | 8;
  readonly isHighAudio: boolean;
  readonly packetDurationMs: 5 | 10;
  readonly cscMode: number;
  readonly slices: number;
  readonly videoLossPct: number;
  readonly audioLossPct: number;
  readonly seed: number;
  readonly videoSins: VideoSins;
  /** Called with every access unit that is shown. */
  readonly onPicture: (accessUnit: Uint8Array) => void;
}

export const DEFAULT_STREAM: StreamOptions = {
  width: 1280,
  height: 720,
  fps: 60,
  bitrateKbps: 10_000,
  packetSize: 1392,
  codec: 'h264',
  wantsSealedVideo: false,
  wantsSealedAudio: false,
  isControlLegacy: false,
  isPingLegacy: false,
  wantsInvalidation: true,
  channels: 2,
  isHighAudio: false,
  packetDurationMs: 5,
  cscMode: 2,
  slices: 1,
  videoLossPct: 0,
  audioLossPct: 0,
  seed: 1,
  videoSins: {},
  onPicture: () => undefined,
};

/** 0 graceful, the host's own code, or how the connection was lost (GameStream §7.4, §11.1). */
export type StreamEnd =
  | { readonly kind: 'asked' }
  | { readonly kind: 'vanished' }
  | { readonly kind: 'terminated'; readonly code: number }
  | { readonly kind: 'connection-lost'; readonly how: 'host' | 'timeout' };

const GRACEFUL = 0x80030023;
const BIT_STREAM_FORMAT = { h264: 0, hevc: 1, av1: 2 } as const;

export function isGraceful(end: StreamEnd): boolean {
  return end.kind === 'terminated' && end.code === GRACEFUL;
}

/** `surroundAudioInfo` of `/launch`. */
export function surroundInfoOf(channels: 2 | 6 | 8): number {
  return (channelMaskOf(channels) << 16) | channels;
}

export class RunningStream {
  readonly launch: Launch;
  readonly handshake: HandshakeResult;
  readonly control: ControlLink;
  readonly video: VideoPlane;
  readonly audio: AudioPlane;
  readonly videoSocket: MediaSocket;
  readonly audioSocket: MediaSocket;
  readonly startedAtMs: number;
  readonly ended: Promise<StreamEnd>;
  end: StreamEnd | null = null;
  #finish: (end: StreamEnd) => void = () => undefined;

  private constructor(parts: {
    launch: Launch;
    handshake: HandshakeResult;
    control: ControlLink;
    video: VideoPlane;
    audio: AudioPlane;
    videoSocket: MediaSocket;
    audioSocket: MediaSocket;
    startedAtMs: number;
  }) {
    this.launch = parts.launch;
    this.handshake = parts.handshake;
    this.control = parts.control;
    this.video = parts.video;
    this.audio = parts.audio;
    this.videoSocket = parts.videoSocket;
    this.audioSocket = parts.audioSocket;
    this.startedAtMs = parts.startedAtMs;
    this.ended = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  static async start(launch: Launch, wish: Partial<StreamOptions> = {}): Promise<RunningStream> {
    const options = { ...DEFAULT_STREAM, ...wish };
    const startedAtMs = performance.now();
    const { address, key } = launch;
    await testReach(address, launch.rtspPort);
    const rtsp = rtspOf(launch, options);
    let audioSocket: MediaSocket | null = null;
    let audioOpening: Promise<void> | null = null;
    let audio: AudioPlane | null = null;
    const handshake = await rtspHandshake(rtsp, {
      offer: (description) => {
        const offer = offerOf(launch, options, agreed(options, description));
        const isSealed = (offer.encryption & ENCRYPTION.audio) !== 0 || offer.wantsSealedAudio;
        audio = new AudioPlane({
          packetDurationMs: offer.packetDurationMs,
          sealing: isSealed ? { key, keyId: launch.keyId } : null,
        });
        return offer;
      },
      onAudioPort: (port, ping) => {
        audioOpening = MediaSocket.open({
          address,
          port,
          ping: options.isPingLegacy ? null : ping,
          lossPct: options.audioLossPct,
          seed: options.seed,
          onDatagram: (datagram, nowMs) => audio?.take(datagram, nowMs),
        }).then((socket) => {
          audioSocket = socket;
        });
      },
    }).catch((error: unknown) => {
      audioSocket?.close();
      throw error;
    });
    if (audioOpening) await (audioOpening as Promise<void>);
    const openAudio = audioSocket as MediaSocket | null;
    const openPlane = audio as AudioPlane | null;
    if (!handshake || !openAudio || !openPlane) throw new Error('the RTSP steps ended early');

    const isV2 = (handshake.offer.encryption & ENCRYPTION.controlV2) !== 0;
    const control = await ControlLink.open({
      address,
      port: handshake.controlPort,
      connectData: options.isPingLegacy ? 0 : handshake.connectData,
      key,
      form: isV2 ? 'v2' : 'legacy',
    }).catch((error: unknown) => {
      openAudio.close();
      throw error;
    });
    const video = new VideoPlane({
      codec: options.codec,
      packetSize: handshake.offer.packetSize,
      key: (handshake.offer.encryption & ENCRYPTION.video) !== 0 ? key : null,
      canInvalidate: options.wantsInvalidation && handshake.description.canInvalidate,
      onRequest: (request) => ask(control, request),
      onParityStatus: (status) => control.sendPlain(parityStatus(status), 0, 'unsequenced'),
      onPicture: options.onPicture,
      sins: options.videoSins,
    });
    const videoSocket = await MediaSocket.open({
      address,
      port: handshake.videoPort,
      ping: options.isPingLegacy ? null : handshake.videoPing,
      lossPct: options.videoLossPct,
      seed: options.seed + 1,
      onDatagram: (datagram, nowMs) => video.take(datagram, nowMs),
    });
    const stream = new RunningStream({
      launch,
      handshake,
      control,
      video,
      audio: openPlane,
      videoSocket,
      audioSocket: openAudio,
      startedAtMs,
    });
    stream.#watch();
    return stream;
  }

  /** Confirms a long-term reference as devices that keep one do. */
  confirmLongTerm(frameIndex: number): void {
    this.control.sendPlain(confirmLongTerm(frameIndex), 1);
  }

  requestIdr(): void {
    ask(this.control, { kind: 'idr' });
  }

  /** Waits until `isDone` or `timeoutMs` passed or the stream ended; says whether it was done. */
  async until(isDone: (stream: RunningStream) => boolean, timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    while (performance.now() < deadline) {
      if (isDone(this)) return true;
      if (this.end) return false;
      await Bun.sleep(5);
    }
    return isDone(this);
  }

  untilFrames(count: number, timeoutMs: number): Promise<boolean> {
    return this.until((stream) => stream.video.frames.length >= count, timeoutMs);
  }

  /** Leaves the stream, not the app. */
  async stop(): Promise<void> {
    this.#closeMedia();
    await this.control.close();
    this.#over({ kind: 'asked' });
  }

  /** Everything falls silent at once. */
  vanish(): void {
    this.#closeMedia();
    this.control.vanish();
    this.#over({ kind: 'vanished' });
  }

  hearStereo(): Promise<HeardSound> {
    return decodeStereo(this.audio.inOrder());
  }

  #watch(): void {
    this.control.onMessage = (message) => {
      if (message.kind !== 'termination') return;
      // The device leaves by itself, without waiting.
      this.#closeMedia();
      this.#over({ kind: 'terminated', code: message.code });
      void this.control.close();
    };
    void this.control.ended.then((how) => {
      this.#closeMedia();
      if (how === 'host' || how === 'timeout') this.#over({ kind: 'connection-lost', how });
    });
  }

  #closeMedia(): void {
    this.videoSocket.close();
    this.audioSocket.close();
  }

  #over(end: StreamEnd): void {
    if (this.end) return;
    this.end = end;
    this.#finish(end);
  }
}

/** Devices ask for what they want on the channel for pictures. */
function ask(control: ControlLink, request: RecoveryRequest): void {
  const message = request.kind === 'idr' ? requestIdr() : invalidate(request.first, request.last);
  control.sendPlain(message, 1);
}

function agreed(
  options: StreamOptions,
  description: Parameters<typeof agreeEncryption>[0],
): number {
  const wanted =
    (options.wantsSealedVideo ? ENCRYPTION.video : 0) |
    (options.wantsSealedAudio ? ENCRYPTION.audio : 0);
  const bits = agreeEncryption(description, wanted);
  return options.isControlLegacy ? bits & ~ENCRYPTION.controlV2 : bits;
}

function offerOf(launch: Launch, options: StreamOptions, encryption: number): AnnounceOffer {
  const isVideoSealed = (encryption & ENCRYPTION.video) !== 0;
  return {
    hostAddress: launch.address,
    width: options.width,
    height: options.height,
    fps: options.fps,
    encryption,
    deviceFeatures: options.isPingLegacy ? 1 : 3,
    packetSize: options.packetSize - (isVideoSealed ? 32 : 0),
    bitrateKbps: options.bitrateKbps,
    isRemote: false,
    bitStreamFormat: BIT_STREAM_FORMAT[options.codec],
    isTenBit: false,
    isFullChroma: false,
    cscMode: options.cscMode,
    slices: options.slices,
    referenceFrames: options.wantsInvalidation ? 0 : 1,
    channels: options.channels,
    isHighAudio: options.isHighAudio,
    packetDurationMs: options.packetDurationMs,
    wantsSealedAudio: options.wantsSealedAudio,
  };
}

/** `0.0.0.0` in URL and Host asks for normal quality (§4.4). */
export function rtspOf(launch: Launch, options: { readonly isHighAudio: boolean }): RtspClient {
  const named = launch.address.includes(':') ? `[${launch.address}]` : launch.address;
  return new RtspClient({
    address: launch.address,
    port: launch.rtspPort,
    key: launch.isRtspSealed ? launch.key : null,
    hostName: options.isHighAudio ? named : '0.0.0.0',
  });
}

/** Devices open and close a connection before they begin (§1.1). */
function testReach(address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port }, () => socket.end());
    socket.on('error', reject);
    socket.on('close', () => resolve());
  });
}
