/**
 * The one record that says what a session shall be. `planSession` (plan-session.ts) is the only
 * maker; the host carries it out. Plain data: printable, comparable, transferable to workers.
 */

import type { ChromaFormat, ColourDescription, DisplayMode, VideoCodec } from './mode.ts';
import type { DeviceIdentity } from './offer.ts';

export interface VideoPlan {
  readonly mode: DisplayMode;
  readonly codec: VideoCodec;
  readonly chroma: ChromaFormat;
  readonly bitDepth: 8 | 10;
  readonly hdr: boolean;
  readonly colour: ColourDescription;
  readonly bitrateKbps: number;
  readonly slicesPerFrame: number;
  readonly maxReferenceFrames: number;
  readonly useInvalidation: boolean;
  /** Encoder rung to open, e.g. `x264` or `addon-x264`. */
  readonly encoder: string;
}

export interface AudioPlan {
  readonly channels: 2 | 6 | 8;
  /** Opus multistream shape in interleave order FL FR C LFE RL RR SL SR. */
  readonly streams: number;
  readonly coupledStreams: number;
  readonly bitrateBps: number;
  readonly packetDurationMs: 5 | 10;
  readonly playOnHost: boolean;
  /** `silence` when the machine has no sound system. */
  readonly source: 'pipewire' | 'silence';
}

/** Where pictures come from. */
export type DisplaySource = 'virtual' | 'mirror' | 'portal' | 'synthetic';

export interface DisplayPlan {
  readonly source: DisplaySource;
  /** Backend that makes or finds the screen; `synthetic` draws the test card. */
  readonly backend: 'wlroots' | 'mutter' | 'portal' | 'synthetic';
  /** Output to mirror; absent: the main one. */
  readonly outputName?: string;
  readonly mode: DisplayMode;
}

/**
 * How access units become datagrams. Made by the protocol, opaque to the rest of the host; the
 * packet worker picks the format by `kind`.
 */
export type PacketFormat = GameStreamPacketFormat;

export interface GameStreamPacketFormat {
  readonly kind: 'gamestream';
  /** `packetSize` of ANNOUNCE: datagram is packetSize + 16 (+ 32 sealed). */
  readonly packetSize: number;
  readonly parityPct: number;
  readonly minParityShards: number;
  readonly sealVideo: boolean;
  readonly sealAudio: boolean;
  /** AES-128 key of the session (rikey). */
  readonly key: Uint8Array;
  /** rikeyid as unsigned 32 bit: first four IV bytes of audio. */
  readonly keyId: number;
  /** DSCP code points to tag datagrams with; 0 leaves them untagged. */
  readonly videoDscp: number;
  readonly audioDscp: number;
}

/** A step that puts the user's machine back; the journal keeps it before it is needed. */
export interface UndoStep {
  readonly kind: string;
  readonly detail: Readonly<Record<string, string | number>>;
}

export interface SessionPlan {
  readonly sessionId: string;
  readonly plane: 'gamestream' | 'native';
  readonly device: DeviceIdentity;
  readonly appId: number;
  readonly display: DisplayPlan;
  readonly video: VideoPlan;
  readonly audio: AudioPlan;
  readonly padMask: number;
  /** One sentence per wish of the device that is not met, for logs and status. */
  readonly notes: readonly string[];
}
