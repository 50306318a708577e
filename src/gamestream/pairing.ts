/**
 * Pairing attempts as a state machine: phases 1 to 4 of GameStream pairing, in order, once each.
 * An attempt belongs to (peer address, uniqueid), because later phases carry no certificate; the
 * certificate is stored only after phase 4 proved both the PIN and the key. Any failure forgets the
 * attempt: a second try at a phase would allow guessing the PIN offline. Pure; the caller passes the
 * clock, the randomness and the store.
 */
import { cleanDeviceName } from '../trust/device-record.ts';
import {
  ATTEMPT_MS,
  BAD_SIGNATURE,
  type BeginResult,
  CLIENT_GONE,
  deadlineMs,
  EXPIRED,
  enter,
  failed,
  newAttempt,
  type PairingAttempt,
  type PairingDeps,
  type PairingOutcome,
  type PairingPhase,
  type PairPeer,
  type PairWish,
  type PendingPairing,
  type PinResult,
  peerKey,
  WRONG_PIN,
} from './pairing-attempt.ts';
import {
  CHALLENGE_SIZE,
  commitment,
  decryptBlocks,
  encryptBlocks,
  HASH_SIZE,
  isSameBytes,
  isSignedBy,
  pairingKey,
  readClientCertificate,
  SALT_SIZE,
  SECRET_SIZE,
} from './pairing-crypto.ts';
import { PairingLimiter } from './pairing-limits.ts';
import {
  goOn,
  PAIRING_BUSY,
  PAIRING_DONE,
  PAIRING_FAILED,
  type PairReply,
  pairingRefused,
} from './pairing-reply.ts';

export const WAITING_MAX = 4;
/** Attempts in any phase; those past the PIN live for seconds. */
const ATTEMPTS_MAX = 16;
const SIGNATURE_SIZE_MAX = 512;
const PIN_FORM = /^[0-9]{4}$/;

export class PairingAttempts {
  readonly #deps: PairingDeps;
  readonly #limiter = new PairingLimiter();
  readonly #attempts = new Map<string, PairingAttempt>();

  constructor(deps: PairingDeps) {
    this.#deps = deps;
  }

