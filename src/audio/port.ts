/** The audio port: 48 kHz interleaved 32-bit float in fixed frames, order FL FR C LFE RL RR SL SR. */

export const SAMPLE_RATE_HZ = 48_000;

export interface AudioCapture {
  readonly description: string;
  readonly channels: number;
  /**
   * Fills `into` (frames × channels samples) with the next block.
   * @returns false when the source produced nothing in time and `into` was filled with silence.
   */
  read(into: Float32Array, timeoutMs: number): boolean;
  /** Set when the source is gone; the worker reopens it. */
  lost(): string | null;
  close(): void;
}

/** What the host hands the audio worker; structured-clonable. */
export type AudioSource =
  /** With the reason when sound was wanted and cannot be had. */
  | { readonly kind: 'silence'; readonly reason?: string }
  | {
      readonly kind: 'pipewire';
      readonly runtimeDir: string;
      /** Node name of the sink whose monitor is captured. */
      readonly sinkName: string;
      readonly channels: 2 | 6 | 8;
    };
