/** PUNKTFUNK_PERF: one line a second with rates and stage times of the running stream. */

import { STAGES, type StreamControl } from '../pipeline/stream-control.ts';
import { logger } from '../platform/log.ts';
import type { SessionDesk } from './session-desk.ts';

const log = logger('perf');
const INTERVAL_MS = 1_000;
const COUNTED = [
  'framesCaptured',
  'framesRepeated',
  'framesSent',
  'framesDropped',
  'packetsSent',
  'idrFrames',
] as const;

/** Starts printing; returns the way to stop. */
export function startPerfLog(desk: SessionDesk): () => void {
  let control: StreamControl | null = null;
  let before: Record<string, number> = {};
  const timer = setInterval(() => {
    const current = desk.session?.stream?.control ?? null;
    if (current !== control) {
      control = current;
      before = {};
    }
    if (!control) return;
    const fields: Record<string, number | string> = {};
    for (const word of COUNTED) {
      const value = control.count(word);
      fields[word] = value - (before[word] ?? 0);
      before[word] = value;
    }
    for (const stage of STAGES) {
      const p50 = control.stageQuantileUs(stage, 0.5);
      const p99 = control.stageQuantileUs(stage, 0.99);
      if (p50 !== null) fields[`${stage}Us`] = `${p50}/${p99}`;
    }
    log.info('last second (counts) and since start (p50/p99)', fields);
  }, INTERVAL_MS);
  return () => clearInterval(timer);
}
