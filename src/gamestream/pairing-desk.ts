/**
 * The pairing attempts of the running host: holds the first request of each until the operator
 * typed the PIN, tells the operator how the attempt really ended, and keeps the deadlines. The rules
 * themselves are in pairing.ts.
 */
import { randomBytes, sign } from 'node:crypto';
import type { PairedDevice } from '../trust/device-record.ts';
import type { DeviceRoster } from '../trust/devices.ts';
import type { HostIdentity } from '../trust/identity.ts';
import { parseHex, type Query } from './nvhttp-query.ts';
import { PairingAttempts } from './pairing.ts';
import type { PairingEnd, PairingFailure, PairPeer, PendingPairing } from './pairing-attempt.ts';
import { PAIRING_DONE, type PairReply, pairingRefused } from './pairing-reply.ts';

const UNIQUE_ID = /^[0-9A-Za-z._-]{1,64}$/;
/** Longest value of a phase: 16 bytes of secret and a 4096-bit signature, or a PEM text. */
const VALUE_SIZE_MAX = 4096;

export interface PairingDeskOptions {
  readonly identity: HostIdentity;
  readonly roster: DeviceRoster;
  /** Called when the list of attempts that wait for a PIN changed. */
  readonly onChange?: () => void;
  /** Monotonic milliseconds; for tests. */
  readonly nowMs?: () => number;
  readonly randomBytes?: (count: number) => Uint8Array;
}

export interface PairRequest {
  readonly query: Query;
  readonly peerAddress: string;
  /** The paired device behind the TLS connection; null without one. */
  readonly device: PairedDevice | null;
  readonly isTls: boolean;
  /** Fires when the device closes the connection. */
  readonly closed: AbortSignal;
}

export type SubmitPinResult =
  | { readonly paired: true; readonly device: PairedDevice }
  | {
      readonly paired: false;
      readonly code: PairingFailure | 'bad_pin' | 'not_found' | 'not_waiting';
      readonly message: string;
    };

const PIN_PROBLEMS = {
  bad_pin: 'a PIN is four digits',
  not_found: 'this pairing attempt is over; start again on the device',
  not_waiting: 'a PIN was entered for this attempt already',
} as const;

export class PairingDesk {
  readonly #attempts: PairingAttempts;
  readonly #options: PairingDeskOptions;
  readonly #nowMs: () => number;
  /** Requests of phase 1 that wait for the operator, by attempt. */
  readonly #held = new Map<string, (reply: PairReply) => void>();
  /** Operators that wait for the end, by attempt. */
  readonly #asked = new Map<string, (result: SubmitPinResult) => void>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #isClosed = false;

