/**
 * Pictures through wlr-screencopy (versions 1–3) into shared memory.
 *
 * Each picture is its own object: ask, learn the buffer's shape, copy, ready. The shape practically
 * never changes, so from the second picture on the copy is asked for together with the picture,
 * which saves a round trip; a change of the output's mode goes back to asking first.
 */
import type { WaylandConnection, WaylandObject } from '../../desktop/wayland/connection.ts';
import type { WaylandOutput } from '../../desktop/wayland/outputs.ts';
import type { WL_SHM } from '../../desktop/wayland/protocols/core.ts';
import { SCREENCOPY_FRAME, type SCREENCOPY_MANAGER } from '../../desktop/wayland/protocols/wlr.ts';
import type { ShmBuffer, ShmBufferShape } from '../../desktop/wayland/shm-buffer.ts';
import type { WireValue } from '../../desktop/wayland/wire.ts';
import {
  BufferPair,
  type CopiedPicture,
  type CopyEngine,
  pixelFormat,
  REFUSALS_MAX,
  stampNs,
} from './copy-engine.ts';

const FLAG_Y_INVERT = 1;

export class ScreencopyEngine implements CopyEngine {
  readonly protocol = 'wlr-screencopy';
  readonly #connection: WaylandConnection;
  readonly #manager: WaylandObject<keyof typeof SCREENCOPY_MANAGER.requests>;
  readonly #output: WaylandOutput;
  readonly #drawCursor: boolean;
  readonly #buffers: BufferPair;
  #frame: WaylandObject<keyof typeof SCREENCOPY_FRAME.requests> | null = null;
  #shape: ShmBufferShape | null = null;
  #offered: ShmBufferShape | null = null;
  #target: ShmBuffer | null = null;
  #isInverted = false;
  #wantsWhole = false;
  #picture: CopiedPicture | null = null;
  #refusals = 0;
  failure: string | null = null;

  constructor(
    connection: WaylandConnection,
    manager: WaylandObject<keyof typeof SCREENCOPY_MANAGER.requests>,
    shm: WaylandObject<keyof typeof WL_SHM.requests>,
    output: WaylandOutput,
    drawCursor: boolean,
  ) {
    this.#connection = connection;
    this.#manager = manager;
    this.#output = output;
    this.#drawCursor = drawCursor;
    this.#buffers = new BufferPair(connection, shm);
  }

  arm(): void {
    if (this.#frame || this.#picture || this.failure !== null) return;
    this.#target = null;
    this.#offered = null;
    this.#isInverted = false;
    this.#frame = this.#connection.construct(
      this.#manager,
      'capture_output',
      SCREENCOPY_FRAME,
      {
        buffer: (values) => this.#offer(values),
        buffer_done: () => this.#copyOffered(),
        flags: ([flags]) => {
          this.#isInverted = (Number(flags) & FLAG_Y_INVERT) !== 0;
        },
        ready: (values) => this.#finish(values),
        failed: () => this.#refuse(),
      },
      this.#drawCursor ? 1 : 0,
      this.#output.object.id,
    );
    if (this.#shape) this.#copyInto(this.#shape);
  }

  take(): CopiedPicture | null {
    const picture = this.#picture;
    this.#picture = null;
    return picture;
  }

  restart(): void {
    this.#dropFrame();
    this.#picture = null;
    this.#shape = null;
    // What the dropped copy consumed is not reported as damage again.
    this.#wantsWhole = true;
  }

  close(): void {
    this.#dropFrame();
    this.#buffers.close();
  }

  #offer([format, width, height, strideBytes]: readonly WireValue[]): void {
    this.#offered = {
      format: Number(format),
      width: Number(width),
      height: Number(height),
      strideBytes: Number(strideBytes),
    };
    // Version 3 may offer other buffer kinds after it and says when it is done.
    if (this.#manager.version < 3) this.#copyOffered();
  }

  #copyOffered(): void {
    if (this.#target) return;
    const offered = this.#offered;
    if (!offered) this.failure = 'the compositor offers no shared memory for its picture';
    else if (!pixelFormat(offered.format)) {
      this.failure = `the compositor's picture format 0x${offered.format.toString(16)} is not supported`;
    } else {
      this.#shape = offered;
      this.#copyInto(offered);
    }
  }

  #copyInto(shape: ShmBufferShape): void {
    if (!this.#frame) return;
    try {
      this.#target = this.#buffers.target(shape);
    } catch (error) {
      this.failure = `no memory for the picture: ${String(error)}`;
      return;
    }
    const isWhole = this.#wantsWhole || this.#manager.version < 2;
    const request = isWhole ? 'copy' : 'copy_with_damage';
    this.#connection.request(this.#frame, request, this.#target.object.id);
  }

  #finish([high, low, nanoseconds]: readonly WireValue[]): void {
    if (!this.#target) return;
    this.#refusals = 0;
    this.#wantsWhole = false;
    this.#picture = {
      buffer: this.#target,
      captureNs: stampNs(Number(high), Number(low), Number(nanoseconds)),
      isInverted: this.#isInverted,
    };
    this.#buffers.swap();
    this.#dropFrame();
  }

  #refuse(): void {
    this.restart();
    this.#refusals += 1;
    if (this.#refusals >= REFUSALS_MAX) {
      this.failure = `the compositor refused ${REFUSALS_MAX} copies of ${this.#output.name} in a row`;
    }
  }

  #dropFrame(): void {
    if (this.#frame) this.#connection.destroy(this.#frame);
    this.#frame = null;
  }
}
