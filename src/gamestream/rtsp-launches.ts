/**
 * Launches that wait for their RTSP exchange: who may speak RTSP, with which key, and what ties the
 * later UDP planes to this launch.
 *
 * A launch lives here from the nvhttp reply until it is removed or its time is over. Bounded; a new
 * launch of a device replaces that device's one that has not started. Pure: time and randomness are
 * passed in. Source: GameStream §2.8, §4.1, §4.7, §11.2.
 */

import { normaliseAddress } from '../net/interfaces.ts';
import type { DeviceIdentity } from '../session/offer.ts';
import type { LaunchRequest } from './nvhttp-launch.ts';

export const LAUNCHES_MAX = 16;
/** From the nvhttp reply to ANNOUNCE. */
export const LAUNCH_EXPIRES_MS = 15_000;
/** From ANNOUNCE to PLAY: a host that starts slowly is given this long. */
export const ANNOUNCED_EXPIRES_MS = 60_000;

/** How far the RTSP exchange of a launch is. */
export type RtspStage = 'fresh' | 'announcing' | 'announced' | 'playing';

/** What the RTSP exchange remembers between its connections. */
export interface RtspProgress {
  stage: RtspStage;
  /** When ANNOUNCE was accepted; null before. */
  announcedAtMs: number | null;
  readonly setUp: Set<MediaStream>;
  /** Last sequence number the host sealed with; the first message is 1. */
  hostSequence: number;
  /** Highest sequence number of an authentic sealed request. */
  clientSequence: number;
  /** The device asked for 0.0.0.0 instead of the address: no high-quality stereo. */
  sawZeroHost: boolean;
}

export type MediaStream = 'audio' | 'video' | 'control';

export interface LaunchParties {
  readonly request: LaunchRequest;
  readonly device: DeviceIdentity;
  readonly peerAddress: string;
  /** `rtspenc://` was agreed; plain requests are refused then. */
  readonly sealedRtsp: boolean;
}

export interface PendingLaunch extends LaunchParties {
  readonly launchId: string;
  /** 16 upper-case hexadecimal digits that the device's media pings carry. */
  readonly pingPayload: string;
  /** Non-zero u32 that the device's ENet connect carries. */
  readonly connectData: number;
  /** Echoed by the device in its later requests. */
  readonly sessionToken: string;
  readonly madeAtMs: number;
  readonly rtsp: RtspProgress;
}

export class PendingLaunches {
  readonly #randomBytes: (size: number) => Uint8Array;
  /** Oldest first. */
  readonly #launches: PendingLaunch[] = [];
  #evictedCount = 0;

  constructor(randomBytes: (size: number) => Uint8Array) {
    this.#randomBytes = randomBytes;
  }

  get size(): number {
    return this.#launches.length;
  }

  /** Launches pushed out because {@link LAUNCHES_MAX} others waited. */
  get evictedCount(): number {
    return this.#evictedCount;
  }

  /**
   * Adds a launch. The same device's launches that have not been announced are dropped: their keys
   * are void from this moment.
   */
  add(parties: LaunchParties, nowMs: number): PendingLaunch {
    this.expire(nowMs);
    for (const launch of [...this.#launches]) {
      const isSame = launch.device.fingerprint === parties.device.fingerprint;
      if (isSame && launch.rtsp.stage === 'fresh') this.remove(launch.launchId);
    }
    if (this.#launches.length >= LAUNCHES_MAX) this.#evictOne();
    const launch: PendingLaunch = {
      ...parties,
      peerAddress: normaliseAddress(parties.peerAddress),
      launchId: this.#hex(8).toLowerCase(),
      pingPayload: this.#hex(8),
      connectData: this.#nonZero(),
      sessionToken: this.#hex(6),
      madeAtMs: nowMs,
      rtsp: {
        stage: 'fresh',
        announcedAtMs: null,
        setUp: new Set(),
        hostSequence: 0,
        clientSequence: 0,
        sawZeroHost: false,
      },
    };
    this.#launches.push(launch);
    return launch;
  }

  /** Whether a stream may still come of any launch: it waits for ANNOUNCE or is being started. */
  isAwaited(nowMs: number): boolean {
    return this.live(nowMs).some(
      ({ rtsp }) => rtsp.stage === 'fresh' || rtsp.stage === 'announcing',
    );
  }

  get(launchId: string): PendingLaunch | null {
    return this.#launches.find((launch) => launch.launchId === launchId) ?? null;
  }

  /** All that live, newest first. */
  live(nowMs: number): readonly PendingLaunch[] {
    this.expire(nowMs);
    return this.#launches.toReversed();
  }

  /** Whether any living launch came from this address. */
  knowsAddress(address: string, nowMs: number): boolean {
    const wanted = normaliseAddress(address);
    return this.live(nowMs).some((launch) => launch.peerAddress === wanted);
  }

  /**
   * The launch that a plain request belongs to: the one it names by its Session header, else the
   * newest from this address that is not playing yet, else the newest from this address. Launches
   * that agreed on sealed RTSP have none.
   */
  findPlain(
    address: string,
    sessionToken: string | undefined,
    nowMs: number,
  ): PendingLaunch | null {
    const wanted = normaliseAddress(address);
    const mine = this.live(nowMs).filter(
      (launch) => !launch.sealedRtsp && launch.peerAddress === wanted,
    );
    return (
      mine.find((launch) => launch.sessionToken === sessionToken) ??
      mine.find((launch) => launch.rtsp.stage !== 'playing') ??
      mine[0] ??
      null
    );
  }

  /** Notes that ANNOUNCE was accepted: the launch has {@link ANNOUNCED_EXPIRES_MS} from now. */
  announced(launch: PendingLaunch, nowMs: number): void {
    launch.rtsp.stage = 'announced';
    launch.rtsp.announcedAtMs = nowMs;
  }

  remove(launchId: string): boolean {
    const index = this.#launches.findIndex((launch) => launch.launchId === launchId);
    if (index < 0) return false;
    this.#launches.splice(index, 1);
    return true;
  }

  /** Drops everything that belongs to a device: it may not be here any more. */
  removeDevice(fingerprint: string): void {
    for (const launch of [...this.#launches]) {
      if (launch.device.fingerprint === fingerprint) this.remove(launch.launchId);
    }
  }

  /** Drops all: what they would have started was ended. */
  clear(): void {
    this.#launches.length = 0;
  }

  /** Drops launches whose time is over and returns them. One that is being started stays. */
  expire(nowMs: number): readonly PendingLaunch[] {
    const over = this.#launches.filter((launch) => this.#isOver(launch, nowMs));
    for (const launch of over) this.remove(launch.launchId);
    return over;
  }

  #isOver(launch: PendingLaunch, nowMs: number): boolean {
    if (launch.rtsp.stage === 'announcing') return false;
    const { announcedAtMs } = launch.rtsp;
    if (announcedAtMs === null) return nowMs - launch.madeAtMs >= LAUNCH_EXPIRES_MS;
    return nowMs - announcedAtMs >= ANNOUNCED_EXPIRES_MS;
  }

  #evictOne(): void {
    const victim =
      this.#launches.find((launch) => launch.rtsp.stage === 'fresh') ??
      this.#launches.find((launch) => launch.rtsp.stage === 'playing') ??
      this.#launches[0];
    if (!victim) return;
    this.#evictedCount += 1;
    this.remove(victim.launchId);
  }

  #hex(size: number): string {
    const bytes = this.#randomBytes(size);
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'))
      .join('')
      .toUpperCase();
  }

  #nonZero(): number {
    const bytes = this.#randomBytes(4);
    const value = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
    return value === 0 ? 1 : value;
  }
}
