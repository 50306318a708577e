/**
 * A host process to be killed: takes a screen as the tests say and prints its name, then waits.
 * Arguments: journal path, mode. The environment is the desktop's.
 */
import { RestoreJournal } from '../../src/platform/journal.ts';
import { logger } from '../../src/platform/log.ts';
import { parseMode } from '../../src/session/mode.ts';
import { createWlrootsBackend } from '../../src/vdisplay/wlroots/backend.ts';

const [journalPath = '', modeText = ''] = process.argv.slice(2);
const mode = parseMode(modeText);
if (!mode) throw new Error(`not a mode: ${modeText}`);
const backend = createWlrootsBackend({
  environment: process.env,
  journal: new RestoreJournal(journalPath),
  log: logger('test'),
});
const lease = await backend.acquire({ mode, identity: 'device', kind: 'virtual' });
console.log(`taken ${lease.outputName}`);
await new Promise(() => setInterval(() => {}, 1000));
