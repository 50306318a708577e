/**
 * What a device asks for, in the words of neither protocol. Both protocol rooms produce this record
 * and nothing after admission knows which one it was.
 */
import type { ChromaFormat, ColourDescription, DisplayMode, VideoCodec } from './mode.ts';

/** A paired device: its identity, not its network address. */
export interface DeviceIdentity {
  /** Lower-case hex SHA-256 of the certificate's DER. */
  readonly fingerprint: string;
  readonly name: string;
}

export interface VideoOffer {
  readonly mode: DisplayMode;
  /** The codec the device settled on from what the host announced. */
  readonly codec: VideoCodec;
  readonly chroma: ChromaFormat;
  readonly bitDepth: 8 | 10;
  readonly hdr: boolean;
  readonly colour: ColourDescription;
  /** Rate the encoder may use after parity, audio and overhead are taken off. */
  readonly bitrateKbps: number;
  readonly slicesPerFrame: number;
  /** 0 lets the encoder choose. */
  readonly maxReferenceFrames: number;
  readonly canInvalidateReferences: boolean;
}

export interface AudioOffer {
  readonly channels: 2 | 6 | 8;
  readonly highQuality: boolean;
  readonly packetDurationMs: 5 | 10;
  /** Keep playing on the host's speakers as well. */
  readonly playOnHost: boolean;
}

export interface SessionOffer {
  readonly plane: 'gamestream' | 'native';
  readonly device: DeviceIdentity;
  readonly peerAddress: string;
  readonly appId: number;
  readonly video: VideoOffer;
  readonly audio: AudioOffer;
  /** Bit n: the device has a pad in slot n. */
  readonly padMask: number;
}
