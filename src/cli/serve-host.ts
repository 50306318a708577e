/** `serve` after its preparations: starts the host, prints where it is, waits for a signal. */
import { BUILD, versionLine } from '../config/build-info.ts';
import { portFamily } from '../config/ports.ts';
import type { SpawnWorker } from '../host/media-worker.ts';
import { startHost } from '../host/start-host.ts';
import { logger } from '../platform/log.ts';
import type { CommandContext, ServeRequest } from './command.ts';
import { ctlCommand } from './ctl-command.ts';
import { startupReport } from './startup-report.ts';

const log = logger('host');
/** A second signal, or a host that does not end in this time, ends the process. */
const CLOSE_TIMEOUT_MS = 15_000;

/** Resolves with the exit code after SIGINT or SIGTERM. */
export async function serveHost(
  { settings, origins, paths, warnings, onFault }: ServeRequest,
  context: Pick<CommandContext, 'env' | 'out' | 'workingDir'>,
  spawn: SpawnWorker,
): Promise<number> {
  const host = await startHost({ settings, paths, env: context.env, spawn });
  onFault(() => host.close());
  const lines = startupReport({
    versionLine: versionLine(BUILD),
    hostName: host.facts.hostname,
    addresses: host.addresses,
    gamestreamPorts: settings.gamestream ? portFamily(settings.portBase) : null,
    mdnsName: host.mdnsName,
    mgmtPort: host.facts.ports.mgmt,
    fingerprint: host.facts.fingerprint,
    ...host.rungs,
    pairedCount: host.pairedCount,
    ctl: (words) =>
      ctlCommand(words, {
        executable: BUILD.kind === 'source' ? null : process.execPath,
        onPath: Bun.which('punktfunk'),
        workingDir: context.workingDir,
        chosenStateDir: origins.stateDir.kind === 'default' ? null : paths.stateDir,
      }),
    warnings: [...warnings, ...host.warnings],
  });
  context.out(`${lines.join('\n')}\n`);
  await firstSignal();
  log.info('shutting down');
  const timeout = new Promise<'late'>((resolve) => {
    setTimeout(() => resolve('late'), CLOSE_TIMEOUT_MS).unref();
  });
  const outcome = await Promise.race([host.close(), timeout]);
  if (outcome === 'late') {
    log.error('the host did not end in time; what is left is put back at the next start');
    return 1;
  }
  return 0;
}

function firstSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        // The same signal again ends the process at once.
        process.once(signal, () => process.exit(130));
        resolve();
      });
    }
  });
}
