/** Captures a source in its own thread until it is terminated; says `frame` at each picture. */
import { openPipewireCapturer, type PipewireSource } from '../../src/capture/pipewire/capturer.ts';

declare const self: Worker;

self.onmessage = ({ data }: MessageEvent<PipewireSource>) => {
  const capturer = openPipewireCapturer(data);
  for (;;) if (capturer.next(100).kind === 'frame') self.postMessage('frame');
};
