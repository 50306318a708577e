/** The source of a machine without sound: never has a block, so the loop sends true silence. */
import type { AudioCapture } from './port.ts';

export function openSilence(channels: number): AudioCapture {
  return {
    description: 'silence (no sound system)',
    channels,
    read: () => false,
    lost: () => null,
    close: () => {},
  };
}
