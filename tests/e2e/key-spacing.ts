/** How far apart IDRs are, and how often the encoder began anew by itself. */
import type { RunningStream } from '../peers/moonlight/stream.ts';
import type { HostProcess } from './host-process.ts';

const RTP_HZ = 90_000;
/** A capture time may lie this share of an interval off. */
const JITTER_RATIO = 0.2;

/** IDRs that came within two frame intervals after the one before, by the frames' own times. */
export function crowdedKeys(stream: RunningStream, fps: number): number {
  const keys = stream.video.frames.filter((frame) => frame.isKey);
  const least = (2 - JITTER_RATIO) * (RTP_HZ / fps);
  return keys.slice(1).filter((key, index) => {
    const before = keys[index]?.rtpTimestamp ?? 0;
    return ((key.rtpTimestamp - before) | 0) < least;
  }).length;
}

/**
 * Times that encoders were opened again because the machine was too slow for their settings: each
 * begins with an IDR nobody asked for.
 */
export function encoderRestarts(host: HostProcess): number {
  const opened = host.log.match(/part=encoder$/gm)?.length ?? 0;
  const sessions = host.log.match(/session starts/g)?.length ?? 0;
  return Math.max(0, opened - sessions);
}
