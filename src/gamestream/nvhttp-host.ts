/** What nvhttp needs of the rest of the host: the port between the protocol and the running host. */
import type { PairedDevice } from '../trust/device-record.ts';
import type { LaunchRequest } from './nvhttp-launch.ts';

export interface NvHostDescription {
  /** Name that devices show. */
  readonly hostname: string;
  /** Never changes; the primary key of this host in every device. */
  readonly uniqueId: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** `ServerCodecModeSupport` bits of the encoders this machine has; 0 makes devices refuse. */
  readonly codecModeSupport: number;
  /** 0 when HEVC cannot be encoded. */
  readonly maxLumaPixelsHevc: number;
  /** Address on the internet, when one is configured. */
  readonly externalAddress?: string;
  readonly gpuName?: string;
}

export interface NvApp {
  /** Positive, 31 bit, stable across restarts: devices cache pictures by it. */
  readonly id: number;
  readonly title: string;
  readonly isHdrSupported: boolean;
}

export interface LaunchContext {
  readonly device: PairedDevice;
  /** Address of ours on which the request came in. */
  readonly localAddress: string;
  /** RTSP is accepted from this address only. */
  readonly peerAddress: string;
}

export type LaunchOutcome =
  | { readonly ok: true; readonly rtspPort: number; readonly rtspSealed: boolean }
  /** `status` goes into the XML: 400 an app runs already, 403, 410, 503 no display or encoder. */
  | { readonly ok: false; readonly status: number; readonly message: string };

export interface NvHttpHost {
  /** Called for every poll: cheap, opens nothing. */
  describe(): NvHostDescription;
  /** 0 while nothing runs. */
  runningAppId(): number;
  apps(): readonly NvApp[];
  /** PNG of the app, or null to have one drawn. The id was found in {@link apps}. */
  boxArt(appId: number): Uint8Array | null;
  launch(request: LaunchRequest, context: LaunchContext): Promise<LaunchOutcome>;
  resume(request: LaunchRequest, context: LaunchContext): Promise<LaunchOutcome>;
  /** Ends the stream and the app; resolves when {@link runningAppId} is 0. False: it failed. */
  cancel(device: PairedDevice): Promise<boolean>;
}
