/** What a command gets and what it is. */
import type { Origins } from '../config/resolve.ts';
import type { Settings } from '../config/rows.ts';
import type { HostPaths } from '../platform/linux/paths.ts';
import type { CommandSpec } from './flags.ts';

/** Everything `serve` has prepared when the host takes over. */
export interface ServeRequest {
  readonly settings: Settings;
  readonly origins: Origins;
  /** The state and config folders exist and are writable; the instance lock is held. */
  readonly paths: HostPaths;
  /** Sentences about ignored keys, already logged. */
  readonly warnings: readonly string[];
  /** Names what to try before a fault that nobody caught ends the process. */
  onFault(work: () => Promise<void>): void;
}

/** The world as the commands see it; `src/main.ts` passes the real one. */
export interface CommandContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly workingDir: string;
  /** Standard output and error, text as it stands. */
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Runs the host until it is told to stop; resolves to the exit code. */
  readonly serve: (request: ServeRequest) => Promise<number>;
}

export interface CommandModule {
  readonly spec: CommandSpec;
  run(rawArgs: readonly string[], context: CommandContext): Promise<number>;
}

export interface CommandGroup {
  readonly summary: string;
  readonly verbs: Readonly<Record<string, () => Promise<CommandModule>>>;
}
