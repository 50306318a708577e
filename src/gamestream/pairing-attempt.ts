/**
 * One pairing attempt and the words around it: what is asked, what is under way, how it can end, and
 * how long it may take.
 */
import { cleanDeviceName, type PairedDevice } from '../trust/device-record.ts';
import type { AddResult } from '../trust/devices.ts';
import type { ClientCertificate } from './pairing-crypto.ts';
import type { PairReply } from './pairing-reply.ts';

export const PIN_ENTRY_MS = 120_000;
export const ATTEMPT_MS = 300_000;
/** Between two phases after the PIN; devices send the next one at once. */
export const PHASE_GAP_MS = 10_000;

/** The name most devices send as theirs; it says nothing. */
const PLACEHOLDER_NAME = 'roth';
const DEFAULT_NAME = 'Moonlight device';

export type PairingPhase = 'pin' | 'challenge' | 'response' | 'secret';

/** One attempt under way; {@link PairingAttempts} alone changes it. */
export interface PairingAttempt {
  readonly id: string;
  readonly peerKey: string;
  readonly peerAddress: string;
  readonly uniqueId: string;
  readonly certificate: ClientCertificate;
  readonly salt: Uint8Array;
  readonly startedAtMs: number;
  name: string;
  phase: PairingPhase;
  phaseAtMs: number;
  key: Uint8Array;
  serverSecret: Uint8Array;
  serverChallenge: Uint8Array;
  clientHash: Uint8Array;
  /** Busy answers given to the same peer, each followed by an `/unpair` that is not about us. */
  unpairsToIgnore: number;
}

export interface PendingPairing {
  readonly id: string;
  readonly name: string;
  readonly peerAddress: string;
  readonly uniqueId: string;
  readonly clientCertFingerprint: string;
  readonly ageMs: number;
  readonly expiresInMs: number;
}

export type PairingFailure =
  | 'wrong_pin'
  | 'expired'
  | 'client_gone'
  | 'denied'
  | 'bad_exchange'
  | 'not_stored';

export type PairingOutcome =
  | { readonly paired: true; readonly device: PairedDevice }
  | { readonly paired: false; readonly code: PairingFailure; readonly message: string };

/** An attempt is over. While it waited for the PIN its held request gets `reply`. */
export interface PairingEnd {
  readonly id: string;
  readonly outcome: PairingOutcome;
  readonly reply: PairReply;
}

export interface PairingDeps {
  readonly certificatePem: string;
  /** Signature octets of the host's certificate. */
  readonly certificateSignature: Uint8Array;
  /** RSA PKCS#1 v1.5 SHA-256 with the host's key. */
  readonly sign: (content: Uint8Array) => Uint8Array;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly store: (certificateDer: Uint8Array, name: string) => AddResult;
  /** Hears of every end, also of those that no request waits for. */
  readonly onEnd: (end: PairingEnd) => void;
}

export interface PairPeer {
  readonly address: string;
  readonly uniqueId: string;
}

export interface PairWish extends PairPeer {
  readonly deviceName: string;
  readonly salt: Uint8Array;
  /** PEM text of the device's certificate. */
  readonly clientCertificatePem: Uint8Array;
}

export type BeginResult =
  | { readonly kind: 'waiting'; readonly id: string }
  | { readonly kind: 'answered'; readonly reply: PairReply };

export type PinResult =
  | { readonly ok: true; readonly reply: PairReply }
  | { readonly ok: false; readonly code: 'bad_pin' | 'not_found' | 'not_waiting' };

/** The four ends with a fixed text. */
export const WRONG_PIN = failed('wrong_pin', 'the PIN does not match the one the device shows');
export const BAD_SIGNATURE = failed(
  'bad_exchange',
  'the device could not prove that it owns its key',
);
export const CLIENT_GONE = failed('client_gone', 'the device gave up or lost its connection');
export const EXPIRED = failed('expired', 'the time to enter the PIN is over');

/** An outcome that is not a pairing. */
export function failed(code: PairingFailure, message: string): PairingOutcome {
  return { paired: false, code, message };
}

/** What an attempt belongs to; the separator cannot be part of an address. */
export function peerKey(peer: PairPeer): string {
  return `${peer.address} ${peer.uniqueId}`;
}

/** Moves the attempt to its next phase. */
export function enter(attempt: PairingAttempt, phase: PairingPhase, nowMs: number): void {
  attempt.phase = phase;
  attempt.phaseAtMs = nowMs;
}

/** When the attempt is overdue. */
export function deadlineMs(attempt: PairingAttempt): number {
  const wholeMs = attempt.startedAtMs + ATTEMPT_MS;
  const phaseMs = attempt.phase === 'pin' ? PIN_ENTRY_MS : PHASE_GAP_MS;
  return Math.min(wholeMs, attempt.phaseAtMs + phaseMs);
}

/** An attempt that waits for its PIN. */
export function newAttempt(
  id: string,
  wish: PairWish,
  certificate: ClientCertificate,
  nowMs: number,
): PairingAttempt {
  const isPlaceholder = wish.deviceName === '' || wish.deviceName === PLACEHOLDER_NAME;
  return {
    id,
    peerKey: peerKey(wish),
    peerAddress: wish.address,
    uniqueId: wish.uniqueId,
    certificate,
    salt: Uint8Array.from(wish.salt),
    startedAtMs: nowMs,
    name: isPlaceholder ? DEFAULT_NAME : cleanDeviceName(wish.deviceName),
    phase: 'pin',
    phaseAtMs: nowMs,
    key: new Uint8Array(16),
    serverSecret: new Uint8Array(0),
    serverChallenge: new Uint8Array(0),
    clientHash: new Uint8Array(0),
    unpairsToIgnore: 0,
  };
}
