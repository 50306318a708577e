/** Notices a worker that blocks for good: its loop no longer counts. */
import type { StreamControl } from '../pipeline/stream-control.ts';
import type { WorkerKind } from './media-worker.ts';

const WATCH_INTERVAL_MS = 1_000;
/** Looks without a heartbeat after which a worker counts as stalled. */
const STALLED_LOOKS = 10;

/** Calls `onStalled` with a sentence; returns the way to stop watching. */
export function watchHeartbeats(
  control: StreamControl,
  onStalled: (reason: string) => void,
): () => void {
  const parts = (['video', 'packet', 'audio'] satisfies WorkerKind[]).map((kind) => ({
    kind,
    beat: -1,
    stalledLooks: 0,
  }));
  const timer = setInterval(() => {
    for (const part of parts) {
      const beat = control.get(`${part.kind}Heartbeat`);
      part.stalledLooks = beat === part.beat ? part.stalledLooks + 1 : 0;
      part.beat = beat;
      if (part.stalledLooks < STALLED_LOOKS) continue;
      onStalled(`the ${part.kind} worker has not moved for ${STALLED_LOOKS} s`);
    }
  }, WATCH_INTERVAL_MS);
  return () => clearInterval(timer);
}
