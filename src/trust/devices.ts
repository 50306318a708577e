/**
 * The roster of paired devices: one gate for both protocols. A device is its certificate, compared
 * byte for byte. The list in memory changes only after the file was written, so what is answered
 * is what survives a crash. Whoever streams for a device listens to `onRevoked`.
 */
import { timingSafeEqual } from 'node:crypto';
import { readFileIfPresent, writeFileAtomic } from '../platform/files.ts';
import {
  cleanDeviceName,
  type DevicePlane,
  type PairedDevice,
  readDeviceRecord,
} from './device-record.ts';
import { certificateFingerprint } from './identity.ts';

export const DEVICES_MAX = 256;
/** `lastSeenAtMs` on disk may lag this much: polling devices must not write a file every 3 s. */
const LAST_SEEN_STEP_MS = 3_600_000;
const FORMAT_VERSION = 1;

export type RevokeCause = 'unpaired' | 'disabled';
export type RevokeListener = (device: PairedDevice, cause: RevokeCause) => void;

export interface NewDevice {
  readonly certificateDer: Uint8Array;
  readonly name: string;
  readonly plane: DevicePlane;
}

export type AddResult =
  | { readonly ok: true; readonly device: PairedDevice }
  | { readonly ok: false; readonly code: 'full' | 'not_written'; readonly message: string };

export type ChangeResult =
  | { readonly ok: true; readonly device: PairedDevice }
  | { readonly ok: false; readonly code: 'not_found' | 'not_written'; readonly message: string };

export class DeviceRoster {
  readonly #path: string;
  readonly #listeners = new Set<RevokeListener>();
  #devices: ReadonlyMap<string, PairedDevice>;

  /**
   * Reads the roster. Damaged records are left out and the whole file is kept beside as
   * `<path>.damaged-<wall time>`; `onDamage` gets one sentence. Throws the system's error when an
   * existing file cannot be read.
   */
  constructor(path: string, onDamage: (sentence: string) => void, nowMs: number) {
    this.#path = path;
    this.#devices = readRoster(path, onDamage, nowMs);
  }

