/**
 * Turns whatever was thrown into one sentence with a next step and an exit code. Nothing that
 * reaches the terminal carries a stack trace; `--log-level debug` logs it.
 */
import { LibraryError } from '../../ffi/loader.ts';
import { logger } from '../platform/log.ts';
import { OperatorError } from '../platform/operator-error.ts';

const log = logger('cli');
/** Enough to tell a device that its stream ends and to remove an output. */
const BEFORE_EXIT_MS = 3000;

/** Prints `error` to standard error; returns the exit code. */
export function reportFault(error: unknown, err: (text: string) => void): number {
  const shown = asOperatorError(error);
  err(`punktfunk: ${shown.what}\n`);
  err(`${shown.next}\n`);
  if (error instanceof Error && error.stack) log.debug(error.stack);
  return shown.exitCode;
}

/** The operator's view of any error; faults of our own are named as such. */
export function asOperatorError(error: unknown): OperatorError {
  if (error instanceof OperatorError) return error;
  if (error instanceof LibraryError) {
    return new OperatorError({
      what: `${error.problem.library} cannot be used: ${error.problem.detail}.`,
      next: "Install it with the system's package manager, then start again.",
      cause: error,
    });
  }
  const known = systemError(error as NodeJS.ErrnoException);
  if (known) return new OperatorError({ ...known, cause: error });
  const text = error instanceof Error ? error.message : String(error);
  return new OperatorError({
    what: `A fault of the program itself: ${(text.split('\n')[0] ?? '').replace(/\.$/, '')}.`,
    next: 'Run it again with --log-level=debug and report what it prints.',
    cause: error,
  });
}

interface PlaceError extends NodeJS.ErrnoException {
  readonly address?: string;
  readonly port?: number;
}

function systemError(error: PlaceError): { what: string; next: string } | null {
  const place = error?.path ?? 'a file';
  const port = error?.port === undefined ? 'A port' : `Port ${error.port}`;
  switch (error?.code) {
    case 'EADDRINUSE':
      return {
        what: `${port} is in use by another program.`,
        next: 'Find it with "ss -lntup" and stop it, or choose others with --port-base and --mgmt-port.',
      };
    case 'EADDRNOTAVAIL':
      return {
        what: `The address ${error.address ?? 'to listen on'} does not belong to this machine.`,
        next: 'Give one of "ip address" with --bind and --mgmt-bind, or leave them out.',
      };
    case 'EROFS':
      return {
        what: `${place} is on a read-only file system.`,
        next: 'Name writable folders with --state-dir and --config-dir.',
      };
    case 'EACCES':
    case 'EPERM':
      return {
        what: `This user may not use ${error.port === undefined ? place : `port ${error.port}`}.`,
        next: 'Change its owner or mode, or name another one; "punktfunk config list" shows all.',
      };
    case 'ENOSPC':
      return {
        what: `There is no space left to write ${place}.`,
        next: 'Free some space, then start again.',
      };
    case 'EMFILE':
    case 'ENFILE':
      return {
        what: 'The limit of open files is reached.',
        next: 'Raise it ("ulimit -n" or LimitNOFILE in the unit), then start again.',
      };
    default:
      return null;
  }
}

/** The guard of a running host; see {@link guardAgainstFaults}. */
export interface FaultGuard {
  /** What to try before the process ends, e.g. to put the desktop back. */
  beforeExit(work: () => Promise<void>): void;
  remove(): void;
}

/**
 * Last resort for what nobody awaited: reports it and ends the process. The work given to
 * `beforeExit` gets a short time; the restore journal covers the rest at the next start.
 */
export function guardAgainstFaults(
  err: (text: string) => void,
  exit: (code: number) => void = process.exit,
): FaultGuard {
  let work: () => Promise<void> = async () => {};
  let isEnding = false;
  const end = (error: unknown): void => {
    const code = reportFault(error, err);
    if (isEnding) return;
    isEnding = true;
    const timer = setTimeout(() => exit(code), BEFORE_EXIT_MS);
    const done = (): void => {
      clearTimeout(timer);
      exit(code);
    };
    void work().then(done, done);
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
  return {
    beforeExit(next) {
      work = next;
    },
    remove() {
      process.off('uncaughtException', end);
      process.off('unhandledRejection', end);
    },
  };
}
