/**
 * What the management API needs from the running host. The host room implements it; tests use a
 * scripted one. Calls answer from memory; only those that end something or wait are promises.
 */
import type {
  DeviceRow,
  HostFacts,
  PairingRequestRow,
  SessionRow,
  StatusDocument,
} from './schemas.ts';

/** Why a PIN did not pair a device. */
export type PinRefusal =
  /** The device proved that it was shown another PIN. */
  | 'wrong_pin'
  | 'expired'
  /** The device went away before the ceremony ended. */
  | 'client_gone'
  | 'denied'
  /** The device broke the rules of the ceremony. */
  | 'bad_exchange'
  /** Not of the form that this kind of device shows. */
  | 'bad_pin'
  /** A PIN was already given for this request. */
  | 'already_answered'
  /** The device proved itself but its record could not be written. */
  | 'not_stored';

/** What became of a PIN that the operator gave for one pairing request. */
export type PinOutcome =
  | { readonly outcome: 'paired'; readonly device: DeviceRow }
  | { readonly outcome: 'refused'; readonly code: PinRefusal }
  | { readonly outcome: 'no_request' };

/** `quit` ends the app and skips lingering, `drop` ends only the stream. */
export type StopKind = 'quit' | 'drop';

export interface ManagedHost {
  host(): HostFacts;
  status(): StatusDocument;

  devices(): readonly DeviceRow[];
  /** Fingerprint of the enabled paired device whose certificate is exactly these bytes. */
  deviceByCertificate(certificateDer: Uint8Array): string | null;
  /** null: no such device. Throws when the change cannot be saved; then nothing changed. */
  renameDevice(fingerprint: string, name: string): DeviceRow | null;
  /** Disabling ends the device's sessions before the promise resolves. */
  setDeviceEnabled(fingerprint: string, enabled: boolean): Promise<DeviceRow | null>;
  /** Ends the device's sessions before the promise resolves; false: no such device. */
  unpair(fingerprint: string): Promise<boolean>;

  pairingRequests(): readonly PairingRequestRow[];
  /** Resolves when the ceremony ended either way; the API stops waiting after 15 s. */
  submitPin(requestId: string, pin: string, name?: string): Promise<PinOutcome>;
  /** false: no such request. */
  denyPairing(requestId: string): boolean;

  sessions(): readonly SessionRow[];
  /** false: no such session. */
  stopSession(sessionId: string, how: StopKind): Promise<boolean>;
  /** Asks every stream for a keyframe; returns how many there are. */
  requestIdr(): number;
}