  /** All devices, oldest pairing first. */
  list(): readonly PairedDevice[] {
    return [...this.#devices.values()].sort((a, b) => a.pairedAtMs - b.pairedAtMs);
  }

  get count(): number {
    return this.#devices.size;
  }

  /** The device of this name, enabled or not; upper-case fingerprints are accepted. */
  get(fingerprint: string): PairedDevice | null {
    return this.#devices.get(fingerprint.toLowerCase()) ?? null;
  }

  /** The enabled device whose certificate is exactly `der`; dates and chains do not matter. */
  authorise(der: Uint8Array): PairedDevice | null {
    if (der.length === 0) return null;
    const device = this.#devices.get(certificateFingerprint(der));
    if (!device?.enabled) return null;
    const stored = Buffer.from(device.certificate, 'base64');
    return stored.length === der.length && timingSafeEqual(stored, der) ? device : null;
  }

  /** Stores a device that has just proved itself; pairing again renews its record. */
  add(wish: NewDevice, nowMs: number): AddResult {
    const fingerprint = certificateFingerprint(wish.certificateDer);
    if (!this.#devices.has(fingerprint) && this.#devices.size >= DEVICES_MAX) {
      const message = `${DEVICES_MAX} devices are paired already; unpair one of them first`;
      return { ok: false, code: 'full', message };
    }
    const device: PairedDevice = {
      fingerprint,
      name: cleanDeviceName(wish.name),
      plane: wish.plane,
      certificate: Buffer.from(wish.certificateDer).toString('base64'),
      enabled: true,
      pairedAtMs: nowMs,
      lastSeenAtMs: null,
    };
    const problem = this.#store(device);
    return problem ? { ok: false, code: 'not_written', message: problem } : { ok: true, device };
  }

  rename(fingerprint: string, name: string): ChangeResult {
    return this.#change(fingerprint, (device) => ({ ...device, name: cleanDeviceName(name) }));
  }

  /** Disabling ends the device's streams; its pairing is kept. */
  setEnabled(fingerprint: string, enabled: boolean): ChangeResult {
    const result = this.#change(fingerprint, (device) => ({ ...device, enabled }));
    if (result.ok && !enabled) this.#revoked(result.device, 'disabled');
    return result;
  }

  /** Forgets the device and ends its streams. */
  unpair(fingerprint: string): ChangeResult {
    const device = this.get(fingerprint);
    if (!device) return notFound(fingerprint);
    const remaining = new Map(this.#devices);
    remaining.delete(device.fingerprint);
    const problem = this.#replace(remaining);
    if (problem) return { ok: false, code: 'not_written', message: problem };
    this.#revoked(device, 'unpaired');
    return { ok: true, device };
  }

  /** Notes that the device was here. Written at most once an hour; a failed write is let go. */
  noteSeen(fingerprint: string, nowMs: number): void {
    const device = this.get(fingerprint);
    if (!device || Math.abs(nowMs - (device.lastSeenAtMs ?? 0)) < LAST_SEEN_STEP_MS) return;
    this.#store({ ...device, lastSeenAtMs: nowMs });
  }

  /** Calls `listener` right after a device lost its right to be here. Returns the way to stop. */
  onRevoked(listener: RevokeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #change(fingerprint: string, edit: (device: PairedDevice) => PairedDevice): ChangeResult {
    const device = this.get(fingerprint);
    if (!device) return notFound(fingerprint);
    const edited = edit(device);
    const problem = this.#store(edited);
    return problem
      ? { ok: false, code: 'not_written', message: problem }
      : { ok: true, device: edited };
  }

  #store(device: PairedDevice): string | null {
    return this.#replace(new Map(this.#devices).set(device.fingerprint, device));
  }

  /** Writes, then takes `devices` over. Returns the sentence when writing failed. */
  #replace(devices: ReadonlyMap<string, PairedDevice>): string | null {
    const document = { version: FORMAT_VERSION, devices: [...devices.values()] };
    try {
      writeFileAtomic(this.#path, `${JSON.stringify(document, null, 1)}\n`);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? String(error);
      return `cannot write ${this.#path} (${code}); nothing was changed`;
    }
    this.#devices = devices;
    return null;
  }

  #revoked(device: PairedDevice, cause: RevokeCause): void {
    for (const listener of [...this.#listeners]) listener(device, cause);
  }
}

function notFound(fingerprint: string): ChangeResult {
  const message = `no paired device has the fingerprint ${fingerprint.slice(0, 64)}`;
  return { ok: false, code: 'not_found', message };
}

function readRoster(
  path: string,
  onDamage: (sentence: string) => void,
  nowMs: number,
): ReadonlyMap<string, PairedDevice> {
  const text = readFileIfPresent(path);
  if (text === null) return new Map();
  const records = parseRecords(text);
  const devices = (records ?? []).map(readDeviceRecord).filter((device) => device !== null);
  const kept = new Map(
    devices.slice(0, DEVICES_MAX).map((device) => [device.fingerprint, device] as const),
  );
  if (records === null || kept.size !== records.length) {
    const copy = `${path}.damaged-${Math.floor(nowMs)}`;
    writeFileAtomic(copy, text);
    onDamage(
      `${path} is damaged: ${kept.size} of ${records?.length ?? 'its'} devices could be read; ` +
        `the old file is kept as ${copy}`,
    );
  }
  return kept;
}

function parseRecords(text: string): unknown[] | null {
  try {
    const parsed = JSON.parse(text) as { version?: unknown; devices?: unknown } | null;
    return parsed?.version === FORMAT_VERSION && Array.isArray(parsed.devices)
      ? parsed.devices
      : null;
  } catch {
    return null;
  }
}