  /** PairingPhase 1. `waiting`: hold the request until the PIN or the end of attempt `id`. */
  begin(wish: PairWish, nowMs: number): BeginResult {
    this.expire(nowMs);
    if (!this.#limiter.take(wish.address, nowMs)) {
      return answered(pairingRefused('Too many pairing attempts. Wait a minute.', 503));
    }
    const certificate = readClientCertificate(wish.clientCertificatePem);
    if (wish.salt.length !== SALT_SIZE) return answered(pairingRefused('salt must be 16 bytes'));
    if (!certificate) return answered(pairingRefused('clientcert must be an RSA certificate'));
    const current = this.#byAddress(wish.address);
    if (current) {
      const isSameDevice =
        current.peerKey === peerKey(wish) &&
        current.certificate.fingerprint === certificate.fingerprint;
      if (!isSameDevice) {
        if (current.peerKey === peerKey(wish)) current.unpairsToIgnore += 1;
        return answered(PAIRING_BUSY);
      }
      this.#end(current, failed('client_gone', 'the device started over'), nowMs);
    }
    if (this.#waitingCount() >= WAITING_MAX || this.#attempts.size >= ATTEMPTS_MAX) {
      return answered(PAIRING_BUSY);
    }
    const id = Buffer.from(this.#deps.randomBytes(6)).toString('hex');
    this.#attempts.set(id, newAttempt(id, wish, certificate, nowMs));
    return { kind: 'waiting', id };
  }

  /** The operator typed `pin` for the attempt they see. On success answer its held request. */
  applyPin(id: string, pin: string, nowMs: number, name?: string): PinResult {
    this.expire(nowMs);
    const attempt = this.#attempts.get(id);
    if (!attempt) return { ok: false, code: 'not_found' };
    if (!PIN_FORM.test(pin)) return { ok: false, code: 'bad_pin' };
    if (attempt.phase !== 'pin') return { ok: false, code: 'not_waiting' };
    attempt.key = pairingKey(attempt.salt, pin);
    if (name !== undefined) attempt.name = cleanDeviceName(name);
    enter(attempt, 'challenge', nowMs);
    return { ok: true, reply: goOn('plaincert', Buffer.from(this.#deps.certificatePem)) };
  }

  /** PairingPhase 2: the device's challenge is answered with our commitment and our challenge. */
  challenge(peer: PairPeer, sealed: Uint8Array, nowMs: number): PairReply {
    const attempt = this.#inPhase(peer, 'challenge', nowMs);
    if (!attempt) return pairingRefused('Out of order');
    if (sealed.length !== CHALLENGE_SIZE) return this.#broken(attempt, nowMs);
    const challenge = decryptBlocks(attempt.key, sealed);
    attempt.serverSecret = this.#deps.randomBytes(SECRET_SIZE);
    attempt.serverChallenge = this.#deps.randomBytes(CHALLENGE_SIZE);
    const hash = commitment(challenge, this.#deps.certificateSignature, attempt.serverSecret);
    const answer = Buffer.concat([hash, attempt.serverChallenge]);
    enter(attempt, 'response', nowMs);
    return goOn('challengeresponse', encryptBlocks(attempt.key, answer));
  }

  /** PairingPhase 3: the device commits itself; only then is our secret shown, signed. */
  response(peer: PairPeer, sealed: Uint8Array, nowMs: number): PairReply {
    const attempt = this.#inPhase(peer, 'response', nowMs);
    if (!attempt) return pairingRefused('Out of order');
    if (sealed.length !== HASH_SIZE) return this.#broken(attempt, nowMs);
    attempt.clientHash = decryptBlocks(attempt.key, sealed);
    enter(attempt, 'secret', nowMs);
    const signature = this.#deps.sign(attempt.serverSecret);
    return goOn('pairingsecret', Buffer.concat([attempt.serverSecret, signature]));
  }

  /** PairingPhase 4: the device opens its commitment and proves its key; then and only then it is stored. */
  secret(peer: PairPeer, opened: Uint8Array, nowMs: number): PairReply {
    const attempt = this.#inPhase(peer, 'secret', nowMs);
    if (!attempt) return pairingRefused('Out of order');
    const { certificate } = attempt;
    if (opened.length <= SECRET_SIZE || opened.length > SECRET_SIZE + SIGNATURE_SIZE_MAX) {
      return this.#broken(attempt, nowMs);
    }
    const clientSecret = opened.subarray(0, SECRET_SIZE);
    const expected = commitment(attempt.serverChallenge, certificate.signature, clientSecret);
    const isPinRight = isSameBytes(expected, attempt.clientHash);
    const isKeyRight = isSignedBy(
      certificate.publicKey,
      clientSecret,
      opened.subarray(SECRET_SIZE),
    );
    if (!isPinRight) return this.#end(attempt, WRONG_PIN, nowMs);
    if (!isKeyRight) return this.#end(attempt, BAD_SIGNATURE, nowMs);
    const stored = this.#deps.store(certificate.der, attempt.name);
    if (!stored.ok) return this.#end(attempt, failed('not_stored', stored.message), nowMs);
    return this.#end(attempt, { paired: true, device: stored.device }, nowMs);
  }

  /** `/unpair`: drops the pending attempt of this peer and nothing else. */
  unpair(peer: PairPeer, nowMs: number): void {
    this.expire(nowMs);
    const attempt = this.#byPeer(peer);
    if (!attempt) return;
    if (attempt.unpairsToIgnore > 0) {
      attempt.unpairsToIgnore -= 1;
      return;
    }
    // A device that checks our commitment gives up after phase 3 when the PIN was wrong.
    const gaveUpOnPin = attempt.phase === 'secret';
    this.#end(attempt, gaveUpOnPin ? WRONG_PIN : CLIENT_GONE, nowMs);
  }

  /** The connection that waited for the PIN of attempt `id` was closed by the device. */
  vanished(id: string, nowMs: number): void {
    const attempt = this.#attempts.get(id);
    if (attempt?.phase === 'pin') this.#end(attempt, CLIENT_GONE, nowMs);
  }

  /** The operator does not want this device. False when there is no such attempt. */
  deny(id: string, nowMs: number): boolean {
    const attempt = this.#attempts.get(id);
    if (attempt) this.#end(attempt, failed('denied', 'the operator refused the device'), nowMs);
    return attempt !== undefined;
  }

  /** Attempts that wait for a PIN, oldest first. */
  pending(nowMs: number): readonly PendingPairing[] {
    this.expire(nowMs);
    return [...this.#attempts.values()]
      .filter((attempt) => attempt.phase === 'pin')
      .map((attempt) => ({
        id: attempt.id,
        name: attempt.name,
        peerAddress: attempt.peerAddress,
        uniqueId: attempt.uniqueId,
        clientCertFingerprint: attempt.certificate.fingerprint,
        ageMs: nowMs - attempt.startedAtMs,
        expiresInMs: deadlineMs(attempt) - nowMs,
      }));
  }

  /** Ends what is overdue. */
  expire(nowMs: number): void {
    for (const attempt of [...this.#attempts.values()]) {
      // A listener of an earlier end may have looked at the list and ended this one already.
      if (nowMs < deadlineMs(attempt) || !this.#attempts.has(attempt.id)) continue;
      const isGap = attempt.phase !== 'pin' && nowMs < attempt.startedAtMs + ATTEMPT_MS;
      this.#end(attempt, isGap ? CLIENT_GONE : EXPIRED, nowMs);
    }
  }

  /** When {@link expire} has something to do next; null while nothing is under way. */
  nextDeadlineMs(): number | null {
    const deadlines = [...this.#attempts.values()].map(deadlineMs);
    return deadlines.length === 0 ? null : Math.min(...deadlines);
  }

  get attemptCount(): number {
    return this.#attempts.size;
  }

  #byAddress(address: string): PairingAttempt | undefined {
    return [...this.#attempts.values()].find((attempt) => attempt.peerAddress === address);
  }

  #byPeer(peer: PairPeer): PairingAttempt | undefined {
    const key = peerKey(peer);
    return [...this.#attempts.values()].find((attempt) => attempt.peerKey === key);
  }

  #waitingCount(): number {
    return [...this.#attempts.values()].filter((attempt) => attempt.phase === 'pin').length;
  }

  /** The peer's attempt when it is in `phase`; a request out of order ends the attempt. */
  #inPhase(peer: PairPeer, phase: PairingPhase, nowMs: number): PairingAttempt | null {
    this.expire(nowMs);
    const attempt = this.#byPeer(peer);
    if (!attempt) return null;
    if (attempt.phase === phase) return attempt;
    this.#end(attempt, failed('bad_exchange', 'the device sent its requests out of order'), nowMs);
    return null;
  }

  #broken(attempt: PairingAttempt, nowMs: number): PairReply {
    this.#end(attempt, failed('bad_exchange', 'the device sent a value of the wrong size'), nowMs);
    return pairingRefused('Bad value');
  }

  #end(attempt: PairingAttempt, outcome: PairingOutcome, nowMs: number): PairReply {
    this.#attempts.delete(attempt.id);
    if (!outcome.paired && outcome.code === 'wrong_pin') {
      this.#limiter.punish(attempt.peerAddress, nowMs);
    }
    const isHeld = attempt.phase === 'pin';
    const reply = outcome.paired
      ? PAIRING_DONE
      : isHeld
        ? pairingRefused(outcome.message)
        : PAIRING_FAILED;
    attempt.key.fill(0);
    this.#deps.onEnd({ id: attempt.id, outcome, reply });
    return reply;
  }
}

function answered(reply: PairReply): BeginResult {
  return { kind: 'answered', reply };
}
