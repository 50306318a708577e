/**
 * A host in its own process, for tests that kill it: takes a virtual screen, captures it and prints
 * `ready OUTPUT MODE`. Its environment names the desktop.
 */
import { writeSync } from 'node:fs';
import { openPipewireCapturer } from '../../src/capture/pipewire/capturer.ts';
import { logger } from '../../src/platform/log.ts';
import { formatMode } from '../../src/session/mode.ts';
import { createMutterBackend } from '../../src/vdisplay/mutter/backend.ts';

const backend = createMutterBackend({ environment: process.env, log: logger('test') });
const lease = await backend.acquire({
  mode: { width: 1280, height: 720, refreshNum: 60, refreshDen: 1 },
  identity: 'device',
  kind: 'virtual',
});
if (lease.source.kind !== 'pipewire') throw new Error(lease.source.kind);
const capturer = openPipewireCapturer(lease.source);
setInterval(() => capturer.next(0), 5);
const mode = await lease.readBack();
writeSync(1, `ready ${lease.outputName} ${formatMode(mode)}\n`);
