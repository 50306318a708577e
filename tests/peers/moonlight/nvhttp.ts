/** The requests a device makes of the host's two HTTP doors (GameStream §2). */
import { randomUUID } from 'node:crypto';
import { type HttpReply, httpGet } from './http.ts';
import type { DeviceIdentity, PinStore } from './identity.ts';
import { elementBodies, elementText, type RootStatus, rootStatus } from './xml.ts';

const REQUEST_TIMEOUT_MS = 5000;
const LAUNCH_TIMEOUT_MS = 120_000;
const QUIT_TIMEOUT_MS = 30_000;

export interface HostAddress {
  readonly address: string;
  /** Plain HTTP port, the only one that must be known. */
  readonly httpPort: number;
}

export interface ServerInfo {
  readonly hostname: string;
  readonly appVersion: string;
  readonly uniqueId: string;
  readonly httpsPort: number;
  readonly codecModes: number;
  readonly isPaired: boolean;
  readonly currentGame: number;
  readonly state: string;
  readonly isBusy: boolean;
  readonly mac: string;
  readonly localIp: string;
}

export interface AppEntry {
  readonly id: number;
  readonly title: string;
  readonly isHdrSupported: boolean;
}

/** A document of the host, or what is wrong with it. */
export interface Answer {
  readonly status: RootStatus;
  readonly document: string;
  readonly reply: HttpReply;
}

export interface LaunchQuery {
  readonly appId: number;
  readonly mode: string;
  /** AES-128 key of the session. */
  readonly key: Uint8Array;
  /** Signed 32 bit. */
  readonly keyId: number;
  readonly surroundAudioInfo: number;
  /** false: a device of old, which must get `rtsp://`. */
  readonly knowsSealedRtsp: boolean;
  readonly gamepadMask: number;
}

export class NvHttp {
  readonly identity: DeviceIdentity;
  readonly host: HostAddress;
  readonly pins: PinStore;
  /** From `HttpsPort`; 0 while unknown. */
  httpsPort = 0;

  constructor(host: HostAddress, identity: DeviceIdentity, pins: PinStore) {
    this.host = host;
    this.identity = identity;
    this.pins = pins;
  }

  /** Over TLS when paired, else plain; a host that answers 401 is asked again in plain. */
  async serverInfo(): Promise<ServerInfo> {
    if (this.pins.read() && this.httpsPort !== 0) {
      const answer = await this.secure('/serverinfo');
      if (answer.status.code === 200) return this.#readServerInfo(answer);
      if (answer.status.code !== 401) throw refusal('/serverinfo', answer.status);
    }
    const info = this.#readServerInfo(await this.plain('/serverinfo'));
    if (!this.pins.read() || info.isPaired) return info;
    const answer = await this.secure('/serverinfo');
    return answer.status.code === 200 ? this.#readServerInfo(answer) : info;
  }

  async apps(): Promise<AppEntry[]> {
    const answer = await this.secure('/applist');
    if (answer.status.code !== 200) throw refusal('/applist', answer.status);
    return elementBodies(answer.document, 'App').map((body) => {
      const id = Number(elementText(body, 'ID') ?? Number.NaN);
      const title = elementText(body, 'AppTitle');
      // Devices throw the whole list away over one entry without id or title.
      if (title === null || !Number.isInteger(id) || id <= 0 || id > 0x7fffffff) {
        throw new Error(`applist holds an entry without a usable title and id: ${body}`);
      }
      return { id, title, isHdrSupported: elementText(body, 'IsHdrSupported') === '1' };
    });
  }

  /** Picture of an app: the only reply that is not XML. */
  async boxArt(appId: number): Promise<HttpReply> {
    return this.#get('/appasset', { appid: String(appId), AssetType: '2', AssetIdx: '0' }, true);
  }

  launch(query: LaunchQuery): Promise<Answer> {
    return this.secure('/launch', launchParameters(query), LAUNCH_TIMEOUT_MS);
  }

