/**
 * A multicast DNS responder without sockets or timers (RFC 6762): claims its names by probing,
 * announces, answers, defends, renames after a conflict, and says goodbye. Messages and the clock go
 * in, messages to send come out.
 */
import { type Answer, isNegative, PendingAnswers } from './mdns-answers.ts';
import {
  compareForTieBreak,
  isSameName,
  isSameRecord,
  isShared,
  type MdnsMessage,
  type MdnsQuestion,
  type MdnsRecord,
  type NegativeAnswer,
  type OutgoingMessage,
  recordKey,
} from './mdns-message.ts';
import type { MdnsLink, MdnsZone } from './mdns-zone.ts';

export const MDNS_PORT = 5353;
/** RFC 6762 §8.1: three probes, 250 ms apart, after a random wait. */
const PROBE_COUNT = 3;
const PROBE_GAP_MS = 250;
/** §8.2: who loses the tie waits a second. */
const TIE_LOST_MS = 1_000;
/** §8.3: two announcements a second apart. */
const ANNOUNCE_COUNT = 2;
const ANNOUNCE_GAP_MS = 1_000;
/** §6: answers that others may give too wait 20 to 120 ms; 400 to 500 ms when more is to come. */
const SHARED_DELAY_MS = { min: 20, span: 100 } as const;
const TRUNCATED_DELAY_MS = { min: 400, span: 100 } as const;
/** §8.1: after fifteen conflicts within ten seconds, five seconds pass before the next probe. */
const CONFLICTS = { max: 15, windowMs: 10_000, restMs: 5_000 } as const;
/** §6.7: answers to plain DNS clients live ten seconds. */
const LEGACY_TTL_S = 10;
/** Unicast answers in a second; multicast ones are bounded by the one-second rule. */
const UNICAST_PER_S = 50;

export type MdnsState = 'idle' | 'probing' | 'announcing' | 'running' | 'stopped';

export interface MdnsPeer {
  readonly address: string;
  readonly port: number;
}

export type MdnsAction = {
  readonly linkKey: string;
  readonly message: OutgoingMessage;
  /** Absent: multicast. */
  readonly to?: MdnsPeer;
};

export class MdnsResponder {
  readonly #zone: MdnsZone;
  /** 0 ≤ x < 1. */
  readonly #random: () => number;
  #links: readonly MdnsLink[];
  readonly #pending = new Map<string, PendingAnswers>();
  #state: MdnsState = 'idle';
  /** Probes or announcements sent. */
  #sentCount = 0;
  #nextMs = 0;
  #conflictsAtMs: number[] = [];
  #unicastCount = 0;
  #unicastSinceMs = 0;

  constructor(zone: MdnsZone, links: readonly MdnsLink[], random: () => number) {
    this.#zone = zone;
    this.#links = links;
    this.#random = random;
  }

  get state(): MdnsState {
    return this.#state;
  }

  /** Starts to claim the names. */
  start(nowMs: number): void {
    this.#probeFrom(nowMs + this.#random() * PROBE_GAP_MS);
  }

