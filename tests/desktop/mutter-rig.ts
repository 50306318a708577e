/** What the Mutter tests share: taking a screen, reading pictures, watching the monitors. */
import { expect } from 'bun:test';
import { openPipewireCapturer } from '../../src/capture/pipewire/capturer.ts';
import type { Capturer, MemoryFrame } from '../../src/capture/port.ts';
import { DbusConnection } from '../../src/desktop/dbus/index.ts';
import { logger } from '../../src/platform/log.ts';
import { type DisplayMode, parseMode } from '../../src/session/mode.ts';
import { createMutterBackend } from '../../src/vdisplay/mutter/backend.ts';
import { readMonitors } from '../../src/vdisplay/mutter/display-config.ts';
import type { DisplayLease, DisplayRequest } from '../../src/vdisplay/port.ts';
import type { MutterDesktop } from './harness-mutter.ts';
import { waitUntil } from './harness-session.ts';
import { bgrxLuma, readPatternCounter } from './pattern.ts';

export function modeOf(text: string): DisplayMode {
  const mode = parseMode(text);
  if (!mode) throw new Error(`not a mode: ${text}`);
  return mode;
}

export function backendOn(desktop: MutterDesktop) {
  return createMutterBackend({ environment: desktop.env, log: logger('test') });
}

export async function takeScreen(
  desktop: MutterDesktop,
  modeText: string,
  request: Partial<DisplayRequest> = {},
): Promise<DisplayLease> {
  const mode = modeOf(modeText);
  return backendOn(desktop).acquire({ mode, identity: 'device', kind: 'virtual', ...request });
}

export function captureOf(lease: DisplayLease, firstFrameTimeoutMs?: number): Capturer {
  if (lease.source.kind !== 'pipewire') throw new Error(`source is ${lease.source.kind}`);
  return openPipewireCapturer(lease.source, firstFrameTimeoutMs);
}

export function nextFrame(capturer: Capturer, timeoutMs = 3_000): MemoryFrame {
  const result = capturer.next(timeoutMs);
  if (result.kind !== 'frame' || result.frame.kind !== 'memory') {
    throw new Error(result.kind === 'lost' ? result.cause : `no picture: ${result.kind}`);
  }
  return result.frame;
}

export function counterOf(frame: MemoryFrame): number | null {
  return readPatternCounter(bgrxLuma(frame.data, frame.strideBytes));
}

/** Reads pictures until the source is lost; returns the cause and how long it took. */
export function readUntilLost(capturer: Capturer): { cause: string; afterMs: number } {
  const startedMs = performance.now();
  for (;;) {
    const result = capturer.next(100);
    const afterMs = performance.now() - startedMs;
    if (result.kind === 'lost') return { cause: result.cause, afterMs };
    if (afterMs > 5_000) throw new Error('the source was not lost within 5 s');
  }
}

/** Keeps taking pictures while the test awaits other things. */
export async function whileCapturing<T>(capturer: Capturer, work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => capturer.next(0), 5);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

export async function monitorNames(desktop: MutterDesktop): Promise<readonly string[]> {
  const bus = await DbusConnection.open(desktop.busAddress);
  const monitors = await readMonitors(bus);
  bus.close();
  return monitors.map(({ connector }) => connector);
}

/** The virtual monitor is gone within a second. */
export async function expectNoMonitors(desktop: MutterDesktop): Promise<void> {
  await waitUntil(
    async () => (await monitorNames(desktop)).length === 0,
    'the monitor goes away',
    20,
    1_000,
  );
  expect(await monitorNames(desktop)).toEqual([]);
}
