/** PUNKTFUNK_PERF: one line a second with rates and stage times of the running stream. */

import { STAGES, type StreamControl } from '../pipeline/stream-control.ts';
import { type LogFields, logger } from '../platform/log.ts';
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
  let before: PerfCounts = {};
  const timer = setInterval(() => {
    const current = desk.session?.stream?.control ?? null;
    if (current !== control) before = {};
    control = current;
    if (!control) return;
    const { counts, fields } = perfFields(control, before);
    before = counts;
    log.info('last second (counts) and since start (p50/p99)', fields);
  }, INTERVAL_MS);
  return () => clearInterval(timer);
}

/** Totals by word, as they were when the last line was made. */
export type PerfCounts = Partial<Record<(typeof COUNTED)[number], number>>;

/** One line: what was counted since `before`, and the time of every stage that was measured. */
export function perfFields(
  control: StreamControl,
  before: PerfCounts,
): { readonly counts: PerfCounts; readonly fields: LogFields } {
  const counts: PerfCounts = {};
  const fields: Record<string, number | string> = {};
  for (const word of COUNTED) {
    const count = control.count(word);
    counts[word] = count;
    fields[word] = count - (before[word] ?? 0);
  }
  for (const stage of STAGES) {
    const p50 = control.stageQuantileUs(stage, 0.5);
    const p99 = control.stageQuantileUs(stage, 0.99);
    if (p50 !== null) fields[`${stage}Us`] = `${p50}/${p99}`;
  }
  return { counts, fields };
}
