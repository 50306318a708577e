/**
 * Where devices' media pings came from last (GameStream §5). Pure; time is passed in.
 *
 * | length | form                                             |
 * |--------|--------------------------------------------------|
 * | 20     | payload of SETUP (16 characters), counter u32 BE |
 * | 4      | `PING`, from devices without session payloads    |
 */

export type MediaPlane = 'video' | 'audio';

export interface PingSource {
  readonly address: string;
  readonly port: number;
}

/** Payloads remembered per plane: several launches may ping before they announce. */
const SOURCES_MAX = 32;
const PAYLOAD_BYTES = 16;
const PING_BYTES = 20;

interface Remembered extends PingSource {
  readonly key: string;
  readonly atMs: number;
}

export class MediaPingBook {
  readonly #sources: Record<MediaPlane, Remembered[]> = { video: [], audio: [] };
  ignoredCount = 0;

  /** @returns whether the ping is one and came from a place not known for its key before. */
  note(
    plane: MediaPlane,
    bytes: Uint8Array,
    address: string,
    port: number,
    nowMs: number,
  ): boolean {
    const key = pingKey(bytes, address);
    if (key === null) {
      this.ignoredCount += 1;
      return false;
    }
    const sources = this.#sources[plane];
    const index = sources.findIndex((source) => source.key === key);
    const known = sources[index];
    if (index >= 0) sources.splice(index, 1);
    sources.push({ key, address, port, atMs: nowMs });
    if (sources.length > SOURCES_MAX) sources.shift();
    return known?.address !== address || known.port !== port;
  }

  /**
   * Latest source of the payload. A device that knows no payloads is found by its address instead.
   *
   * @param legacyAddress where such a device launched from; null: the device knows payloads
   * @param sinceMs when it launched: what it pinged before was for another stream
   */
  find(
    plane: MediaPlane,
    payload: string,
    legacyAddress: string | null,
    sinceMs = Number.NEGATIVE_INFINITY,
  ): PingSource | null {
    const sources = this.#sources[plane];
    const named = sources.findLast((source) => source.key === payloadKey(payload));
    if (named || legacyAddress === null) return named ?? null;
    const key = legacyKey(legacyAddress);
    return sources.findLast((source) => source.key === key && source.atMs >= sinceMs) ?? null;
  }
}

function pingKey(bytes: Uint8Array, address: string): string | null {
  if (bytes.length === PING_BYTES) {
    return payloadKey(String.fromCharCode(...bytes.subarray(0, PAYLOAD_BYTES)));
  }
  const isLegacy = bytes.length === 4 && String.fromCharCode(...bytes) === 'PING';
  return isLegacy ? legacyKey(address) : null;
}

/** Apart from {@link legacyKey}: a payload may be any 16 bytes, also the text of the other key. */
function payloadKey(payload: string): string {
  return `payload ${payload}`;
}

function legacyKey(address: string): string {
  return `legacy ${address}`;
}
