/**
 * Starts and ends one app: prep steps in order, the command in a process group of its own, undo
 * steps in reverse order. Every undo is in the restore journal before its `do` runs, so it also
 * runs after a crash of the host.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { homedir } from 'node:os';
import type { RestoreJournal, UndoHandler } from '../platform/journal.ts';
import type { AppCommand, AppEntry } from './app-catalogue.ts';
import type { CommandEnvironment } from './app-environment.ts';

export const APP_UNDO_KIND = 'app-undo';
const STEP_TIMEOUT_MS = 30_000;
/** A command that ends well within this time handed over to another process. */
const HANDOVER_MS = 5_000;

export type StartResult = { readonly ok: true } | { readonly ok: false; readonly reason: string };

export class RunningApp {
  readonly entry: AppEntry;
  readonly #environment: CommandEnvironment;
  readonly #journal: RestoreJournal;
  readonly #onExit: (detail: string) => void;
  readonly #undo: { entryId: number; command: AppCommand }[] = [];
  #child: ChildProcess | null = null;
  #ended = false;

  /** `onExit` fires once when a tracked command ends by itself. */
  constructor(
    entry: AppEntry,
    environment: CommandEnvironment,
    journal: RestoreJournal,
    onExit: (detail: string) => void,
  ) {
    this.entry = entry;
    this.#environment = environment;
    this.#journal = journal;
    this.#onExit = onExit;
  }

  /** Runs prep steps and starts the commands; on refusal everything done is undone. */
  async start(): Promise<StartResult> {
    for (const step of this.entry.prep) {
      if (step.undo !== undefined) this.#recordUndo(step.undo);
      if (step.do === undefined) continue;
      const outcome = await this.#runStep(step.do);
      if (outcome === null) continue;
      if (step.onFail === 'abort') {
        await this.end();
        return { ok: false, reason: `preparation of "${this.entry.title}" ${outcome}` };
      }
    }
    for (const command of this.entry.detached) {
      const child = this.#spawn(command);
      child.on('error', () => {});
      child.unref();
    }
    if (this.entry.command === undefined) return { ok: true };
    const started = await this.#startTracked(this.entry.command);
    if (!started.ok) await this.end();
    return started;
  }

  /** Ends the command (politely, then by force) and undoes the prep steps. Idempotent. */
  async end(): Promise<void> {
    this.#ended = true;
    const child = this.#child;
    this.#child = null;
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      await endGroup(child, this.entry.exitTimeoutS * 1000);
    }
    for (const { entryId, command } of this.#undo.splice(0).reverse()) {
      await this.#runStep(command);
      this.#journal.strike(entryId);
    }
  }

  #recordUndo(command: AppCommand): void {
    const entryId = this.#journal.record({
      kind: APP_UNDO_KIND,
      detail: {
        command: JSON.stringify(command),
        workingDirectory: this.#directory(),
        environment: JSON.stringify(this.#environment),
      },
    });
    this.#undo.push({ entryId, command });
  }

  #startTracked(command: AppCommand): Promise<StartResult> {
    const startedAt = performance.now();
    const child = this.#spawn(command);
    this.#child = child;
    child.on('exit', (code, signal) => {
      if (this.#ended || this.#child !== child) return;
      const isHandover = code === 0 && performance.now() - startedAt < HANDOVER_MS;
      if (!isHandover)
        this.#onExit(`"${this.entry.title}" ended (${signal ?? `exit code ${code}`})`);
    });
    return new Promise((resolve) => {
      child.once('spawn', () => resolve({ ok: true }));
      child.once('error', (error) => {
        this.#child = null;
        resolve({ ok: false, reason: `"${this.entry.title}" cannot be started: ${error.message}` });
      });
    });
  }

  #runStep(command: AppCommand): Promise<string | null> {
    return runToEnd(command, this.#directory(), this.#environment);
  }

  #spawn(command: AppCommand): ChildProcess {
    return spawnCommand(command, this.#directory(), this.#environment);
  }

  #directory(): string {
    const wanted = this.entry.workingDirectory ?? '~';
    return wanted === '~' || wanted.startsWith('~/') ? homedir() + wanted.slice(1) : wanted;
  }
}

/** Journal handler: runs one undo command that a crash left behind. */
export const undoAppStep: UndoHandler = async (detail) => {
  const command = JSON.parse(String(detail['command'])) as AppCommand;
  const environment = JSON.parse(String(detail['environment'])) as CommandEnvironment;
  await runToEnd(command, String(detail['workingDirectory']), environment);
};

function spawnCommand(
  command: AppCommand,
  directory: string,
  environment: CommandEnvironment,
): ChildProcess {
  const [program, ...parameters] =
    typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
  return spawn(program ?? '', parameters, {
    cwd: directory,
    env: { ...environment },
    detached: true,
    stdio: 'ignore',
  });
}

/** Null when the command ended with 0, else what happened, as the end of a sentence. */
function runToEnd(
  command: AppCommand,
  directory: string,
  environment: CommandEnvironment,
): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawnCommand(command, directory, environment);
    const timer = setTimeout(() => {
      signalGroup(child, 'SIGKILL');
      resolve(`took longer than ${STEP_TIMEOUT_MS / 1000} s`);
    }, STEP_TIMEOUT_MS);
    child.once('error', (error) => {
      clearTimeout(timer);
      resolve(`cannot be started: ${error.message}`);
    });
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      resolve(code === 0 ? null : `failed (${signal ?? `exit code ${code}`})`);
    });
  });
}

async function endGroup(child: ChildProcess, politeMs: number): Promise<void> {
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  if (politeMs > 0) {
    signalGroup(child, 'SIGTERM');
    await Promise.race([exited, new Promise((resolve) => setTimeout(resolve, politeMs).unref())]);
  }
  if (child.exitCode === null && child.signalCode === null) {
    signalGroup(child, 'SIGKILL');
    await exited;
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is already gone.
  }
}
