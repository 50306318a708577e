/**
 * The capture port: newest picture or none, and loss as an event with a cause.
 *
 * Backends run inside the video worker and may block in `next` for at most `timeoutMs`.
 */
import type { DisplayMode } from '../session/mode.ts';

/** Byte order in memory, as PipeWire and DRM name it (BGRx = bytes B, G, R, x). */
export type PixelFormat = 'BGRx' | 'BGRA' | 'RGBx' | 'RGBA' | 'I420' | 'NV12';

export interface MemoryFrame {
  readonly kind: 'memory';
  readonly format: PixelFormat;
  readonly width: number;
  readonly height: number;
  /** Bytes of plane 0 (and, for I420/NV12, the planes behind it). Valid until the next `next()`. */
  readonly data: Uint8Array;
  readonly strideBytes: number;
  /** CLOCK_MONOTONIC of the picture: the producer's stamp where it gives one. */
  readonly captureNs: number;
}

/** One picture that stays on the GPU. Descriptors belong to the capturer until the next `next()`. */
export interface DmabufFrame {
  readonly kind: 'dmabuf';
  /** DRM FourCC code. */
  readonly fourcc: number;
  readonly modifier: bigint;
  readonly width: number;
  readonly height: number;
  readonly planes: readonly { fd: number; offsetBytes: number; strideBytes: number }[];
  readonly captureNs: number;
}

export type CapturedFrame = MemoryFrame | DmabufFrame;

export type CaptureResult =
  | { readonly kind: 'frame'; readonly frame: CapturedFrame }
  /** Nothing new on the screen within the timeout. */
  | { readonly kind: 'none' }
  /** The source is gone; the pipeline rebuilds it in place. */
  | { readonly kind: 'lost'; readonly cause: string };

export interface Capturer {
  /** For status: e.g. `wlr-screencopy HEADLESS-2 (shm)`. */
  readonly description: string;
  next(timeoutMs: number): CaptureResult;
  close(): void;
}

/** What a display lease hands to the video worker; structured-clonable. */
export type CaptureSource =
  | { readonly kind: 'synthetic'; readonly mode: DisplayMode }
  | {
      readonly kind: 'wlr';
      /** Absolute path of the compositor's Wayland socket. */
      readonly socketPath: string;
      readonly outputName: string;
      readonly mode: DisplayMode;
      readonly drawCursor: boolean;
    }
  | {
      readonly kind: 'pipewire';
      readonly nodeId: number;
      /** PipeWire socket directory (XDG_RUNTIME_DIR of the desktop session). */
      readonly runtimeDir: string;
      /** Mode to ask the producer for; a virtual monitor takes its size from it. */
      readonly mode: DisplayMode;
      /** True when the producer resizes to what we ask (Mutter virtual monitors). */
      readonly fixedSize: boolean;
    };

export type OpenCapturer = (source: CaptureSource) => Capturer;

/** Result of a probe that changes nothing. */
export type Availability =
  | { readonly available: true; readonly detail: string }
  | { readonly available: false; readonly missing: string; readonly remedy: string };
