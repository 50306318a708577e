/** What both screen copy protocols look like to the capturer, and what they share. */
import type { WaylandConnection, WaylandObject } from '../../desktop/wayland/connection.ts';
import type { WL_SHM } from '../../desktop/wayland/protocols/core.ts';
import { ShmBuffer, type ShmBufferShape } from '../../desktop/wayland/shm-buffer.ts';
import type { PixelFormat } from '../port.ts';

/** Copies refused in a row before the source counts as lost. */
export const REFUSALS_MAX = 10;

export interface CopiedPicture {
  readonly buffer: ShmBuffer;
  /** CLOCK_MONOTONIC by the compositor. */
  readonly captureNs: number;
  /** Rows lie bottom-up. */
  readonly isInverted: boolean;
}

export interface CopyEngine {
  /** Protocol for status. */
  readonly protocol: string;
  /** Why no picture can come any more, or null. */
  readonly failure: string | null;
  /** Asks for the next changed picture, unless one is under way. */
  arm(): void;
  /** The picture that arrived, once; its memory stays until the take after. */
  take(): CopiedPicture | null;
  /** The output got another mode: the next picture is a whole one of the new size. */
  restart(): void;
  close(): void;
}

/** wl_shm formats with four bytes a pixel whose byte order the pipeline knows, best first. */
const FORMATS: readonly { readonly shm: number; readonly pixel: PixelFormat }[] = [
  { shm: 1, pixel: 'BGRx' }, // XRGB8888
  { shm: 0, pixel: 'BGRA' }, // ARGB8888
  { shm: 0x34324258, pixel: 'RGBx' }, // XBGR8888, DRM 'XB24'
  { shm: 0x34324241, pixel: 'RGBA' }, // ABGR8888, DRM 'AB24'
];

/** Byte order of a wl_shm format, or null for one the pipeline does not take. */
export function pixelFormat(shmFormat: number): PixelFormat | null {
  return FORMATS.find((format) => format.shm === shmFormat)?.pixel ?? null;
}

/** The best of the offered wl_shm formats, or null. */
export function chooseShmFormat(offered: readonly number[]): number | null {
  return FORMATS.find((format) => offered.includes(format.shm))?.shm ?? null;
}

/** Two buffers of one shape: one is read by the encoder while the compositor fills the other. */
export class BufferPair {
  readonly #connection: WaylandConnection;
  readonly #shm: WaylandObject<keyof typeof WL_SHM.requests>;
  #buffers: readonly [ShmBuffer, ShmBuffer] | null = null;
  #filling = 0;

  constructor(connection: WaylandConnection, shm: WaylandObject<keyof typeof WL_SHM.requests>) {
    this.#connection = connection;
    this.#shm = shm;
  }

  /** The buffer to fill, made anew when the shape changed. */
  target(shape: ShmBufferShape): ShmBuffer {
    const current = this.#buffers?.[0].shape;
    const isSame =
      current?.width === shape.width &&
      current.height === shape.height &&
      current.strideBytes === shape.strideBytes &&
      current.format === shape.format;
    if (!isSame || !this.#buffers) {
      this.close();
      this.#buffers = [
        new ShmBuffer(this.#connection, this.#shm, shape),
        new ShmBuffer(this.#connection, this.#shm, shape),
      ];
    }
    return this.#buffers[this.#filling === 0 ? 0 : 1];
  }

  /** The filled buffer goes to the reader; the next target is the other one. */
  swap(): void {
    this.#filling = 1 - this.#filling;
  }

  close(): void {
    for (const buffer of this.#buffers ?? []) buffer.close();
    this.#buffers = null;
  }
}

/** Nanoseconds of the three words that both protocols use for a time stamp. */
export function stampNs(secondsHigh: number, secondsLow: number, nanoseconds: number): number {
  return (secondsHigh * 2 ** 32 + secondsLow) * 1e9 + nanoseconds;
}
