/** A whole GameStream device: find, pair, list, launch, stream, resume, quit. */
import { randomBytes } from 'node:crypto';
import { createIdentity, type DeviceIdentity, memoryPins, type PinStore } from './identity.ts';
import { type AppEntry, type HostAddress, NvHttp, type ServerInfo } from './nvhttp.ts';
import { type PairingOptions, type PairingOutcome, pair } from './pair.ts';
import {
  DEFAULT_STREAM,
  type Launch,
  RunningStream,
  type StreamOptions,
  surroundInfoOf,
} from './stream.ts';
import { elementText } from './xml.ts';

export interface LaunchWish {
  readonly appId?: number;
  readonly width?: number;
  readonly height?: number;
  readonly fps?: number;
  readonly channels?: 2 | 6 | 8;
  /** false: a device of old that sends no `corever`. */
  readonly knowsSealedRtsp?: boolean;
  readonly gamepadMask?: number;
}

/** `/launch` or `/resume` was answered with another status than 200. */
export class LaunchRefused extends Error {
  readonly code: number;
  constructor(path: string, code: number, message: string) {
    super(`${path} refused with ${code}: ${message}`);
    this.name = 'LaunchRefused';
    this.code = code;
  }
}

export class MoonlightDevice {
  readonly http: NvHttp;

  constructor(
    host: HostAddress,
    identity: DeviceIdentity = createIdentity(),
    pins: PinStore = memoryPins(),
  ) {
    this.http = new NvHttp(host, identity, pins);
  }

  serverInfo(): Promise<ServerInfo> {
    return this.http.serverInfo();
  }

  async pair(options: PairingOptions): Promise<PairingOutcome> {
    await this.http.serverInfo();
    return pair(this.http, options);
  }

  apps(): Promise<AppEntry[]> {
    return this.http.apps();
  }

  /** Launches, or resumes when something runs, as devices decide by `currentgame`. */
  async launch(wish: LaunchWish = {}): Promise<Launch> {
    const info = await this.http.serverInfo();
    return this.#begin(info.currentGame === 0 ? 'launch' : 'resume', wish, info.currentGame);
  }

  resume(wish: LaunchWish = {}): Promise<Launch> {
    return this.#begin('resume', wish, 0);
  }

  async #begin(kind: 'launch' | 'resume', wish: LaunchWish, running: number): Promise<Launch> {
    const width = wish.width ?? DEFAULT_STREAM.width;
    const height = wish.height ?? DEFAULT_STREAM.height;
    const key = new Uint8Array(randomBytes(16));
    const keyId = randomBytes(4).readInt32BE();
    const answer = await this.http[kind]({
      appId: (wish.appId ?? running) || (await this.#firstApp()),
      mode: `${width}x${height}x${wish.fps ?? DEFAULT_STREAM.fps}`,
      key,
      keyId,
      surroundAudioInfo: surroundInfoOf(wish.channels ?? 2),
      knowsSealedRtsp: wish.knowsSealedRtsp ?? true,
      gamepadMask: wish.gamepadMask ?? 0,
    });
    const { code, message } = answer.status;
    if (code !== 200) throw new LaunchRefused(`/${kind}`, code, message);
    const flag = elementText(answer.document, kind === 'launch' ? 'gamesession' : 'resume');
    const url = elementText(answer.document, 'sessionUrl0') ?? '';
    // Devices take the scheme and what follows the last colon.
    const found = /^(rtsp(?:enc)?):\/\/.*:(\d+)/.exec(url);
    if (flag !== '1' || !found) throw new Error(`/${kind} has no usable session: ${url}`);
    const isRtspSealed = found[1] === 'rtspenc';
    const address = this.http.host.address;
    return { kind, address, rtspPort: Number(found[2]), isRtspSealed, key, keyId };
  }

  async #firstApp(): Promise<number> {
    const [first] = await this.http.apps();
    if (!first) throw new Error('the host lists no app');
    return first.id;
  }

  /** Launches or resumes and starts the stream. */
  async stream(options: Partial<StreamOptions> & LaunchWish = {}): Promise<RunningStream> {
    return RunningStream.start(await this.launch(options), options);
  }

  /** Ends the app; true when the host has nothing running afterwards. */
  async quit(): Promise<boolean> {
    const isCancelled = await this.http.cancel();
    const info = await this.http.serverInfo();
    return isCancelled && info.currentGame === 0;
  }
}
