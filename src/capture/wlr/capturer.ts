/**
 * Captures one output of a wlroots compositor, in the video worker, blocking at most as long as
 * asked. The next picture is asked for before the last one is handed over, so that the compositor
 * copies while the encoder works; nothing arrives while nothing changes on the screen.
 */

import { monotonicNs } from '../../../ffi/libc-time.ts';
import { WaylandConnection } from '../../desktop/wayland/connection.ts';
import { OutputTracker, type WaylandOutput } from '../../desktop/wayland/outputs.ts';
import { WL_SHM } from '../../desktop/wayland/protocols/core.ts';
import {
  COPY_CAPTURE_MANAGER,
  OUTPUT_CAPTURE_SOURCE_MANAGER,
} from '../../desktop/wayland/protocols/ext.ts';
import { SCREENCOPY_MANAGER } from '../../desktop/wayland/protocols/wlr.ts';
import type { CaptureResult, Capturer, CaptureSource } from '../port.ts';
import { CopyCaptureEngine } from './copy-capture.ts';
import { type CopiedPicture, type CopyEngine, pixelFormat } from './copy-engine.ts';
import { ScreencopyEngine } from './screencopy.ts';
import { UprightCopy } from './upright.ts';

const ANSWER_TIMEOUT_MS = 2_000;
/** A stamp further from now than this is not CLOCK_MONOTONIC. */
const STAMP_TOLERANCE_NS = 1e9;

/**
 * Opens the capturer of a `wlr` source. Throws with a sentence when the compositor does not answer,
 * the output is not there, or no copy protocol is offered.
 */
export function openWlrCapturer(source: CaptureSource): Capturer {
  if (source.kind !== 'wlr') throw new Error(`a ${source.kind} source is not for this capturer`);
  const connection = new WaylandConnection(source.socketPath);
  try {
    return new WlrCapturer(connection, source.outputName, source.drawCursor);
  } catch (error) {
    connection.close();
    throw error;
  }
}

class WlrCapturer implements Capturer {
  readonly description: string;
  readonly #connection: WaylandConnection;
  readonly #engine: CopyEngine;
  #lostCause: string | null = null;
  readonly #upright = new UprightCopy();

  constructor(connection: WaylandConnection, outputName: string, drawCursor: boolean) {
    this.#connection = connection;
    if (!connection.roundtrip(ANSWER_TIMEOUT_MS)) throw new Error(silence(connection));
    const tracker = new OutputTracker(connection);
    if (!connection.roundtrip(ANSWER_TIMEOUT_MS)) throw new Error(silence(connection));
    const output = tracker.find(outputName);
    if (!output) throw new Error(`the compositor has no output ${outputName}`);
    if (output.transform !== 0) {
      throw new Error(`output ${outputName} is rotated; set its transform to normal`);
    }
    this.#engine = openEngine(connection, output, drawCursor);
    this.description = `${this.#engine.protocol} ${outputName} (shm)`;
    tracker.onRemoved = (removed) => {
      if (removed === output) this.#lostCause ??= `output ${outputName} was removed`;
    };
    let { modeWidth, modeHeight } = output;
    tracker.onChanged = () => {
      if (output.modeWidth === modeWidth && output.modeHeight === modeHeight) return;
      ({ modeWidth, modeHeight } = output);
      this.#engine.restart();
    };
    connection.onFailure = (cause) => {
      this.#lostCause ??= cause;
    };
  }

  next(timeoutMs: number): CaptureResult {
    const deadlineNs = monotonicNs() + timeoutMs * 1e6;
    this.#connection.dispatch(0);
    for (;;) {
      const cause = this.#lostCause ?? this.#engine.failure;
      if (cause !== null) {
        this.#lostCause = cause;
        return { kind: 'lost', cause };
      }
      const picture = this.#engine.take();
      this.#engine.arm();
      if (picture) {
        this.#connection.flush();
        return this.#frameOf(picture);
      }
      const leftMs = (deadlineNs - monotonicNs()) / 1e6;
      if (leftMs <= 0) {
        this.#connection.flush();
        return { kind: 'none' };
      }
      this.#connection.dispatch(leftMs);
    }
  }

  close(): void {
    this.#lostCause ??= 'the capturer was closed';
    this.#engine.close();
    this.#connection.close();
    this.#upright.close();
  }

  #frameOf({ buffer, captureNs, isInverted }: CopiedPicture): CaptureResult {
    const { width, height, strideBytes, format } = buffer.shape;
    const nowNs = monotonicNs();
    const isPlausible = Math.abs(nowNs - captureNs) < STAMP_TOLERANCE_NS;
    return {
      kind: 'frame',
      frame: {
        kind: 'memory',
        format: pixelFormat(format) ?? 'BGRx',
        width,
        height,
        data: isInverted ? this.#upright.turn(buffer.bytes, strideBytes, height) : buffer.bytes,
        strideBytes,
        captureNs: isPlausible ? captureNs : nowNs,
      },
    };
  }
}

/** The best copy protocol the compositor offers. */
function openEngine(
  connection: WaylandConnection,
  output: WaylandOutput,
  drawCursor: boolean,
): CopyEngine {
  const shm = connection.bindFirst(WL_SHM);
  if (!shm) throw new Error('the compositor has no shared memory buffers (wl_shm)');
  const capture = connection.bindFirst(COPY_CAPTURE_MANAGER);
  const sources = connection.bindFirst(OUTPUT_CAPTURE_SOURCE_MANAGER);
  if (capture && sources) {
    return new CopyCaptureEngine(connection, { capture, sources }, shm, output, drawCursor);
  }
  const manager = connection.bindFirst(SCREENCOPY_MANAGER);
  if (manager) return new ScreencopyEngine(connection, manager, shm, output, drawCursor);
  throw new Error('the compositor offers neither ext-image-copy-capture nor wlr-screencopy');
}

function silence(connection: WaylandConnection): string {
  return connection.failure ?? `the compositor did not answer in ${ANSWER_TIMEOUT_MS} ms`;
}
