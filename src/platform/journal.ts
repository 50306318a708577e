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

  /**
   * Reads what an earlier run left. Entries that cannot be read are reported through `onDamage`; the
   * whole file is then kept beside, and the journal goes on with the readable ones.
   */
  constructor(path: string, onDamage: (detail: string) => void = () => {}) {
    this.#path = path;
    const { entries, damage, text } = readEntries(path);
    this.#entries = entries;
    this.#nextId = entries.reduce((highest, entry) => Math.max(highest, entry.id), 0) + 1;
    if (damage === null) return;
    writeFileAtomic(`${path}.damaged`, text);
    this.#save(entries);
    onDamage(`${path} is damaged (${damage}); it is kept as ${path}.damaged`);
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

function readEntries(path: string): {
  entries: JournalEntry[];
  /** What is wrong with the file, or null. */
  damage: string | null;
  text: string;
} {
  const text = readFileIfPresent(path);
  if (text === null) return { entries: [], damage: null, text: '' };
  let listed: unknown;
  try {
    listed = (JSON.parse(text) as { entries?: unknown } | null)?.entries;
  } catch {
    return { entries: [], damage: 'it is not JSON', text };
  }
  if (!Array.isArray(listed)) return { entries: [], damage: 'it has no list of entries', text };
  const entries = listed.filter(isEntry).slice(0, ENTRIES_MAX);
  const lost = listed.length - entries.length;
  return { entries, damage: lost === 0 ? null : `${lost} of its entries cannot be read`, text };
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
