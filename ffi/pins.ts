/**
 * Memory and callbacks that native code keeps after a call returns.
 *
 * Bun frees a buffer whose last JavaScript reference is gone although C still holds its address;
 * everything C keeps is therefore held here until its owner releases it.
 */
const pinned = new Set<object>();

/** Keeps `value` alive until {@link unpin}; returns it. */
export function pin<T extends object>(value: T): T {
  pinned.add(value);
  return value;
}

export function unpin(value: object): void {
  pinned.delete(value);
}

/** How many objects native code holds: leak counter for self-tests. */
export function pinnedCount(): number {
  return pinned.size;
}

/** Zeroed bytes whose address never changes (small plain typed arrays move). */
export function stableBytes(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(size));
}
