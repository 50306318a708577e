/**
 * One host per state folder. The kernel's advisory lock (flock(2)) is the truth: it ends with the
 * process that holds it, however that dies. The process id inside the file is only for the message.
 */
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ERRNO, errno, errnoName, libc } from '../../../ffi/libc.ts';
import { OperatorError } from '../operator-error.ts';

const LOCK_FILE = 'host.lock';
// flock(2), <sys/file.h>
const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;

export interface InstanceLock {
  /** Idempotent. */
  release(): void;
}

/**
 * Takes the lock of `stateDir`, which must exist. Throws {@link OperatorError} naming the process
 * that holds it.
 */
export function acquireInstanceLock(stateDir: string): InstanceLock {
  const path = join(stateDir, LOCK_FILE);
  const fd = openSync(path, 'a+', 0o600);
  if (libc().flock(fd, LOCK_EX | LOCK_NB) !== 0) {
    const code = errno();
    const holder = readHolder(path);
    closeSync(fd);
    throw refusal(stateDir, code, holder);
  }
  ftruncateSync(fd, 0);
  writeSync(fd, `${process.pid}\n`);
  let isHeld = true;
  return {
    release() {
      if (!isHeld) return;
      isHeld = false;
      ftruncateSync(fd, 0);
      libc().flock(fd, LOCK_UN);
      closeSync(fd);
    },
  };
}

/** Process id of the host that holds the lock of `stateDir`; null when there is none. */
export function instanceHolder(stateDir: string): number | null {
  const path = join(stateDir, LOCK_FILE);
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return null;
  }
  const isFree = libc().flock(fd, LOCK_EX | LOCK_NB) === 0;
  // Closing the only descriptor of this open file gives the lock back.
  closeSync(fd);
  return isFree ? null : readHolder(path);
}

function refusal(stateDir: string, code: number, holder: number | null): OperatorError {
  if (code === ERRNO.EAGAIN) {
    const who = holder === null ? '' : ` (process ${holder})`;
    return new OperatorError({
      what: `Another punktfunk host${who} already uses ${stateDir}.`,
      next: 'Stop it, or give this one its own folder with --state-dir and ports with --port-base.',
    });
  }
  return new OperatorError({
    what: `The folder ${stateDir} does not support locks (${errnoName(code)}).`,
    next: 'Name a folder on a local file system with --state-dir.',
  });
}

function readHolder(path: string): number | null {
  try {
    const pid = Number.parseInt(readFileSync(path, 'utf8'), 10);
    return Number.isSafeInteger(pid) && pid > 0 ? pid : null;
  } catch {
    return null;
  }
}
