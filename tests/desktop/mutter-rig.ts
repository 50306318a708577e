/** What the Mutter tests share: taking a screen, reading pictures, watching the monitors. */
import { expect } from 'bun:test';
import { join } from 'node:path';
import { openPipewireCapturer } from '../../src/capture/pipewire/capturer.ts';
import type { Capturer, MemoryFrame } from '../../src/capture/port.ts';
import { DbusConnection } from '../../src/desktop/dbus/index.ts';
import { logger } from '../../src/platform/log.ts';
import { type DisplayMode, parseMode } from '../../src/session/mode.ts';
import { createMutterBackend } from '../../src/vdisplay/mutter/backend.ts';
import { readMonitors } from '../../src/vdisplay/mutter/display-config.ts';
import type { DisplayLease, DisplayRequest } from '../../src/vdisplay/port.ts';
import { startPattern } from './harness.ts';
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

/** Does `work` on a fresh screen with pictures flowing, and puts everything back even if it fails. */
export async function onScreen(
  desktop: MutterDesktop,
  modeText: string,
  work: (lease: DisplayLease, capturer: Capturer) => Promise<void>,
): Promise<void> {
  const lease = await takeScreen(desktop, modeText);
  let capturer: Capturer | null = null;
  try {
    capturer = captureOf(lease);
    nextFrame(capturer);
    await work(lease, capturer);
  } finally {
    capturer?.close();
    await lease.release();
  }
}

/** Does `work` while a program shows the moving pattern on the screen. */
export async function withPattern<T>(
  desktop: MutterDesktop,
  lease: DisplayLease,
  capturer: Capturer,
  work: (pattern: { readonly width: number; readonly height: number }) => T | Promise<T>,
): Promise<T> {
  await lease.readBack();
  // A window is drawn, and so gets its size, only while somebody takes the pictures.
  const pattern = await whileCapturing(capturer, () =>
    startPattern(desktop.session, join(desktop.runtimeDir, desktop.displayName), {
      output: lease.outputName,
    }),
  );
  try {
    return await work(pattern);
  } finally {
    await pattern.process.stop();
  }
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

/** The virtual monitor goes away. */
export async function expectNoMonitors(desktop: MutterDesktop): Promise<void> {
  await waitUntil(
    async () => (await monitorNames(desktop)).length === 0,
    'the monitor goes away',
    20,
    5_000,
  );
  expect(await monitorNames(desktop)).toEqual([]);
}
