/** Waiting for something, but not for ever. */

/**
 * Whether `limitMs` passed, or `signal` fired, before `work` settled. A rejection of `work` is its
 * owner's to hear.
 */
export async function elapsedFirst(
  limitMs: number,
  work: Promise<unknown>,
  signal?: AbortSignal,
): Promise<boolean> {
  const elapsed = Promise.withResolvers<boolean>();
  const onAbort = (): void => elapsed.resolve(true);
  const timer = setTimeout(onAbort, limitMs);
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  const settled = work.then(
    () => false,
    () => false,
  );
  const result = await Promise.race([settled, elapsed.promise]);
  clearTimeout(timer);
  signal?.removeEventListener('abort', onAbort);
  return result;
}

/** The outcome of `work`, or a rejection with the reason of `signal` when that fires first. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    // A signal that fired before counts although the work may be done.
    return await Promise.race([aborted.promise, work]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
