/**
 * Starts and ends one app: prep steps in order, the command in a process group of its own, undo
 * steps in reverse order. Every undo is in the restore journal before its `do` runs, so it also
 * runs after a crash of the host.
 */
import type { ChildProcess } from 'node:child_process';
import { homedir } from 'node:os';
import type { RestoreJournal, UndoHandler } from '../platform/journal.ts';
import { logger } from '../platform/log.ts';
import type { AppCommand, AppEntry } from './app-catalogue.ts';
import { type CommandPlace, endGroup, runCommand, startCommand } from './app-command.ts';
import type { CommandEnvironment } from './app-environment.ts';

export const APP_UNDO_KIND = 'app-undo';
/** A command that ends well within this time handed over to another process. */
const HANDOVER_MS = 5_000;

const log = logger('apps');

export type StartResult = { readonly ok: true } | { readonly ok: false; readonly reason: string };

export class RunningApp {
  readonly entry: AppEntry;
  readonly #place: CommandPlace;
  readonly #journal: RestoreJournal;
  readonly #onExit: (detail: string) => void;
  readonly #undo: { entryId: number; command: AppCommand }[] = [];
  /** Interrupts the prep step that runs when the app is ended. */
  readonly #interrupt = new AbortController();
  #starting: Promise<StartResult> | null = null;
  #ending: Promise<void> | null = null;
  /** Process group of the tracked command. */
  #group: number | null = null;

  /** `onExit` fires once when a tracked command ends by itself. */
  constructor(
    entry: AppEntry,
    environment: CommandEnvironment,
    journal: RestoreJournal,
    onExit: (detail: string) => void,
  ) {
    this.entry = entry;
    this.#place = { directory: directoryOf(entry), environment };
    this.#journal = journal;
    this.#onExit = onExit;
  }

  /** Runs prep steps and starts the commands; on refusal everything done is undone. Never rejects. */
  start(): Promise<StartResult> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  /**
   * Ends the command (politely, then by force) and undoes the prep steps; a start that is under way
   * is cut short first. Idempotent, never rejects.
   *
   * @param politeMsMax upper bound of the time the entry grants its command
   */
  end(politeMsMax = Number.POSITIVE_INFINITY): Promise<void> {
    this.#ending ??= this.#end(Math.min(politeMsMax, this.entry.exitTimeoutS * 1000));
    return this.#ending;
  }

  async #start(): Promise<StartResult> {
    const problem = await this.#prepareAndRun().catch((error: unknown) => messageOf(error));
    if (problem === null) return { ok: true };
    await this.#putBack();
    return { ok: false, reason: problem };
  }

  /** Null when the app runs, else the sentence why not. */
  async #prepareAndRun(): Promise<string | null> {
    const { prep, detached, command, title } = this.entry;
    const { signal } = this.#interrupt;
    for (const step of prep) {
      if (step.undo !== undefined) this.#recordUndo(step.undo);
      if (step.do === undefined) continue;
      const outcome = await runCommand(step.do, this.#place, signal);
      if (signal.aborted) break;
      if (outcome === null) continue;
      if (step.onFail === 'abort') return `preparation of "${title}" ${outcome}`;
      log.warn(`a preparation of "${title}" ${outcome}`);
    }
    if (signal.aborted) return `"${title}" was ended while it started`;
    for (const side of detached) {
      const started = await startCommand(side, this.#place);
      if (started.ok) started.child.unref();
      else log.warn(`a detached command of "${title}" ${started.reason}`);
    }
    return command === undefined ? null : await this.#track(command);
  }

  async #track(command: AppCommand): Promise<string | null> {
    const startedAtMs = performance.now();
    const started = await startCommand(command, this.#place);
    if (!started.ok) return `"${this.entry.title}" ${started.reason}`;
    this.#group = started.pid;
    const hear = (code: number | null, signal: NodeJS.Signals | null): void => {
      const isHandover = code === 0 && performance.now() - startedAtMs < HANDOVER_MS;
      if (this.#ending || isHandover) return;
      this.#onExit(`"${this.entry.title}" ended (${signal ?? `exit code ${code}`})`);
    };
    onceExited(started.child, hear);
    return null;
  }

  async #end(politeMs: number): Promise<void> {
    this.#interrupt.abort();
    await this.#starting;
    if (this.#group !== null) await endGroup(this.#group, politeMs);
    this.#group = null;
    await this.#putBack();
  }

  /** Runs the undo commands that are due, newest first; one that fails does not stop the others. */
  async #putBack(): Promise<void> {
    for (const { entryId, command } of this.#undo.splice(0).reverse()) {
      const outcome = await runCommand(command, this.#place);
      if (outcome !== null) log.warn(`an undo step of "${this.entry.title}" ${outcome}`);
      try {
        this.#journal.strike(entryId);
      } catch (error) {
        log.warn(
          'the restore journal cannot be written; the undo step runs again at the next start',
          {
            cause: messageOf(error),
          },
        );
      }
    }
  }

  #recordUndo(command: AppCommand): void {
    const entryId = this.#journal.record({
      kind: APP_UNDO_KIND,
      detail: {
        command: JSON.stringify(command),
        workingDirectory: this.#place.directory,
        environment: JSON.stringify(this.#place.environment),
      },
    });
    this.#undo.push({ entryId, command });
  }
}

/** Journal handler: runs one undo command that a crash left behind. */
export const undoAppStep: UndoHandler = async (detail) => {
  const command = JSON.parse(String(detail['command'])) as AppCommand;
  const environment = JSON.parse(String(detail['environment'])) as CommandEnvironment;
  await runCommand(command, { directory: String(detail['workingDirectory']), environment });
};

function directoryOf(entry: AppEntry): string {
  const wanted = entry.workingDirectory ?? '~';
  return wanted === '~' || wanted.startsWith('~/') ? homedir() + wanted.slice(1) : wanted;
}

/** Also hears of a child that ended before anybody listened. */
function onceExited(
  child: ChildProcess,
  hear: (code: number | null, signal: NodeJS.Signals | null) => void,
): void {
  if (child.exitCode !== null || child.signalCode !== null) {
    queueMicrotask(() => hear(child.exitCode, child.signalCode));
  } else {
    child.once('exit', hear);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
