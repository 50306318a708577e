/** Taking things apart: one part that fails does not keep the others from being closed. */
import { logger } from '../platform/log.ts';

const log = logger('host');

/** Runs `steps` one after the other; failures are logged. Never rejects. */
export async function runAll(steps: readonly (() => unknown)[]): Promise<void> {
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      log.warn('a part of the host could not be closed', { cause });
    }
  }
}
