/**
 * Pictures through ext-image-copy-capture: one session per output that announces the buffers it
 * takes, one frame object per picture. The compositor itself waits for the next change.
 */
import type { WaylandConnection, WaylandObject } from '../../desktop/wayland/connection.ts';
import type { WaylandOutput } from '../../desktop/wayland/outputs.ts';
import type { WL_SHM } from '../../desktop/wayland/protocols/core.ts';
import {
  CAPTURE_SOURCE,
  COPY_CAPTURE_FRAME,
  type COPY_CAPTURE_MANAGER,
  COPY_CAPTURE_SESSION,
  type OUTPUT_CAPTURE_SOURCE_MANAGER,
} from '../../desktop/wayland/protocols/ext.ts';
import type { ShmBuffer, ShmBufferShape } from '../../desktop/wayland/shm-buffer.ts';
import {
  BufferPair,
  type CopiedPicture,
  type CopyEngine,
  chooseShmFormat,
  REFUSALS_MAX,
  stampNs,
} from './copy-engine.ts';

const OPTION_PAINT_CURSORS = 1;
const FAILED_BUFFER_CONSTRAINTS = 1;
const FAILED_STOPPED = 2;
const BYTES_PER_PIXEL = 4;

export interface CopyCaptureManagers {
  readonly capture: WaylandObject<keyof typeof COPY_CAPTURE_MANAGER.requests>;
  readonly sources: WaylandObject<keyof typeof OUTPUT_CAPTURE_SOURCE_MANAGER.requests>;
}

export class CopyCaptureEngine implements CopyEngine {
  readonly protocol = 'ext-image-copy-capture';
  readonly #connection: WaylandConnection;
  readonly #session: WaylandObject<keyof typeof COPY_CAPTURE_SESSION.requests>;
  readonly #buffers: BufferPair;
  #frame: WaylandObject<keyof typeof COPY_CAPTURE_FRAME.requests> | null = null;
  #width = 0;
  #height = 0;
  #formats: number[] = [];
  /** Shape of the last complete announcement; null while a new one is under way. */
  #shape: ShmBufferShape | null = null;
  #isAnnouncing = false;
  #target: ShmBuffer | null = null;
  #captureNs = 0;
  #picture: CopiedPicture | null = null;
  #refusals = 0;
  failure: string | null = null;

  constructor(
    connection: WaylandConnection,
    managers: CopyCaptureManagers,
    shm: WaylandObject<keyof typeof WL_SHM.requests>,
    output: WaylandOutput,
    drawCursor: boolean,
  ) {
    this.#connection = connection;
    this.#buffers = new BufferPair(connection, shm);
    const source = connection.construct(
      managers.sources,
      'create_source',
      CAPTURE_SOURCE,
      {},
      output.object.id,
    );
    this.#session = connection.construct(
      managers.capture,
      'create_session',
      COPY_CAPTURE_SESSION,
      {
        buffer_size: ([width, height]) => {
          this.#beginAnnouncement();
          this.#width = Number(width);
          this.#height = Number(height);
        },
        shm_format: ([format]) => {
          this.#beginAnnouncement();
          this.#formats.push(Number(format));
        },
        done: () => this.#endAnnouncement(),
        stopped: () => this.#stop(output.name),
      },
      source.id,
      drawCursor ? OPTION_PAINT_CURSORS : 0,
    );
    connection.destroy(source);
  }

  arm(): void {
    if (this.#frame || this.#picture || !this.#shape || this.failure !== null) return;
    try {
      this.#target = this.#buffers.target(this.#shape);
    } catch (error) {
      this.failure = `no memory for the picture: ${String(error)}`;
      return;
    }
    const { width, height } = this.#shape;
    const frame = this.#connection.construct(this.#session, 'create_frame', COPY_CAPTURE_FRAME, {
      transform: ([transform]) => {
        if (transform !== 0) this.failure = 'the output is rotated; set its transform to normal';
      },
      presentation_time: ([high, low, nanoseconds]) => {
        this.#captureNs = stampNs(Number(high), Number(low), Number(nanoseconds));
      },
      ready: () => this.#finish(),
      failed: ([reason]) => this.#refuse(Number(reason)),
    });
    this.#frame = frame;
    this.#connection.request(frame, 'attach_buffer', this.#target.object.id);
    // The buffer holds a picture two frames old: all of it is to be written.
    this.#connection.request(frame, 'damage_buffer', 0, 0, width, height);
    this.#connection.request(frame, 'capture');
  }

  take(): CopiedPicture | null {
    const picture = this.#picture;
    this.#picture = null;
    return picture;
  }

  restart(): void {
    // The session announces the new size itself and refuses the copy under way.
  }

  close(): void {
    this.#dropFrame();
    this.#connection.destroy(this.#session);
    this.#buffers.close();
  }

  #beginAnnouncement(): void {
    if (this.#isAnnouncing) return;
    this.#isAnnouncing = true;
    this.#formats = [];
  }

  #endAnnouncement(): void {
    this.#isAnnouncing = false;
    const format = chooseShmFormat(this.#formats);
    if (format === null) {
      this.failure =
        'the compositor offers no picture format of four bytes a pixel in shared memory';
      return;
    }
    const strideBytes = this.#width * BYTES_PER_PIXEL;
    this.#shape = { width: this.#width, height: this.#height, strideBytes, format };
  }

  #finish(): void {
    if (!this.#target) return;
    this.#refusals = 0;
    this.#picture = { buffer: this.#target, captureNs: this.#captureNs, isInverted: false };
    this.#buffers.swap();
    this.#dropFrame();
  }

  #refuse(reason: number): void {
    this.#dropFrame();
    this.#refusals += 1;
    if (reason === FAILED_STOPPED) this.failure = 'the compositor stopped the capture';
    else if (this.#refusals >= REFUSALS_MAX) {
      const why =
        reason === FAILED_BUFFER_CONSTRAINTS ? 'the buffers never fit' : 'no reason given';
      this.failure = `the compositor refused ${REFUSALS_MAX} copies in a row (${why})`;
    }
  }

  #stop(outputName: string): void {
    this.failure ??= `the compositor stopped the capture of ${outputName}`;
  }

  #dropFrame(): void {
    if (this.#frame) this.#connection.destroy(this.#frame);
    this.#frame = null;
  }
}
