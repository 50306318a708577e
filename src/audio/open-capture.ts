/** Picks the capture backend of an audio source. Runs inside the audio worker. */
import { openPipewireCapture } from './pipewire-capture.ts';
import type { AudioCapture, AudioSource } from './port.ts';
import { openSilence } from './silence.ts';

export function openAudioCapture(source: AudioSource, channels: number): AudioCapture {
  return source.kind === 'pipewire'
    ? openPipewireCapture(source)
    : openSilence(channels, source.reason);
}
