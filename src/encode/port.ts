/**
 * The encoder port (spec: encoders §1.1). One encoder per stream, inside the video worker; every
 * call is synchronous.
 *
 * Picture numbers: `pictureId` is a counter of submitted pictures, owned by the pipeline, which
 * translates wire frame indices to it (a picture that is dropped after encoding has an id but no
 * frame index).
 */
import type { ChromaFormat, ColourDescription, VideoCodec } from '../session/mode.ts';

export interface EncoderParameters {
  readonly codec: VideoCodec;
  /** Even and non-zero. */
  readonly width: number;
  readonly height: number;
  readonly fpsNum: number;
  readonly fpsDen: number;
  readonly bitrateKbps: number;
  readonly bitDepth: 8 | 10;
  readonly hdr: boolean;
  readonly chroma: ChromaFormat;
  readonly colour: ColourDescription;
  readonly slicesPerFrame: number;
  /** 0: encoder's choice. */
  readonly maxReferenceFrames: number;
  /** VBV size in frame intervals; PUNKTFUNK_VBV_FRAMES. */
  readonly vbvFrames: number;
  /** Software only; hardware rungs ignore it. */
  readonly preset: 'superfast' | 'ultrafast';
  /** Largest access unit the wire can carry; the encoder is kept below it. */
  readonly maxAccessUnitBytes: number;
}

/** A picture in the layout that `capabilities.inputs` names. Memory is the pipeline's. */
export type EncoderInput =
  | {
      readonly kind: 'i420';
      readonly y: Uint8Array;
      readonly u: Uint8Array;
      readonly v: Uint8Array;
      readonly yStrideBytes: number;
      readonly uvStrideBytes: number;
    }
  | {
      readonly kind: 'nv12' | 'bgrx';
      readonly data: Uint8Array;
      readonly strideBytes: number;
      /** NV12: where the chroma plane begins. */
      readonly chromaOffsetBytes: number;
    }
  | {
      readonly kind: 'dmabuf';
      readonly fourcc: number;
      readonly modifier: bigint;
      readonly planes: readonly { fd: number; offsetBytes: number; strideBytes: number }[];
    };

export interface EncoderCapabilities {
  /** Rung name, e.g. `x264`, `addon-x264`, later `nvenc`, `vaapi`. */
  readonly backend: string;
  readonly canInvalidate: boolean;
  readonly canIntraRefresh: boolean;
  readonly tenBit: boolean;
  readonly yuv444: boolean;
  readonly inPlaceBitrate: boolean;
  /** Chunks of an access unit are delivered as slices finish. */
  readonly chunkedOutput: boolean;
  readonly inputs: readonly EncoderInput['kind'][];
  readonly maxWidth: number;
  readonly maxHeight: number;
}

/** One chunk of an access unit. Most encoders deliver one chunk, both first and last. */
export interface EncodedChunk {
  /** Annex B or OBUs. Valid until the next call into the encoder. */
  readonly data: Uint8Array;
  readonly pictureId: number;
  readonly isIdr: boolean;
  /** First picture after an invalidation that references only good pictures. */
  readonly isRecoveryAnchor: boolean;
  readonly isFirstChunk: boolean;
  readonly isLastChunk: boolean;
}

export interface VideoEncoder {
  readonly capabilities: EncoderCapabilities;
  submit(input: EncoderInput, pictureId: number, options: { readonly idr: boolean }): void;
  /** Next finished chunk or null. */
  poll(): EncodedChunk | null;
  /**
   * Pictures `firstId`…`lastId` are lost to the device: nothing after may reference them.
   * @returns false when only an IDR can repair it.
   */
  invalidate(firstId: number, lastId: number): boolean;
  /** In place, keeping references; false: the caller rebuilds the encoder. */
  reconfigure(bitrateKbps: number): boolean;
  appliedBitrateKbps(): number;
  /** Rebuilds after a stall; pictures in flight are lost and the next one is an IDR. */
  reset(): boolean;
  close(): void;
}

/** One rung of the encoder ladder. `probe` really opens a tiny session and tears it down. */
export interface EncoderRung {
  readonly name: string;
  /** Encodes on the processor: its rate is capped beforehand and governed by measured load. */
  readonly isSoftware: boolean;
  readonly codecs: readonly VideoCodec[];
  probe():
    | { available: true; detail: string }
    | { available: false; missing: string; remedy: string };
  open(parameters: EncoderParameters): VideoEncoder;
}
