/**
 * One GET per connection, written by hand so that what the host does with the connection is seen:
 * whether it announces a length, keeps to it, and closes (GameStream §2.1). Over TLS the device
 * shows its certificate and talks only to the certificate it pinned (§2.2).
 */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { concatBytes, equalBytes } from './bytes.ts';
import type { DeviceIdentity } from './identity.ts';

const REPLY_BYTES_MAX = 4 * 1024 * 1024;
/** A host that has said `Connection: close` and sent its body shall close within this time. */
const CLOSE_TIMEOUT_MS = 3000;

export interface HttpRequest {
  readonly address: string;
  readonly port: number;
  /** Path and query. */
  readonly target: string;
  readonly timeoutMs: number;
  /** Absent: plain HTTP. `identity` null: TLS without showing a certificate. */
  readonly tls?: { readonly identity: DeviceIdentity | null; readonly pinned: Uint8Array | null };
  /** Ends the request by closing the connection, as a device that vanishes. */
  readonly signal?: AbortSignal;
  /** Called once the request is on its way. */
  readonly onSent?: () => void;
}

export interface HttpReply {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  /** The host ended the connection by itself. */
  readonly isClosedByHost: boolean;
  /** DER of the certificate the host showed; null over plain HTTP. */
  readonly hostCertificate: Uint8Array | null;
}

export class HttpFailure extends Error {
  readonly reason: 'timeout' | 'aborted' | 'certificate' | 'connection' | 'malformed';
  constructor(reason: HttpFailure['reason'], text: string) {
    super(text);
    this.name = 'HttpFailure';
    this.reason = reason;
  }
}

export function httpGet(request: HttpRequest): Promise<HttpReply> {
  return new Promise((resolve, reject) => {
    const received: Uint8Array[] = [];
    let receivedBytes = 0;
    let hostCertificate: Uint8Array | null = null;
    let isSettled = false;
    let closeTimer: ReturnType<typeof setTimeout> | undefined;

    const settle = (finish: () => void): void => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      clearTimeout(closeTimer);
      request.signal?.removeEventListener('abort', abort);
      socket.destroy();
      finish();
    };
    const fail = (reason: HttpFailure['reason'], text: string): void =>
      settle(() => reject(new HttpFailure(reason, `${request.target.split('?')[0]}: ${text}`)));
    const abort = (): void => fail('aborted', 'given up by the device');
    const timer = setTimeout(
      () => fail('timeout', `no whole reply in ${request.timeoutMs} ms`),
      request.timeoutMs,
    );
    const finish = (isClosedByHost: boolean): void => {
      const reply = parseReply(concatBytes(...received));
      if (!reply) {
        fail('malformed', 'the reply is no HTTP/1.1 response with its whole body');
        return;
      }
      settle(() => resolve({ ...reply, isClosedByHost, hostCertificate }));
    };
    const start = (): void => {
      if (request.tls) {
        hostCertificate = certificateOf(socket as TLSSocket);
        const { pinned } = request.tls;
        if (!hostCertificate || (pinned && !equalBytes(hostCertificate, pinned))) {
          fail('certificate', 'the host shows another certificate than the pinned one');
          return;
        }
      }
      socket.write(
        `GET ${request.target} HTTP/1.1\r\nHost: ${request.address}:${request.port}\r\n` +
          'Connection: Keep-Alive\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\n\r\n',
      );
      request.onSent?.();
    };
    const socket = open(request, start);
    socket.on('data', (chunk: Uint8Array) => {
      receivedBytes += chunk.length;
      if (receivedBytes > REPLY_BYTES_MAX) return fail('malformed', 'the reply has no end');
      received.push(Uint8Array.from(chunk));
      if (!closeTimer && parseReply(concatBytes(...received))) {
        closeTimer = setTimeout(() => finish(false), CLOSE_TIMEOUT_MS);
      }
    });
    socket.on('end', () => finish(true));
    socket.on('close', () => finish(true));
    socket.on('error', (error: Error) => fail('connection', error.message));
    if (request.signal?.aborted) abort();
    request.signal?.addEventListener('abort', abort);
  });
}

function open(request: HttpRequest, onReady: () => void): Socket {
  const where = { host: request.address, port: request.port };
  if (!request.tls) return connectTcp(where, onReady);
  const identity = request.tls.identity;
  return connectTls(
    {
      ...where,
      // Trust comes from the pinned certificate, compared before the first byte is sent.
      rejectUnauthorized: false,
      ...(identity ? { key: identity.keyPem, cert: identity.certificatePem } : {}),
    },
    onReady,
  );
}

function certificateOf(socket: TLSSocket): Uint8Array | null {
  const raw = socket.getPeerCertificate(true)?.raw;
  return raw ? Uint8Array.from(raw) : null;
}

/** A whole response, or null while bytes are missing. */
export function parseReply(
  bytes: Uint8Array,
): Omit<HttpReply, 'isClosedByHost' | 'hostCertificate'> | null {
  const head = new TextDecoder('latin1').decode(bytes);
  const headEnd = head.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const [statusLine = '', ...lines] = head.slice(0, headEnd).split('\r\n');
  const status = /^HTTP\/1\.1 (\d{3})(?: |$)/.exec(statusLine)?.[1];
  if (!status) return null;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const length = Number(headers.get('content-length') ?? Number.NaN);
  const body = bytes.slice(headEnd + 4);
  if (!Number.isInteger(length) || body.length < length) return null;
  return { status: Number(status), headers, body: body.slice(0, length) };
}
