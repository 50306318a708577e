/**
 * Standard output and error without a buffer of our own: what was written has left the process, so
 * that it may exit at once. (A pipe takes 64 KiB at a time; the streams of the runtime would lose
 * the rest at `process.exit`.)
 */
import { writeSync } from 'node:fs';

const RETRY_MS = 2;

/** Writes all of `text` to file descriptor `fd`; gives up silently when the reader is gone. */
export function writeFully(fd: 1 | 2, text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      // EAGAIN: a pipe that does not block is full; anything else is a reader that went away.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      Bun.sleepSync(RETRY_MS);
    }
  }
}
