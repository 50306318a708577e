/** The source of a machine without sound: never has a block, so the loop sends true silence. */
import type { AudioCapture } from './port.ts';

/** @param reason why there is no sound, for status */
export function openSilence(channels: number, reason = 'no sound system'): AudioCapture {
  return {
    description: `silence (${reason})`,
    channels,
    read: () => false,
    lost: () => null,
    close: () => {},
  };
}
