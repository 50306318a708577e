/** A stream that is written down as the device receives it. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { SessionRow } from '../../src/mgmt/schemas.ts';
import type { LaunchWish } from '../peers/moonlight/client.ts';
import type { RunningStream, StreamOptions } from '../peers/moonlight/stream.ts';
import { waitUntil } from './harness-session.ts';
import type { StreamDesktop } from './stream-desktop.ts';
import type { StreamHost } from './stream-host.ts';

const FIRST_PICTURE_MS = 10_000;

export interface Mode {
  readonly width: number;
  readonly height: number;
  readonly fps: number;
}

export function modeText({ width, height, fps }: Mode): string {
  return `${width}x${height}@${fps}`;
}

export class Recording {
  readonly stream: RunningStream;
  /** H.264 as it came, in Annex B form. */
  readonly videoPath: string;
  /** What `ctl sessions` said once the screen stood. */
  readonly row: SessionRow;
  /** The screen that was made for this stream, as the host names it. */
  readonly output: string;
  readonly #file: number;

  /** Pairs when needed, starts the stream and waits for its first picture and its screen. */
  static async start(
    desktop: StreamDesktop,
    host: StreamHost,
    mode: Mode,
    wish: Partial<StreamOptions> & LaunchWish = {},
  ): Promise<Recording> {
    await host.pairDevice();
    const videoPath = join(desktop.session.runtimeDir, `${modeText(mode)}-${Date.now()}.h264`);
    const file = openSync(videoPath, 'w');
    const stream = await host.device.stream({
      ...mode,
      bitrateKbps: 15_000,
      onPicture: (accessUnit) => writeSync(file, accessUnit),
      ...wish,
    });
    if (!(await stream.untilFrames(1, FIRST_PICTURE_MS))) {
      throw new Error(`no picture came (${JSON.stringify(stream.end)}): ${host.log()}`);
    }
    let row = await host.session();
    const isKnown = async () => {
      row = await host.session();
      return row.display.actual !== null && (await desktop.outputs()).has(row.display.output ?? '');
    };
    await waitUntil(isKnown, `the screen stands: ${host.log()}`, 100);
    return new Recording(stream, videoPath, row, file);
  }

  private constructor(stream: RunningStream, videoPath: string, row: SessionRow, file: number) {
    this.stream = stream;
    this.videoPath = videoPath;
    this.row = row;
    this.output = row.display.output ?? '';
    this.#file = file;
  }

  /** Pictures received so far. */
  get pictureCount(): number {
    return this.stream.video.frames.length;
  }

  /** Waits for `count` more pictures. */
  async more(count: number, timeoutMs = 10_000): Promise<void> {
    if (await this.stream.untilFrames(this.pictureCount + count, timeoutMs)) return;
    throw new Error(
      `not ${count} more pictures in ${timeoutMs} ms: ${JSON.stringify(this.stream.end)}`,
    );
  }

  /** Nothing is written any more. */
  close(): void {
    this.stream.vanish();
    closeSync(this.#file);
  }
}
