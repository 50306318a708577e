/** What RTSP needs of the rest of the host: the port between the protocol and the running host. */
import type { SessionOffer } from '../session/offer.ts';
import type { GameStreamPacketFormat } from '../session/plan.ts';
import type { AnnounceDetails } from './announce-offer.ts';
import type { DescribeCapabilities } from './rtsp-describe.ts';
import type { PendingLaunch, PendingLaunches } from './rtsp-launches.ts';

export interface MediaPorts {
  readonly video: number;
  readonly control: number;
  readonly audio: number;
}

export interface RtspPolicy extends DescribeCapabilities {
  /** Encryption bits without which ANNOUNCE is refused with 403. */
  readonly encryptionRequired: number;
  /** Parity in percent of the data shards; 0 sends data only. */
  readonly parityPct: number;
  /** Media datagrams may carry a code point when the device's network asks for it. */
  readonly tagDscp: boolean;
}

export type AnnounceOutcome =
  | { readonly ok: true }
  /** 400 codec not available, 403 not allowed, 500 start failed, 503 no display or encoder. */
  | { readonly ok: false; readonly status: number; readonly reason: string };

export interface RtspHost {
  readonly launches: PendingLaunches;
  /** Called at DESCRIBE and ANNOUNCE; the answer may depend on the device and its network. */
  policy(launch: PendingLaunch): RtspPolicy;
  /** UDP ports that SETUP names. */
  ports(launch: PendingLaunch): MediaPorts;
  /**
   * Starts the session. Resolves with `ok` only when the UDP sockets are bound and the control
   * plane expects the device; must resolve within 14 s, the device gives up after 15 s.
   */
  announce(
    launch: PendingLaunch,
    offer: SessionOffer,
    format: GameStreamPacketFormat,
    details: AnnounceDetails,
  ): Promise<AnnounceOutcome>;
  /** The device is about to connect to the control plane. */
  play(launch: PendingLaunch): void;
}
