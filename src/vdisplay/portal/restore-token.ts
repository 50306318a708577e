/**
 * The portal's permission to share the same screen again without asking: one token per kind of
 * source, good for one use, replaced by each start. Owner-only; losing it costs one question.
 */
import { readFileIfPresent, writeFileAtomic } from '../../platform/files.ts';

/** A portal's token is a UUID; anything long is not one. */
const TOKEN_LENGTH_MAX = 256;

export class RestoreTokens {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Token of the last start, or null. A damaged file counts as none. */
  read(kind: string): string | null {
    const token = this.#readAll()[kind];
    return typeof token === 'string' && token.length <= TOKEN_LENGTH_MAX ? token : null;
  }

  /** Replaces the token, or with null forgets it. */
  write(kind: string, token: string | null): void {
    const tokens = this.#readAll();
    if (token === null) delete tokens[kind];
    else if (token.length <= TOKEN_LENGTH_MAX) tokens[kind] = token;
    writeFileAtomic(this.#path, `${JSON.stringify({ version: 1, tokens })}\n`);
  }

  #readAll(): Record<string, unknown> {
    try {
      const parsed = JSON.parse(readFileIfPresent(this.#path) ?? '{}') as { tokens?: unknown };
      const { tokens } = parsed;
      return typeof tokens === 'object' && tokens !== null ? { ...tokens } : {};
    } catch {
      return {};
    }
  }
}