  /** The interfaces or their addresses changed: the names are claimed again (§8.4, §13). */
  setLinks(links: readonly MdnsLink[], nowMs: number): void {
    this.#links = links;
    for (const key of [...this.#pending.keys()]) {
      if (!links.some((link) => link.key === key)) this.#pending.delete(key);
    }
    if (this.#state !== 'idle' && this.#state !== 'stopped') this.start(nowMs);
  }

  /** A query came in on `linkKey`. Returns what to send at once; the rest comes from {@link poll}. */
  query(message: MdnsMessage, linkKey: string, peer: MdnsPeer, nowMs: number): MdnsAction[] {
    const link = this.#links.find((candidate) => candidate.key === linkKey);
    // No answer can be sent to port 0; the runtime throws where it is tried.
    if (!link || peer.port === 0) return [];
    if (this.#state === 'probing') this.#breakTie(message, link, nowMs);
    if (this.#state !== 'announcing' && this.#state !== 'running') return [];
    const pending = this.#pendingOf(linkKey);
    if (message.questions.length === 0) {
      for (const record of message.answers) pending.isKnownTo(peer.address, record);
      return [];
    }
    return peer.port === MDNS_PORT
      ? this.#answer(message, link, peer, nowMs)
      : this.#answerLegacy(message, link, peer, nowMs);
  }

  /** A response came in on `linkKey`: another host's, or our own looped back. */
  response(message: MdnsMessage, linkKey: string, nowMs: number): void {
    const link = this.#links.find((candidate) => candidate.key === linkKey);
    if (!link || this.#state === 'idle' || this.#state === 'stopped') return;
    const conflicting = new Set<string>();
    for (const record of [...message.answers, ...message.additionals]) {
      this.#pendingOf(linkKey).isSaidByOther(record);
      if (this.#contradicts(record)) conflicting.add(record.name.toLowerCase());
    }
    if (conflicting.size === 0) return;
    if (this.#state === 'probing') for (const name of conflicting) this.#zone.rename(name);
    this.#conflictsAtMs = [...this.#conflictsAtMs, nowMs].slice(-CONFLICTS.max);
    const [oldestMs = nowMs] = this.#conflictsAtMs;
    const isStorm =
      this.#conflictsAtMs.length >= CONFLICTS.max && nowMs - oldestMs < CONFLICTS.windowMs;
    this.#pending.clear();
    this.#probeFrom(nowMs + (isStorm ? CONFLICTS.restMs : this.#random() * PROBE_GAP_MS));
  }

  /** What is due now. Call again at {@link nextWakeMs}. */
  poll(nowMs: number): MdnsAction[] {
    const actions: MdnsAction[] = [];
    if (this.#state === 'probing' && nowMs >= this.#nextMs) this.#probe(actions, nowMs);
    if (this.#state === 'announcing' && nowMs >= this.#nextMs) this.#announce(actions, nowMs);
    for (const link of this.#links) {
      const pending = this.#pending.get(link.key);
      const due = pending?.takeDue(nowMs) ?? [];
      if (due.length === 0) continue;
      actions.push({ linkKey: link.key, message: this.#respond(due, link) });
      pending?.noteSent(due, nowMs);
    }
    return actions;
  }

  nextWakeMs(): number | null {
    const isTicking = this.#state === 'probing' || this.#state === 'announcing';
    const wakes = [...this.#pending.values()].map((pending) => pending.nextDueMs());
    const due = [isTicking ? this.#nextMs : null, ...wakes].filter((wake) => wake !== null);
    return due.length === 0 ? null : Math.min(...due);
  }

  /** Says goodbye: every record with no life left (§10.1). Nothing is answered after. */
  stop(): MdnsAction[] {
    const wasPublished = this.#state === 'announcing' || this.#state === 'running';
    this.#state = 'stopped';
    this.#pending.clear();
    if (!wasPublished) return [];
    return this.#links.map((link) => {
      const answers = this.#zone.records(link).map((record) => ({ ...record, ttlS: 0 }));
      return { linkKey: link.key, message: { ...EMPTY_RESPONSE, answers } };
    });
  }

  #probeFrom(atMs: number): void {
    this.#state = 'probing';
    this.#sentCount = 0;
    this.#nextMs = atMs;
  }

  #probe(actions: MdnsAction[], nowMs: number): void {
    if (this.#sentCount === PROBE_COUNT) {
      this.#state = 'announcing';
      this.#sentCount = 0;
      return;
    }
    const names = this.#zone.uniqueNames;
    const questions = names.map((name) => ({ name, type: 'ANY', wantsUnicast: false }));
    for (const link of this.#links) {
      const authorities = names.flatMap((name) => this.#zone.recordsOf(name, link));
      const message = { ...EMPTY_RESPONSE, kind: 'query' as const, questions, authorities };
      actions.push({ linkKey: link.key, message: { ...message, flush: false } });
    }
    this.#sentCount += 1;
    this.#nextMs = nowMs + PROBE_GAP_MS;
  }

  #announce(actions: MdnsAction[], nowMs: number): void {
    for (const link of this.#links) {
      const answers = this.#zone.records(link);
      actions.push({ linkKey: link.key, message: { ...EMPTY_RESPONSE, answers } });
      this.#pendingOf(link.key).noteSent(answers, nowMs);
    }
    this.#sentCount += 1;
    this.#nextMs = nowMs + ANNOUNCE_GAP_MS;
    if (this.#sentCount === ANNOUNCE_COUNT) this.#state = 'running';
  }

  /** Two hosts probe for one name at once: the one whose records come later keeps it (§8.2). */
  #breakTie(message: MdnsMessage, link: MdnsLink, nowMs: number): void {
    for (const name of this.#zone.uniqueNames) {
      const theirs = message.authorities.filter((record) => isSameName(record.name, name));
      if (theirs.length === 0 || theirs.every((record) => this.#isOurs(record))) continue;
      const ours = this.#zone.recordsOf(name, link);
      if (compareRecordLists(ours, theirs) < 0) this.#probeFrom(nowMs + TIE_LOST_MS);
    }
  }

  /** True when `record` takes a name that is ours alone. */
  #contradicts(record: MdnsRecord): boolean {
    if (record.ttlS === 0 || isShared(record) || this.#isOurs(record)) return false;
    if (!this.#zone.uniqueNames.some((name) => isSameName(name, record.name))) return false;
    if (this.#state === 'probing') return true;
    return this.#links.some((link) =>
      this.#zone.recordsOf(record.name, link).some(({ data }) => data.type === record.data.type),
    );
  }

  /** Published by us on any link: our own words come back, also over another interface. */
  #isOurs(record: MdnsRecord): boolean {
    return this.#links.some((link) =>
      this.#zone.recordsOf(record.name, link).some((own) => isSameRecord(own, record)),
    );
  }

  #answer(message: MdnsMessage, link: MdnsLink, peer: MdnsPeer, nowMs: number): MdnsAction[] {
    const pending = this.#pendingOf(link.key);
    const isDefence = message.authorities.length > 0;
    const delay = message.isTruncated ? TRUNCATED_DELAY_MS : SHARED_DELAY_MS;
    // One delay for the whole query, so that its answers leave in one message.
    const sharedMs = delay.min + this.#random() * delay.span;
    const direct: Answer[] = [];
    for (const question of message.questions) {
      for (const answer of this.#answersTo(question, link)) {
        if (isKnown(answer, message.answers)) continue;
        const mayGoDirect =
          question.wantsUnicast && !isNegative(answer) && pending.isFresh(answer, nowMs);
        if (mayGoDirect) direct.push(answer);
        else {
          const mayOthersAnswer = !isNegative(answer) && isShared(answer);
          const dueMs = nowMs + (mayOthersAnswer || message.isTruncated ? sharedMs : 0);
          pending.add(answer, { dueMs, asker: peer.address, isDefence });
        }
      }
    }
    if (direct.length === 0 || !this.#mayUnicast(nowMs)) return [];
    return [{ linkKey: link.key, to: peer, message: this.#respond(direct, link) }];
  }

  /** A plain DNS client: one packet back, with its id and question, short-lived (§6.7). */
  #answerLegacy(message: MdnsMessage, link: MdnsLink, peer: MdnsPeer, nowMs: number): MdnsAction[] {
    const answers = message.questions.flatMap((question) => this.#answersTo(question, link));
    if (answers.length === 0 || !this.#mayUnicast(nowMs)) return [];
    const full = this.#respond(answers, link);
    const brief = (records: readonly MdnsRecord[]) =>
      records.map((record) => ({ ...record, ttlS: Math.min(record.ttlS, LEGACY_TTL_S) }));
    const reply: OutgoingMessage = {
      ...full,
      id: message.id,
      questions: message.questions,
      answers: brief(full.answers),
      additionals: brief(full.additionals),
      negatives: [],
      flush: false,
    };
    return [{ linkKey: link.key, to: peer, message: reply }];
  }

  #answersTo(question: MdnsQuestion, link: MdnsLink): readonly Answer[] {
    const records = this.#zone.recordsOf(question.name, link);
    const matching = records.filter(
      ({ data }) => question.type === 'ANY' || data.type === question.type,
    );
    if (matching.length > 0 || records.length === 0) return matching;
    const isOursAlone = records.every((record) => !isShared(record));
    return isOursAlone ? [negativeAnswer(records)] : [];
  }

  #respond(answers: readonly Answer[], link: MdnsLink): OutgoingMessage {
    const records = uniqueRecords(
      answers.filter((answer): answer is MdnsRecord => !isNegative(answer)),
    );
    const said = new Set(records.map(recordKey));
    const companions = records.flatMap((record) => this.#zone.companions(record, link));
    return {
      ...EMPTY_RESPONSE,
      answers: records,
      additionals: uniqueRecords(companions).filter((record) => !said.has(recordKey(record))),
      negatives: answers.filter(isNegative),
    };
  }

  #mayUnicast(nowMs: number): boolean {
    if (nowMs - this.#unicastSinceMs >= 1_000) {
      this.#unicastSinceMs = nowMs;
      this.#unicastCount = 0;
    }
    this.#unicastCount += 1;
    return this.#unicastCount <= UNICAST_PER_S;
  }

  #pendingOf(linkKey: string): PendingAnswers {
    const known = this.#pending.get(linkKey) ?? new PendingAnswers();
    this.#pending.set(linkKey, known);
    return known;
  }
}

const EMPTY_RESPONSE: OutgoingMessage = {
  kind: 'response',
  id: 0,
  questions: [],
  answers: [],
  authorities: [],
  additionals: [],
  negatives: [],
  flush: true,
};

/** The asker lists it with at least half of its life left (§7.1). */
function isKnown(answer: Answer, known: readonly MdnsRecord[]): boolean {
  if (isNegative(answer)) return false;
  return known.some((record) => isSameRecord(record, answer) && record.ttlS * 2 >= answer.ttlS);
}

function negativeAnswer(records: readonly MdnsRecord[]): NegativeAnswer {
  const [first] = records;
  const types = [...new Set(records.map(({ data }) => data.type))];
  return { name: first?.name ?? '', ttlS: first?.ttlS ?? 0, types };
}

function uniqueRecords(records: readonly MdnsRecord[]): readonly MdnsRecord[] {
  return [...new Map(records.map((record) => [recordKey(record), record])).values()];
}

/** Lexicographic over sorted lists; the longer one comes later (§8.2.1). */
function compareRecordLists(ours: readonly MdnsRecord[], theirs: readonly MdnsRecord[]): number {
  const left = [...ours].sort(compareForTieBreak);
  const right = [...theirs].sort(compareForTieBreak);
  for (let index = 0; index < Math.min(left.length, right.length); index += 1) {
    const [a, b] = [left[index], right[index]];
    const order = a && b ? compareForTieBreak(a, b) : 0;
    if (order !== 0) return order;
  }
  return left.length - right.length;
}
