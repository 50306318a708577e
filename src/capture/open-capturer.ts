/** Picks the capture backend of a source. Runs inside the video worker. */
import type { Capturer, CaptureSource } from './port.ts';
import { SyntheticCapturer } from './synthetic.ts';

/** Throws with a sentence when the source cannot be opened. */
export function openCapturer(source: CaptureSource): Capturer {
  switch (source.kind) {
    case 'synthetic':
      return new SyntheticCapturer(source);
    default:
      throw new Error(`this build cannot capture from ${source.kind}`);
  }
}
