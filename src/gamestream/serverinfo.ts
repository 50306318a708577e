/** The `/serverinfo` document: who this host is, what it can encode, whether it is busy. Pure. */
import type { NvHostDescription } from './nvhttp-host.ts';
import { type XmlElement, xmlDocument } from './xml.ts';

/**
 * Major 7: SHA-256 pairing. 7.1.431: encrypted control, several parity blocks. The negative last
 * number turns on everything that current hosts beyond NVIDIA's can do (GameStream §2.4).
 */
export const APP_VERSION = '7.1.431.-1';
export const GFE_VERSION = '3.23.0.74';
const NO_MAC = '00:00:00:00:00:00';
/** Devices ignore 127.*: the value for an address they could not use. */
const NO_LOCAL_ADDRESS = '127.0.0.1';

export interface ServerInfoView {
  readonly host: NvHostDescription;
  readonly runningAppId: number;
  /** The request came over TLS with the certificate of a paired device. */
  readonly isPaired: boolean;
  /** Address of ours on which the request came in. */
  readonly localAddress: string;
  /** MAC of that interface, for Wake-on-LAN; shown to paired devices only. */
  readonly mac: string | null;
}

export function renderServerInfo(view: ServerInfoView): string {
  const { host, runningAppId, isPaired } = view;
  const isIpv4 = !view.localAddress.includes(':');
  const elements: XmlElement[] = [
    ['hostname', host.hostname],
    ['appversion', APP_VERSION],
    ['GfeVersion', GFE_VERSION],
    ['uniqueid', host.uniqueId],
    ['HttpsPort', host.httpsPort],
    ['ExternalPort', host.httpPort],
    ['MaxLumaPixelsHEVC', host.maxLumaPixelsHevc],
    ['mac', isPaired && view.mac ? view.mac : NO_MAC],
    ['LocalIP', isIpv4 ? view.localAddress : NO_LOCAL_ADDRESS],
    ['ServerCodecModeSupport', host.codecModeSupport],
    ['PairStatus', isPaired],
    ['currentgame', runningAppId],
    ['state', runningAppId === 0 ? 'SUNSHINE_SERVER_FREE' : 'SUNSHINE_SERVER_BUSY'],
  ];
  if (host.externalAddress !== undefined) elements.push(['ExternalIP', host.externalAddress]);
  if (host.gpuName !== undefined) elements.push(['gputype', host.gpuName]);
  return xmlDocument({ code: 200 }, elements);
}
