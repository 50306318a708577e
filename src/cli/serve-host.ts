/** `serve` after its preparations: starts the host, prints where it is, waits for a signal. */
import { constants } from 'node:os';
import { BUILD, versionLine } from '../config/build-info.ts';
import { portFamily } from '../config/ports.ts';
import type { SpawnWorker } from '../host/media-worker.ts';
import { type RunningHost, startHost } from '../host/start-host.ts';
import { elapsedFirst } from '../host/within.ts';
import { logger } from '../platform/log.ts';
import type { CommandContext, ServeRequest } from './command.ts';
import { ctlCommand } from './ctl-command.ts';
import { startupReport } from './startup-report.ts';

const log = logger('host');
/** A host that does not end in this time is left to its journal. */
const CLOSE_TIMEOUT_MS = 15_000;
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Resolves with the exit code after SIGINT, SIGTERM or SIGHUP; a second one ends at once. */
export async function serveHost(
  request: ServeRequest,
  context: Pick<CommandContext, 'env' | 'out' | 'workingDir'>,
  spawn: SpawnWorker,
): Promise<number> {
  const { settings, paths, onFault } = request;
  const stop = stopSignal();
  try {
    const host = await startHost({ settings, paths, env: context.env, spawn });
    onFault(() => host.close());
    if (!stop.isHeard()) {
      context.out(`${reportLines(host, request, context.workingDir).join('\n')}\n`);
    }
    await stop.heard;
    log.info('shutting down');
    if (!(await elapsedFirst(CLOSE_TIMEOUT_MS, host.close()))) return 0;
    log.error('the host did not end in time; what is left is put back at the next start');
    return 1;
  } finally {
    stop.remove();
  }
}

function reportLines(host: RunningHost, request: ServeRequest, workingDir: string): string[] {
  const { settings, origins, paths, warnings } = request;
  return startupReport({
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
        workingDir,
        chosenStateDir: origins.stateDir.kind === 'default' ? null : paths.stateDir,
      }),
    warnings: [...warnings, ...host.warnings],
  });
}

interface StopSignal {
  readonly heard: Promise<void>;
  isHeard(): boolean;
  remove(): void;
}

/** Listens from now on: a signal during the start is not lost, and the start is not cut in two. */
function stopSignal(): StopSignal {
  const heard = Promise.withResolvers<void>();
  let isHeard = false;
  const hear = (signal: NodeJS.Signals): void => {
    if (isHeard) process.exit(128 + constants.signals[signal]);
    isHeard = true;
    heard.resolve();
  };
  for (const signal of STOP_SIGNALS) process.on(signal, hear);
  return {
    heard: heard.promise,
    isHeard: () => isHeard,
    remove() {
      for (const signal of STOP_SIGNALS) process.off(signal, hear);
    },
  };
}
