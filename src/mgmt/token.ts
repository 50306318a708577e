/**
 * The admin token: 32 random bytes in an owner-only file of the state folder. Whoever can read that
 * file is the owner of this host.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { readFileIfPresent, writeFileAtomic } from '../platform/files.ts';

const TOKEN_FILE = 'mgmt-token';
const TOKEN_BYTES = 32;
const LINE = /^PUNKTFUNK_MGMT_TOKEN=([0-9a-f]{64})\s*$/m;
const OTHERS_MASK = 0o077;

/** Reads the token of `stateDir`, null when there is none or the file is not one. */
export function readToken(stateDir: string): string | null {
  const text = readFileIfPresent(join(stateDir, TOKEN_FILE));
  return text === null ? null : (LINE.exec(text)?.[1] ?? null);
}

/**
 * The token of `stateDir`; made anew when it is missing, damaged, or readable by other users (then
 * it has to count as known to them).
 */
export function ensureToken(stateDir: string, onReplaced: (reason: string) => void): string {
  const path = join(stateDir, TOKEN_FILE);
  const existing = readToken(stateDir);
  if (existing !== null) {
    if ((statSync(path).mode & OTHERS_MASK) === 0) return existing;
    onReplaced(`${path} was readable by other users; a new token was made`);
  }
  const token = randomBytes(TOKEN_BYTES).toString('hex');
  writeFileAtomic(path, `PUNKTFUNK_MGMT_TOKEN=${token}\n`);
  return token;
}

/** Compares in a time that does not depend on where the texts differ. */
export function tokenMatcher(token: string): (candidate: string) => boolean {
  const expected = digest(token);
  return (candidate) => timingSafeEqual(digest(candidate), expected);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
