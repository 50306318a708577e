/**
 * Answers that wait to be multicast on one link: merged, held back for a moment when others may
 * answer too, and never the same record twice within a second (RFC 6762 §6, §7). Bounded by the
 * number of records that we publish. Pure.
 */
import { type MdnsRecord, type NegativeAnswer, recordKey } from './mdns-message.ts';

/** RFC 6762 §6: a record is not multicast again within a second, within 250 ms to defend a name. */
const REPEAT_GAP_MS = 1_000;
const DEFENCE_GAP_MS = 250;
/** Hosts remembered as having asked for one record. */
const ASKERS_MAX = 32;

export type Answer = MdnsRecord | NegativeAnswer;

interface PendingAnswer {
  readonly answer: Answer;
  dueMs: number;
  readonly askers: Set<string>;
}

export interface AnswerWish {
  readonly dueMs: number;
  /** Who asked; a follow-up of the same host may say that it knows the answer. */
  readonly asker: string;
  /** Another host claims the name: it must hear of us in time. */
  readonly isDefence: boolean;
}

export class PendingAnswers {
  readonly #pending = new Map<string, PendingAnswer>();
  readonly #sentAtMs = new Map<string, number>();

  add(answer: Answer, wish: AnswerWish): void {
    const key = answerKey(answer);
    const gapMs = wish.isDefence ? DEFENCE_GAP_MS : REPEAT_GAP_MS;
    const sentAtMs = this.#sentAtMs.get(key);
    const dueMs = sentAtMs === undefined ? wish.dueMs : Math.max(wish.dueMs, sentAtMs + gapMs);
    const known = this.#pending.get(key);
    if (!known) {
      this.#pending.set(key, { answer, dueMs, askers: new Set([wish.asker]) });
      return;
    }
    known.dueMs = Math.min(known.dueMs, dueMs);
    if (known.askers.size < ASKERS_MAX) known.askers.add(wish.asker);
  }

  /** `asker` knows `record` already; dropped when nobody else asked for it. */
  isKnownTo(asker: string, record: MdnsRecord): void {
    const key = recordKey(record);
    const pending = this.#pending.get(key);
    pending?.askers.delete(asker);
    if (pending?.askers.size === 0) this.#pending.delete(key);
  }

  /** Another host has just said it (RFC 6762 §7.4). */
  isSaidByOther(record: MdnsRecord): void {
    const key = recordKey(record);
    const pending = this.#pending.get(key);
    if (pending && record.ttlS >= pending.answer.ttlS) this.#pending.delete(key);
  }

  /** Takes out what is due; the caller multicasts it and calls {@link noteSent}. */
  takeDue(nowMs: number): readonly Answer[] {
    const due: Answer[] = [];
    for (const [key, pending] of this.#pending) {
      if (pending.dueMs > nowMs) continue;
      this.#pending.delete(key);
      due.push(pending.answer);
    }
    return due;
  }

  noteSent(answers: readonly Answer[], nowMs: number): void {
    for (const answer of answers) this.#sentAtMs.set(answerKey(answer), nowMs);
  }

  /** Everybody on the link should have it: multicast within a quarter of its life (§5.4). */
  isFresh(record: MdnsRecord, nowMs: number): boolean {
    const sentAtMs = this.#sentAtMs.get(recordKey(record));
    return sentAtMs !== undefined && nowMs - sentAtMs < record.ttlS * 250;
  }

  nextDueMs(): number | null {
    let nextMs: number | null = null;
    for (const { dueMs } of this.#pending.values()) nextMs = Math.min(nextMs ?? dueMs, dueMs);
    return nextMs;
  }

  get count(): number {
    return this.#pending.size;
  }

  clear(): void {
    this.#pending.clear();
    this.#sentAtMs.clear();
  }
}

export function isNegative(answer: Answer): answer is NegativeAnswer {
  return 'types' in answer;
}

function answerKey(answer: Answer): string {
  return isNegative(answer) ? `${answer.name.toLowerCase()} NSEC` : recordKey(answer);
}
