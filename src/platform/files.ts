/** Files that must be whole or absent: owner-only from the first byte, written beside and renamed. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

const OWNER_ONLY = 0o600;

/**
 * Replaces `path` with `content` atomically. The bytes are never readable by others unless `mode`
 * says so. Throws the system's error (EROFS, EACCES, ENOSPC) untouched; nothing is left behind.
 */
export function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  mode: number = OWNER_ONLY,
): void {
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const fd = openSync(temporary, 'wx', mode);
  try {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(fd, bytes, done, bytes.length - done);
    }
    fsyncSync(fd);
    closeSync(fd);
    renameSync(temporary, path);
  } catch (error) {
    try {
      unlinkSync(temporary);
    } catch {
      // The temporary file may already be renamed or gone.
    }
    throw error;
  }
}

/**
 * Makes `path` with `content`, whole and owner-only, unless it is already there.
 * @returns false when another process made it first; its content is then untouched.
 */
export function createFileAtomic(path: string, content: string | Uint8Array): boolean {
  const complete = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.new`;
  writeFileAtomic(complete, content);
  try {
    linkSync(complete, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    unlinkSync(complete);
  }
}

/** Content of `path`, or null when there is no such file. Other errors are thrown. */
export function readFileIfPresent(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
