/**
 * Keeps the memory of a media worker flat. A thread that never returns to its event loop is collected
 * only after its heap grew by tens of megabytes; with a heap this small a collection takes about a
 * millisecond, so it is done every few seconds between two turns of the loop.
 */

const COLLECT_INTERVAL_NS = 5e9;

/** Call once per turn, right after the work of the turn. Cheap while nothing is due. */
export function makeHousekeeper(nowNs: () => number, collect: () => void): () => void {
  let dueNs = nowNs() + COLLECT_INTERVAL_NS;
  return () => {
    const now = nowNs();
    if (now < dueNs) return;
    collect();
    dueNs = now + COLLECT_INTERVAL_NS;
  };
}
