/**
 * One command of an app as processes: started in a group of its own, waited for, ended with
 * everything it left behind in that group.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { isGroupRunning } from '../platform/linux/process-group.ts';
import type { AppCommand } from './app-catalogue.ts';
import type { CommandEnvironment } from './app-environment.ts';

const STEP_TIMEOUT_MS = 30_000;
/** From SIGTERM to SIGKILL for a step that nobody waits for any more. */
const STEP_POLITE_MS = 1_000;
/** Between looks at a group that is ending: the kernel tells nobody when it is empty. */
const GROUP_POLL_MS = 30;

/** Where and with what a command runs. */
export interface CommandPlace {
  readonly directory: string;
  readonly environment: CommandEnvironment;
}

export type SpawnResult =
  | { readonly ok: true; readonly child: ChildProcess; readonly pid: number }
  /** The end of a sentence that begins with the command's name. */
  | { readonly ok: false; readonly reason: string };

/** Starts `command` in a process group of its own; resolves when it runs or cannot. */
export function startCommand(command: AppCommand, place: CommandPlace): Promise<SpawnResult> {
  return new Promise((resolve) => {
    const refuse = (error: unknown): void => resolve({ ok: false, reason: refusal(error) });
    try {
      const child = spawnGroup(command, place);
      child.once('error', refuse);
      child.once('spawn', () => {
        if (child.pid !== undefined) resolve({ ok: true, child, pid: child.pid });
      });
    } catch (error) {
      // Thrown for arguments that no system takes, e.g. a zero byte.
      refuse(error);
    }
  });
}

/**
 * Runs `command` to its end. Null when it ended with 0, else what happened, as the end of a
 * sentence. `signal` ends it early.
 */
export async function runCommand(
  command: AppCommand,
  place: CommandPlace,
  signal?: AbortSignal,
): Promise<string | null> {
  if (signal?.aborted) return 'was not run';
  const started = await startCommand(command, place);
  if (!started.ok) return started.reason;
  const { child, pid } = started;
  const cut = Promise.withResolvers<string>();
  const timer = setTimeout(
    () => cut.resolve(`took longer than ${STEP_TIMEOUT_MS / 1000} s`),
    STEP_TIMEOUT_MS,
  );
  const onAbort = (): void => cut.resolve('was interrupted');
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  try {
    const outcome = await Promise.race([exitOf(child), cut.promise]);
    if (typeof outcome !== 'string') {
      const [code, killer] = outcome;
      return code === 0 ? null : `failed (${killer ?? `exit code ${code}`})`;
    }
    await endGroup(pid, STEP_POLITE_MS);
    return outcome;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Ends all processes of a group: politely for `politeMs`, then by force. */
export async function endGroup(pid: number, politeMs: number): Promise<void> {
  if (politeMs > 0) {
    signalGroup(pid, 'SIGTERM');
    await groupGone(pid, politeMs);
  }
  signalGroup(pid, 'SIGKILL');
  // What cannot be killed (a process in a hung driver) does not hold up the host for ever.
  await groupGone(pid, STEP_POLITE_MS);
}

/** Exit code and signal, also of a child that is gone already. */
function exitOf(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  const { exitCode, signalCode } = child;
  if (exitCode !== null || signalCode !== null) return Promise.resolve([exitCode, signalCode]);
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve([code, signal]));
  });
}

async function groupGone(pid: number, timeoutMs: number): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (isGroupRunning(pid) && performance.now() < deadlineMs) await Bun.sleep(GROUP_POLL_MS);
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is already gone.
  }
}

function spawnGroup(command: AppCommand, { directory, environment }: CommandPlace): ChildProcess {
  const [program, ...parameters] =
    typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
  return spawn(program ?? '', parameters, {
    cwd: directory,
    env: { ...environment },
    detached: true,
    stdio: 'ignore',
  });
}

function refusal(error: unknown): string {
  return `cannot be started: ${error instanceof Error ? error.message : String(error)}`;
}