  resume(query: LaunchQuery): Promise<Answer> {
    return this.secure('/resume', launchParameters(query), LAUNCH_TIMEOUT_MS);
  }

  /** Ends the app; true when the host says so. */
  async cancel(): Promise<boolean> {
    const answer = await this.secure('/cancel', {}, QUIT_TIMEOUT_MS);
    return answer.status.code === 200 && elementText(answer.document, 'cancel') === '1';
  }

  unpair(): Promise<Answer> {
    return this.plain('/unpair');
  }

  async plain(
    path: string,
    parameters: Readonly<Record<string, string>> = {},
    options: { timeoutMs?: number; signal?: AbortSignal; onSent?: () => void } = {},
  ): Promise<Answer> {
    return answerOf(path, await this.#get(path, parameters, false, options));
  }

  async secure(
    path: string,
    parameters: Readonly<Record<string, string>> = {},
    timeoutMs = REQUEST_TIMEOUT_MS,
  ): Promise<Answer> {
    return answerOf(path, await this.#get(path, parameters, true, { timeoutMs }));
  }

  #get(
    path: string,
    parameters: Readonly<Record<string, string>>,
    isSecure: boolean,
    options: { timeoutMs?: number; signal?: AbortSignal; onSent?: () => void } = {},
  ): Promise<HttpReply> {
    const query = Object.entries({
      uniqueid: this.identity.uniqueId,
      uuid: randomUUID(),
      ...parameters,
    }).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    return httpGet({
      timeoutMs: REQUEST_TIMEOUT_MS,
      ...options,
      address: this.host.address,
      port: isSecure ? this.httpsPort || this.host.httpPort - 5 : this.host.httpPort,
      target: `${path}?${query.join('&')}`,
      ...(isSecure ? { tls: { identity: this.identity, pinned: this.pins.read() } } : {}),
    });
  }

  #readServerInfo(answer: Answer): ServerInfo {
    if (answer.status.code !== 200) throw refusal('/serverinfo', answer.status);
    const text = (name: string): string => {
      const value = elementText(answer.document, name);
      if (value === null) throw new Error(`serverinfo has no ${name}`);
      return value;
    };
    for (const name of ['appversion', 'GfeVersion', 'uniqueid', 'hostname']) {
      if (text(name) === '') throw new Error(`serverinfo has an empty ${name}`);
    }
    this.httpsPort = Number(text('HttpsPort'));
    const state = text('state');
    const isBusy = state.endsWith('_SERVER_BUSY');
    return {
      hostname: text('hostname'),
      appVersion: text('appversion'),
      uniqueId: text('uniqueid'),
      httpsPort: this.httpsPort,
      codecModes: Number(text('ServerCodecModeSupport')),
      isPaired: text('PairStatus') === '1',
      currentGame: isBusy ? Number(text('currentgame')) : 0,
      state,
      isBusy,
      mac: text('mac'),
      localIp: text('LocalIP'),
    };
  }
}

function launchParameters(query: LaunchQuery): Record<string, string> {
  return {
    appid: String(query.appId),
    mode: query.mode,
    additionalStates: '1',
    sops: '0',
    rikey: Buffer.from(query.key).toString('hex'),
    rikeyid: String(query.keyId),
    localAudioPlayMode: '0',
    surroundAudioInfo: String(query.surroundAudioInfo),
    remoteControllersBitmap: String(query.gamepadMask),
    gcmap: String(query.gamepadMask),
    gcpersist: '0',
    ...(query.knowsSealedRtsp ? { corever: '1' } : {}),
  };
}

function answerOf(path: string, reply: HttpReply): Answer {
  const document = new TextDecoder().decode(reply.body);
  const status = rootStatus(document);
  if (reply.status !== 200 || !status) {
    throw new Error(`${path}: HTTP ${reply.status} without the XML devices expect: ${document}`);
  }
  return { status, document, reply };
}

function refusal(path: string, status: RootStatus): Error {
  return new Error(`${path} refused with ${status.code}: ${status.message}`);
}
