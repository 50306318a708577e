/** Tells one run of a compositor from the next one at the same socket path. */
import { statSync } from 'node:fs';

/** Identity of the socket file; `gone` when there is none. */
export function instanceOf(socketPath: string): string {
  try {
    const { ino, birthtimeMs } = statSync(socketPath);
    return `${ino}-${Math.round(birthtimeMs)}`;
  } catch {
    return 'gone';
  }
}
