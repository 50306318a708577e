/**
 * Watches one output over its own Wayland connection: its mode as the compositor reports it, and
 * the moment it goes away, be it the output or the whole compositor.
 */
import { WaylandConnection } from '../../desktop/wayland/connection.ts';
import { OutputTracker, type WaylandOutput } from '../../desktop/wayland/outputs.ts';
import type { DisplayMode } from '../../session/mode.ts';

/** What wlroots runs a headless output at whose mode names no rate (reported as 0). */
const HEADLESS_MILLI_HZ = 60_000;
const ANSWER_TIMEOUT_MS = 2_000;
/** How soon a vanished output is noticed; one poll(2) each time. */
const POLL_INTERVAL_MS = 100;

export class OutputWatch {
  readonly #connection: WaylandConnection;
  readonly #tracker: OutputTracker;
  readonly #outputName: string;
  #reportLost: (cause: string) => void = () => {};
  /** Resolves with the cause when the output or the compositor went away; never rejects. */
  readonly lost: Promise<string>;

  private constructor(connection: WaylandConnection, tracker: OutputTracker, outputName: string) {
    this.#connection = connection;
    this.#tracker = tracker;
    this.#outputName = outputName;
    this.lost = new Promise((resolve) => {
      this.#reportLost = resolve;
    });
  }

  /** Connects and waits until the output is there; throws when it does not appear. */
  static async open(socketPath: string, outputName: string): Promise<OutputWatch> {
    const { connection, tracker } = await connectTracker(socketPath);
    const watch = new OutputWatch(connection, tracker, outputName);
    const isThere = await connection.waitUntil(
      () => (tracker.find(outputName)?.modeWidth ?? 0) > 0,
      ANSWER_TIMEOUT_MS,
    );
    if (!isThere) {
      const cause = connection.failure ?? `output ${outputName} did not appear`;
      connection.close();
      throw new Error(cause);
    }
    tracker.onRemoved = (output) => {
      if (output.name === outputName) watch.#reportLost(`output ${outputName} was removed`);
    };
    connection.onFailure = (cause) => watch.#reportLost(cause);
    connection.keepReading(POLL_INTERVAL_MS);
    return watch;
  }

  /** Waits until the compositor shows this mode; false when it settled on another one. */
  async waitForMode(mode: DisplayMode): Promise<boolean> {
    const isSet = () => {
      const output = this.#tracker.find(this.#outputName);
      return output !== null && isMode(output, mode);
    };
    await this.#connection.roundtripAsync(ANSWER_TIMEOUT_MS);
    return await this.#connection.waitUntil(isSet, ANSWER_TIMEOUT_MS);
  }

  /** Mode the compositor reports now; `asked` gives the exact fraction when it is the same rate. */
  async readMode(asked: DisplayMode): Promise<DisplayMode> {
    await this.#connection.roundtripAsync(ANSWER_TIMEOUT_MS);
    const output = this.#tracker.find(this.#outputName);
    if (!output) throw new Error(`output ${this.#outputName} is gone`);
    return isMode(output, asked) ? asked : modeOf(output);
  }

  close(): void {
    this.#connection.close();
  }
}

/** A connection whose outputs are known. Throws when the compositor does not answer. */
export async function connectTracker(
  socketPath: string,
): Promise<{ connection: WaylandConnection; tracker: OutputTracker }> {
  const connection = new WaylandConnection(socketPath);
  if (await connection.roundtripAsync(ANSWER_TIMEOUT_MS)) {
    const tracker = new OutputTracker(connection);
    if (await connection.roundtripAsync(ANSWER_TIMEOUT_MS)) return { connection, tracker };
  }
  const cause = connection.failure ?? `the compositor did not answer in ${ANSWER_TIMEOUT_MS} ms`;
  connection.close();
  throw new Error(cause);
}

/** Mode of an output as the compositor reports it. */
export function modeOf(output: WaylandOutput): DisplayMode {
  const milliHz = output.refreshMilliHz || HEADLESS_MILLI_HZ;
  const isWhole = milliHz % 1000 === 0;
  return {
    width: output.modeWidth,
    height: output.modeHeight,
    refreshNum: isWhole ? milliHz / 1000 : milliHz,
    refreshDen: isWhole ? 1 : 1000,
  };
}

function isMode(output: WaylandOutput, mode: DisplayMode): boolean {
  return (
    output.modeWidth === mode.width &&
    output.modeHeight === mode.height &&
    output.refreshMilliHz === Math.round((mode.refreshNum * 1000) / mode.refreshDen)
  );
}
