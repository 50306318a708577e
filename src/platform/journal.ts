/**
 * The restore journal: every change to the user's machine is written here before it is made and
 * struck out after it was undone. What a crash left behind is undone at the next start.
 *
 * The file is small, owner-only and replaced atomically, so a kill at any byte leaves either the
 * old or the new list. Undo must be idempotent: a step may be undone although it was never done.
 */
import type { UndoStep } from '../session/plan.ts';
import { readFileIfPresent, writeFileAtomic } from './files.ts';

/** More entries than this at once means a leak of ours, not a busy host. */
const ENTRIES_MAX = 256;

export interface JournalEntry {
  readonly id: number;
  readonly step: UndoStep;
}

export type UndoHandler = (detail: UndoStep['detail']) => Promise<void>;

export class RestoreJournal {
  readonly #path: string;
  #entries: JournalEntry[];
  #nextId: number;

  /** Reads what an earlier run left; a damaged file is reported through `onDamage` and set aside. */
  constructor(path: string, onDamage: (detail: string) => void = () => {}) {
    this.#path = path;
    this.#entries = readEntries(path, onDamage);
    this.#nextId = this.#entries.reduce((highest, entry) => Math.max(highest, entry.id), 0) + 1;
  }

  /** Call before the change is made. Returns the entry to strike out once it is undone. */
  record(step: UndoStep): number {
    if (this.#entries.length >= ENTRIES_MAX) {
      throw new Error(`restore journal holds ${ENTRIES_MAX} entries; refusing a further change`);
    }
    const id = this.#nextId;
    this.#nextId += 1;
    this.#save([...this.#entries, { id, step }]);
    return id;
  }

  /** Call after the change was undone. */
  strike(id: number): void {
    const remaining = this.#entries.filter((entry) => entry.id !== id);
    if (remaining.length !== this.#entries.length) this.#save(remaining);
  }

  pending(): readonly JournalEntry[] {
    return this.#entries;
  }

  /**
   * Undoes everything that is pending, newest first. A step whose handler fails or is unknown stays
   * in the journal and is returned with the reason.
   */
  async undoAll(
    handlers: Readonly<Record<string, UndoHandler>>,
  ): Promise<{ undone: number; failed: { entry: JournalEntry; reason: string }[] }> {
    let undone = 0;
    const failed: { entry: JournalEntry; reason: string }[] = [];
    for (const entry of [...this.#entries].reverse()) {
      const handler = handlers[entry.step.kind];
      if (!handler) {
        failed.push({ entry, reason: `no handler for ${entry.step.kind}` });
        continue;
      }
      try {
        await handler(entry.step.detail);
        this.strike(entry.id);
        undone += 1;
      } catch (error) {
        failed.push({ entry, reason: error instanceof Error ? error.message : String(error) });
      }
    }
    return { undone, failed };
  }

  #save(entries: JournalEntry[]): void {
    writeFileAtomic(this.#path, `${JSON.stringify({ version: 1, entries }, null, 1)}\n`);
    this.#entries = entries;
  }
}

function readEntries(path: string, onDamage: (detail: string) => void): JournalEntry[] {
  const text = readFileIfPresent(path);
  if (text === null) return [];
  try {
    const parsed = JSON.parse(text) as { entries?: unknown };
    if (!Array.isArray(parsed.entries)) throw new Error('no list of entries');
    return parsed.entries.filter(isEntry).slice(0, ENTRIES_MAX);
  } catch (error) {
    onDamage(`${path} is damaged (${String(error)}); it is kept as ${path}.damaged`);
    writeFileAtomic(`${path}.damaged`, text);
    return [];
  }
}

function isEntry(value: unknown): value is JournalEntry {
  if (typeof value !== 'object' || value === null) return false;
  const { id, step } = value as { id?: unknown; step?: { kind?: unknown; detail?: unknown } };
  return (
    Number.isSafeInteger(id) &&
    typeof step?.kind === 'string' &&
    typeof step.detail === 'object' &&
    step.detail !== null
  );
}
