/** Files that must be whole or absent: owner-only from the first byte, written beside and renamed. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

const OWNER_ONLY = 0o600;
/** More than any file that the host keeps. */
const READ_BYTES_MAX = 16 * 1024 * 1024;

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

/**
 * Content of `path`, or null when there is no such file. Only regular files are read: anything else
 * could keep the host waiting or never end. Other errors are thrown.
 *
 * @param bytesMax a longer file is an error (EFBIG)
 */
export function readFileIfPresent(path: string, bytesMax = READ_BYTES_MAX): string | null {
  return readBytesIfPresent(path, bytesMax)?.toString('utf8') ?? null;
}

/** {@link readFileIfPresent} for files that are not text. */
export function readBytesIfPresent(path: string, bytesMax = READ_BYTES_MAX): Buffer | null {
  const fd = openIfPresent(path);
  if (fd === null) return null;
  try {
    const facts = fstatSync(fd);
    if (!facts.isFile())
      throw refusal(facts.isDirectory() ? 'EISDIR' : 'ENXIO', path, 'not a file');
    if (facts.size > bytesMax) throw refusal('EFBIG', path, `longer than ${bytesMax} bytes`);
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Whether every user of this machine may change what lies at `path`; false when nothing does. */
export function isWritableForAll(path: string): boolean {
  return ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o002) !== 0;
}

function openIfPresent(path: string): number | null {
  try {
    // Opening a named pipe would otherwise wait for its writer.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function refusal(code: string, path: string, what: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${path} is ${what}`), { code, path });
}
