/** A wl_buffer in shared memory that both the compositor and this process see. */
import { createSharedMemory, type SharedMapping } from '../../../ffi/libc-fd.ts';
import type { WaylandConnection, WaylandObject } from './connection.ts';
import { WL_BUFFER, type WL_SHM, WL_SHM_POOL } from './protocols/core.ts';

/** 16384 × 16384 pixels of four bytes: beyond any screen, and within 32-bit pool sizes. */
const BUFFER_BYTES_MAX = 2 ** 30;

export interface ShmBufferShape {
  readonly width: number;
  readonly height: number;
  readonly strideBytes: number;
  /** wl_shm.format. */
  readonly format: number;
}

export class ShmBuffer {
  readonly object: WaylandObject<keyof typeof WL_BUFFER.requests>;
  readonly shape: ShmBufferShape;
  readonly #mapping: SharedMapping;
  readonly #connection: WaylandConnection;
  /** True while the compositor may read or write it; cleared by its release event. */
  isBusy = false;

  /** Throws RangeError for a size no screen has, SystemCallError when memory is short. */
  constructor(
    connection: WaylandConnection,
    shm: WaylandObject<keyof typeof WL_SHM.requests>,
    shape: ShmBufferShape,
  ) {
    const { width, height, strideBytes, format } = shape;
    const sizeBytes = strideBytes * height;
    const isSane = width > 0 && height > 0 && strideBytes >= width && sizeBytes <= BUFFER_BYTES_MAX;
    if (!isSane) throw new RangeError(`a buffer of ${width}x${height}, stride ${strideBytes}`);
    const { fd, mapping } = createSharedMemory('punktfunk-frame', sizeBytes);
    const pool = connection.construct(shm, 'create_pool', WL_SHM_POOL, {}, fd, sizeBytes);
    this.object = connection.construct(
      pool,
      'create_buffer',
      WL_BUFFER,
      {
        release: () => {
          this.isBusy = false;
        },
      },
      0,
      width,
      height,
      strideBytes,
      format,
    );
    connection.destroy(pool);
    this.shape = shape;
    this.#mapping = mapping;
    this.#connection = connection;
  }

  /** Pixels; empty after `close()`. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#mapping.bytes;
  }

  close(): void {
    this.#connection.destroy(this.object);
    this.#mapping.close();
  }
}
