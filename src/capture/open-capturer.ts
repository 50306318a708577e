/** Picks the capture backend of a source. Runs inside the video worker. */
import { openPipewireCapturer } from './pipewire/capturer.ts';
import type { Capturer, CaptureSource } from './port.ts';
import { SyntheticCapturer } from './synthetic.ts';
import { openWlrCapturer } from './wlr/capturer.ts';

/** Throws with a sentence when the source cannot be opened. */
export function openCapturer(source: CaptureSource): Capturer {
  switch (source.kind) {
    case 'synthetic':
      return new SyntheticCapturer(source);
    case 'wlr':
      return openWlrCapturer(source);
    case 'pipewire':
      return openPipewireCapturer(source);
  }
}
