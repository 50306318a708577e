/**
 * What each nvhttp path answers. Known paths always answer HTTP 200 with the outcome in the XML
 * root, because devices take an HTTP error for a transport error and lose the message. Nothing from
 * the wire reaches the file system: pictures are found by app id.
 */
import { hostInUrl } from '../net/interfaces.ts';
import type { PairedDevice } from '../trust/device-record.ts';
import { drawBoxArt } from './box-art.ts';
import type { LaunchOutcome, NvHttpHost } from './nvhttp-host.ts';
import { decodeLaunch } from './nvhttp-launch.ts';
import { parseDecimal, type Query } from './nvhttp-query.ts';
import type { PairingDesk } from './pairing-desk.ts';
import type { PairReply } from './pairing-reply.ts';
import { renderServerInfo } from './serverinfo.ts';
import { type XmlElement, xmlDocument } from './xml.ts';

const APP_ID_MAX = 0x7fff_ffff;
/** Drawn pictures kept; each is a few kilobytes. */
const DRAWN_MAX = 64;

export interface NvRequest {
  readonly path: string;
  readonly query: Query;
  readonly isTls: boolean;
  /** The paired device behind the TLS connection; null on HTTP and for unknown certificates. */
  readonly device: PairedDevice | null;
  readonly localAddress: string;
  readonly peerAddress: string;
  /** Fires when the device closes the connection. */
  readonly closed: AbortSignal;
}

export interface NvResponse {
  readonly httpStatus: 200 | 404;
  readonly contentType: 'application/xml' | 'image/png';
  readonly body: string | Uint8Array;
}

export interface NvRoutesOptions {
  readonly host: NvHttpHost;
  readonly pairing: PairingDesk;
  readonly macOfAddress: (address: string) => string | null;
  /** An exception of the host behind the port: a fault of ours. */
  readonly onFault: (path: string, error: unknown) => void;
}

type PairedRequest = NvRequest & { readonly device: PairedDevice };

export class NvRoutes {
  readonly #options: NvRoutesOptions;
  readonly #drawn = new Map<string, Uint8Array>();

  constructor(options: NvRoutesOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async answer(request: NvRequest): Promise<NvResponse> {
    try {
      return await this.#dispatch(request);
    } catch (error) {
      this.#options.onFault(request.path, error);
      return refusal(503, 'The host ran into a fault. See its log.');
    }
  }

  #dispatch(request: NvRequest): NvResponse | Promise<NvResponse> {
    switch (request.path) {
      case '/pair':
        return this.#pair(request);
      case '/unpair':
        this.#options.pairing.unpair(request.query, request.peerAddress);
        return xml(200, []);
      case '/serverinfo':
        return request.isTls && !request.device ? notPaired() : this.#serverInfo(request);
      case '/applist':
      case '/appasset':
      case '/launch':
      case '/resume':
      case '/cancel':
        return request.device ? this.#paired(request as PairedRequest) : notPaired();
      default:
        return { ...refusal(404, 'Not found'), httpStatus: 404 };
    }
  }

  #paired(request: PairedRequest): NvResponse | Promise<NvResponse> {
    switch (request.path) {
      case '/applist':
        return this.#appList();
      case '/appasset':
        return this.#appAsset(request.query);
      case '/launch':
        return this.#start('launch', 'gamesession', request);
      case '/resume':
        return this.#start('resume', 'resume', request);
      default:
        return this.#cancel(request.device);
    }
  }

  async #pair(request: NvRequest): Promise<NvResponse> {
    return renderPairReply(await this.#options.pairing.handle(request));
  }

  #serverInfo(request: NvRequest): NvResponse {
    const { host, macOfAddress } = this.#options;
    const isPaired = request.device !== null;
    const body = renderServerInfo({
      host: host.describe(),
      runningAppId: host.runningAppId(),
      isPaired,
      localAddress: request.localAddress,
      mac: isPaired ? macOfAddress(request.localAddress) : null,
    });
    return { httpStatus: 200, contentType: 'application/xml', body };
  }

  #appList(): NvResponse {
    const apps = this.#options.host.apps().map((app): XmlElement => {
      const children: XmlElement[] = [
        ['IsHdrSupported', app.isHdrSupported],
        ['AppTitle', app.title],
        ['ID', app.id],
      ];
      return ['App', children];
    });
    return xml(200, apps);
  }

  #appAsset(query: Query): NvResponse {
    const id = parseDecimal(query.get('appid'), 1, APP_ID_MAX);
    const app = this.#options.host.apps().find((candidate) => candidate.id === id);
    if (!app) return refusal(404, 'No such app');
    const body = this.#options.host.boxArt(app.id) ?? this.#draw(app.title);
    return { httpStatus: 200, contentType: 'image/png', body };
  }

  #draw(title: string): Uint8Array {
    const known = this.#drawn.get(title);
    if (known) return known;
    if (this.#drawn.size >= DRAWN_MAX) this.#drawn.clear();
    const picture = drawBoxArt(title);
    this.#drawn.set(title, picture);
    return picture;
  }

  async #start(
    kind: 'launch' | 'resume',
    resultName: string,
    request: PairedRequest,
  ): Promise<NvResponse> {
    const { host } = this.#options;
    const decoded = decodeLaunch(kind, request.query);
    if (!decoded.ok) return refusal(400, decoded.reason, [[resultName, false]]);
    const { device, localAddress, peerAddress } = request;
    const outcome = await host[kind](decoded.request, { device, localAddress, peerAddress });
    if (!outcome.ok) return refusal(outcome.status, outcome.message, [[resultName, false]]);
    return xml(200, [
      ['sessionUrl0', sessionUrl(outcome, localAddress)],
      [resultName, true],
    ]);
  }

  async #cancel(device: PairedDevice): Promise<NvResponse> {
    const isCancelled = await this.#options.host.cancel(device);
    return isCancelled
      ? xml(200, [['cancel', true]])
      : refusal(503, 'The app could not be ended', [['cancel', false]]);
  }
}

/** The document a `/pair` request is answered with. */
export function renderPairReply(reply: PairReply): NvResponse {
  const elements: XmlElement[] = [['paired', reply.paired]];
  if (reply.value) elements.push([reply.value.name, reply.value.hex]);
  return xml(reply.status, elements, reply.message);
}

/** A known path that says no: HTTP 200, the status in the root. */
export function refusal(
  code: number,
  message: string,
  elements: readonly XmlElement[] = [],
): NvResponse {
  return xml(code, elements, message);
}

function notPaired(): NvResponse {
  return refusal(401, 'The device is not paired with this host');
}

/** Devices take the scheme and the port; the address is for people. */
function sessionUrl(outcome: LaunchOutcome & { ok: true }, localAddress: string): string {
  const scheme = outcome.rtspSealed ? 'rtspenc' : 'rtsp';
  return `${scheme}://${hostInUrl(localAddress)}:${outcome.rtspPort}`;
}

function xml(code: number, elements: readonly XmlElement[], message?: string): NvResponse {
  const status = message === undefined ? { code } : { code, message };
  return { httpStatus: 200, contentType: 'application/xml', body: xmlDocument(status, elements) };
}
