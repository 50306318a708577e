/**
 * CLOCK_MONOTONIC and absolute sleeps for media workers.
 * JavaScript timers below one millisecond do not wait at all; these do, about 20 µs late.
 */
import { addressOf, libc } from './libc.ts';
import { pin, stableBytes } from './pins.ts';

const CLOCK_MONOTONIC = 1;
const TIMER_ABSTIME = 1;
const PR_SET_TIMERSLACK = 29;
const PR_SET_NAME = 15;
const NS_PER_SECOND = 1_000_000_000;

// KEEP: module-level, one timespec per thread for reading and one for sleeping.
const now = pin(stableBytes(16));
const nowWords = new Uint32Array(now.buffer);
const until = pin(stableBytes(16));
const untilWords = new Uint32Array(until.buffer);

/** CLOCK_MONOTONIC in nanoseconds: a safe integer for 104 days of uptime, then still exact to 2 ns. */
export function monotonicNs(): number {
  libc().clock_gettime(CLOCK_MONOTONIC, now);
  const seconds = (nowWords[0] ?? 0) + (nowWords[1] ?? 0) * 2 ** 32;
  return seconds * NS_PER_SECOND + (nowWords[2] ?? 0);
}

/** Blocks this thread until CLOCK_MONOTONIC reaches `deadlineNs`; returns at once when it passed. */
export function sleepUntilNs(deadlineNs: number): void {
  const seconds = Math.floor(deadlineNs / NS_PER_SECOND);
  untilWords[0] = seconds >>> 0;
  untilWords[1] = Math.floor(seconds / 2 ** 32);
  untilWords[2] = Math.floor(deadlineNs - seconds * NS_PER_SECOND);
  untilWords[3] = 0;
  libc().clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, until, null);
}

/**
 * Prepares the calling thread for media work: 1 ns timer slack, a name for `top`, and a raised
 * priority where the system allows it. Returns whether the priority was granted.
 */
export function prepareMediaThread(name: string, niceness = -10): boolean {
  const label = pin(stableBytes(16));
  label.set(new TextEncoder().encode(name.slice(0, 15)));
  const c = libc();
  c.prctl(PR_SET_NAME, BigInt(addressOf(label)), 0n, 0n, 0n);
  c.prctl(PR_SET_TIMERSLACK, 1n, 0n, 0n, 0n);
  return c.setpriority(0, c.gettid(), niceness) === 0;
}
