/** Which Wayland output a portal stream shows, by its place and size in the layout. */
import { WaylandConnection } from '../../desktop/wayland/connection.ts';
import { OutputTracker } from '../../desktop/wayland/outputs.ts';
import type { PortalStream } from './session.ts';

const ANSWER_TIMEOUT_MS = 1_000;

export interface ShownOutput {
  readonly name: string;
  /** Pixels, as upright as the screen. */
  readonly width: number;
  readonly height: number;
  readonly refreshMilliHz: number;
}

/** The output, or null when none or more than one fits. */
export async function outputOfStream(
  socketPath: string,
  stream: PortalStream,
): Promise<ShownOutput | null> {
  let connection: WaylandConnection;
  try {
    connection = new WaylandConnection(socketPath);
  } catch {
    return null;
  }
  try {
    if (!(await connection.roundtripAsync(ANSWER_TIMEOUT_MS))) return null;
    const tracker = new OutputTracker(connection);
    if (!(await connection.roundtripAsync(ANSWER_TIMEOUT_MS))) return null;
    const outputs = tracker.list().map((output) => {
      const isTurned = output.transform % 2 === 1;
      return {
        name: output.name,
        width: isTurned ? output.modeHeight : output.modeWidth,
        height: isTurned ? output.modeWidth : output.modeHeight,
        refreshMilliHz: output.refreshMilliHz,
        logicalX: output.logicalX,
        logicalY: output.logicalY,
        logicalWidth: output.logicalWidth,
        logicalHeight: output.logicalHeight,
      };
    });
    return matchOutput(outputs, stream);
  } finally {
    connection.close();
  }
}

interface PlacedOutput extends ShownOutput {
  readonly logicalX: number;
  readonly logicalY: number;
  readonly logicalWidth: number;
  readonly logicalHeight: number;
}

/** Pure part: a stream without a place or size fits every output. */
export function matchOutput(
  outputs: readonly PlacedOutput[],
  { size, position }: Pick<PortalStream, 'size' | 'position'>,
): ShownOutput | null {
  const fits = outputs.filter((output) => {
    const isPlace = !position || (position.x === output.logicalX && position.y === output.logicalY);
    const isLogicalSize =
      size?.width === output.logicalWidth && size.height === output.logicalHeight;
    const isPixelSize = size?.width === output.width && size.height === output.height;
    return isPlace && (!size || isLogicalSize || isPixelSize);
  });
  const [only] = fits;
  if (!only || fits.length !== 1) return null;
  const { name, width, height, refreshMilliHz } = only;
  return { name, width, height, refreshMilliHz };
}
