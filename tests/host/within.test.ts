import { describe, expect, test } from 'bun:test';
import { elapsedFirst, orAborted } from '../../src/host/within.ts';

describe('waiting', () => {
  test('is over with the work, the time or the signal, and hears no rejection', async () => {
    expect(await elapsedFirst(1_000, Promise.resolve())).toBe(false);
    expect(await elapsedFirst(1_000, Promise.reject(new Error('mine')))).toBe(false);
    expect(await elapsedFirst(5, new Promise(() => {}))).toBe(true);
    expect(await elapsedFirst(1_000, new Promise(() => {}), AbortSignal.abort())).toBe(true);
  });

  test('that is aborted rejects with the reason', async () => {
    const abort = new AbortController();
    const waiting = orAborted(new Promise(() => {}), abort.signal);
    abort.abort(new Error('enough'));

    await expect(waiting).rejects.toThrow('enough');
    await expect(orAborted(Promise.resolve(1), abort.signal)).rejects.toThrow('enough');
    expect(await orAborted(Promise.resolve(2), new AbortController().signal)).toBe(2);
  });
});