  constructor(options: PairingDeskOptions) {
    const { identity, roster } = options;
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#attempts = new PairingAttempts({
      certificatePem: identity.certificatePem,
      certificateSignature: identity.certificateSignature,
      sign: (content) => sign('sha256', content, identity.privateKey),
      randomBytes: options.randomBytes ?? ((count) => randomBytes(count)),
      store: (certificateDer, name) =>
        roster.add({ certificateDer, name, plane: 'gamestream' }, Date.now()),
      onEnd: (end) => this.#ended(end),
    });
  }

  /** Answers one `/pair` request; the first of an attempt resolves when the PIN was typed. */
  async handle(request: PairRequest): Promise<PairReply> {
    if (this.#isClosed) return pairingRefused('The host is shutting down', 503);
    const reply = this.#dispatch(request);
    this.#schedule();
    return reply;
  }

  /** `/unpair`: unauthenticated, so it only drops what this peer has under way. */
  unpair(query: Query, peerAddress: string): void {
    const peer = readPeer(query, peerAddress);
    if (peer) this.#attempts.unpair(peer, this.#nowMs());
    this.#schedule();
  }

  /** Attempts that wait for a PIN, oldest first. */
  pending(): readonly PendingPairing[] {
    return this.#attempts.pending(this.#nowMs());
  }

  /**
   * Enters the PIN for exactly the attempt the operator sees; resolves with how it really ended,
   * within about half a minute.
   */
  submitPin(id: string, pin: string, name?: string): Promise<SubmitPinResult> {
    const applied = this.#attempts.applyPin(id, pin, this.#nowMs(), name);
    if (!applied.ok) {
      const { code } = applied;
      return Promise.resolve({ paired: false, code, message: PIN_PROBLEMS[code] });
    }
    const result = new Promise<SubmitPinResult>((resolve) => this.#asked.set(id, resolve));
    this.#release(id, applied.reply);
    this.#changed();
    return result;
  }

  /** Refuses an attempt; false when it is over already. */
  deny(id: string): boolean {
    const isDenied = this.#attempts.deny(id, this.#nowMs());
    this.#schedule();
    return isDenied;
  }

  /** Ends every attempt; nothing is answered after. */
  close(): void {
    this.#isClosed = true;
    for (const id of [...this.#held.keys()]) this.deny(id);
    for (const id of [...this.#asked.keys()]) this.deny(id);
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #dispatch(request: PairRequest): PairReply | Promise<PairReply> {
    const { query } = request;
    const peer = readPeer(query, request.peerAddress);
    if (!peer) return pairingRefused('uniqueid is missing or malformed');
    const nowMs = this.#nowMs();
    const steps = [query.get('phrase'), ...VALUE_KEYS.map((key) => query.get(key))];
    if (steps.filter((step) => step !== undefined).length !== 1) {
      return pairingRefused('One pairing phase per request');
    }
    if (query.get('phrase') === 'pairchallenge') {
      return request.isTls && request.device ? PAIRING_DONE : pairingRefused('Not paired');
    }
    if (request.isTls) return pairingRefused('This phase goes over HTTP');
    if (query.get('phrase') === 'getservercert') return this.#begin(request, peer, nowMs);
    for (const key of VALUE_KEYS) {
      if (!query.has(key)) continue;
      const value = parseHex(query.get(key), VALUE_SIZE_MAX) ?? new Uint8Array(0);
      return this.#attempts[PHASE_OF[key]](peer, value, nowMs);
    }
    return pairingRefused('Unknown pairing phase');
  }

  #begin(request: PairRequest, peer: PairPeer, nowMs: number): PairReply | Promise<PairReply> {
    const { query, closed } = request;
    const empty = new Uint8Array(0);
    const begun = this.#attempts.begin(
      {
        ...peer,
        deviceName: query.get('devicename') ?? '',
        salt: parseHex(query.get('salt'), VALUE_SIZE_MAX) ?? empty,
        clientCertificatePem: parseHex(query.get('clientcert'), VALUE_SIZE_MAX) ?? empty,
      },
      nowMs,
    );
    if (begun.kind === 'answered') return begun.reply;
    const { id } = begun;
    const reply = new Promise<PairReply>((resolve) => this.#held.set(id, resolve));
    const onClosed = () => {
      this.#attempts.vanished(id, this.#nowMs());
      this.#schedule();
    };
    if (closed.aborted) onClosed();
    else closed.addEventListener('abort', onClosed, { once: true });
    this.#changed();
    return reply;
  }

  #ended(end: PairingEnd): void {
    this.#release(end.id, end.reply);
    this.#asked.get(end.id)?.(end.outcome);
    this.#asked.delete(end.id);
    this.#changed();
  }

  #release(id: string, reply: PairReply): void {
    this.#held.get(id)?.(reply);
    this.#held.delete(id);
  }

  #changed(): void {
    this.#schedule();
    this.#options.onChange?.();
  }

  /** One timer for the next deadline. */
  #schedule(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    const deadlineMs = this.#attempts.nextDeadlineMs();
    if (deadlineMs === null || this.#isClosed) return;
    const delayMs = Math.max(0, deadlineMs - this.#nowMs()) + 1;
    this.#timer = setTimeout(() => {
      this.#attempts.expire(this.#nowMs());
      this.#schedule();
    }, delayMs);
    this.#timer.unref();
  }
}

const PHASE_OF = {
  clientchallenge: 'challenge',
  serverchallengeresp: 'response',
  clientpairingsecret: 'secret',
} as const;
const VALUE_KEYS = Object.keys(PHASE_OF) as readonly (keyof typeof PHASE_OF)[];

function readPeer(query: Query, peerAddress: string): PairPeer | null {
  const uniqueId = query.get('uniqueid') ?? '';
  return UNIQUE_ID.test(uniqueId) ? { address: peerAddress, uniqueId } : null;
}
