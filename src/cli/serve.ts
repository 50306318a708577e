/** `punktfunk serve`: settings, folders and the instance lock; then the host takes over. */
import { loadSettings } from '../config/load.ts';
import { acquireInstanceLock } from '../platform/linux/instance-lock.ts';
import { ensureOwnerDir } from '../platform/linux/paths.ts';
import { logger, setLogLevel } from '../platform/log.ts';
import type { CommandModule } from './command.ts';
import { guardAgainstFaults } from './faults.ts';
import { type CommandSpec, readArguments, settingFlags, settingValues } from './flags.ts';

const spec: CommandSpec = {
  command: 'serve',
  summary: 'Runs the host until it is stopped (Ctrl+C or SIGTERM)',
  flags: settingFlags(),
  words: [],
};

export const serveCommand: CommandModule = {
  spec,
  async run(rawArgs, context) {
    const flags = settingValues(readArguments(rawArgs, spec));
    const { env, workingDir } = context;
    const { settings, origins, paths, warnings } = loadSettings({ flags, env, workingDir });
    setLogLevel(settings.logLevel);
    const log = logger('config');
    for (const warning of warnings) log.warn(warning);
    ensureOwnerDir(paths.stateDir, '--state-dir');
    const lock = acquireInstanceLock(paths.stateDir);
    const guard = guardAgainstFaults(context.err);
    const onFault = guard.beforeExit;
    try {
      return await context.serve({ settings, origins, paths, warnings, onFault });
    } finally {
      guard.remove();
      lock.release();
    }
  },
};
