/**
 * The two sockets of nvhttp: plain HTTP and TLS with an optional client certificate. Both feed one
 * request handler, because only a TLS socket of our own shows the peer's certificate. Everything a
 * peer can hold open or make long is bounded here; a connection that carries no byte is silent.
 */
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, TLSSocket } from 'node:tls';
import { ConnectionDoor, type DoorLimits } from '../net/connection-door.ts';
import { normaliseAddress } from '../net/interfaces.ts';
import type { DeviceRoster } from '../trust/devices.ts';
import type { HostIdentity } from '../trust/identity.ts';
import { parseQuery } from './nvhttp-query.ts';
import { type NvResponse, type NvRoutes, refusal } from './nvhttp-routes.ts';

/** A pairing request carries a certificate as hex: about 3 KiB. */
const HEADER_SIZE_MAX = 16 * 1024;

/** What a peer may hold open. */
export interface NvHttpLimits extends DoorLimits {
  /** Launch may take 120 s and so may typing a PIN. */
  readonly answerMs: number;
  /** From the answer to the end of the connection. */
  readonly lingerMs: number;
}

export const NV_HTTP_LIMITS: NvHttpLimits = {
  requestMs: 10_000,
  answerMs: 130_000,
  lingerMs: 5_000,
  connectionsPerAddress: 24,
  connections: 256,
};

export interface NvHttpServerOptions {
  readonly identity: HostIdentity;
  readonly roster: DeviceRoster;
  readonly routes: NvRoutes;
  /** Address to listen on; `::` also takes IPv4. */
  readonly bindAddress: string;
  /** 0 lets the system choose (tests). */
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly limits?: Partial<NvHttpLimits>;
}

export interface NvHttpServer {
  readonly httpPort: number;
  readonly httpsPort: number;
  /** Connections refused because there were too many; for status. */
  refusedCount(): number;
  /** Closes the sockets and every connection. */
  close(): Promise<void>;
}

/**
 * Starts both servers; rejects with the system's error (EADDRINUSE, EACCES) when a port cannot be
 * had, and then leaves neither open.
 */
export async function startNvHttpServer(options: NvHttpServerOptions): Promise<NvHttpServer> {
  const limits = { ...NV_HTTP_LIMITS, ...options.limits };
  const door = new ConnectionDoor(limits);
  const http = createHttpServer({ maxHeaderSize: HEADER_SIZE_MAX }, (request, response) => {
    void serve(options, door, limits, request, response);
  });
  http.on('clientError', (_error, socket) => socket.destroy());
  const plain = createTcpServer((socket) => {
    if (door.admit(socket)) http.emit('connection', socket);
  });
  const tls = createTlsServer({
    key: options.identity.privateKeyPem,
    cert: options.identity.certificatePem,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    handshakeTimeout: limits.requestMs,
  });
  tls.on('connection', (socket: Socket) => door.admit(socket));
  tls.on('secureConnection', (socket: TLSSocket) => {
    socket.on('error', () => socket.destroy());
    http.emit('connection', socket);
  });
  tls.on('tlsClientError', (_error, socket: Socket) => socket.destroy());
  try {
    const httpPort = await listen(plain, options.httpPort, options.bindAddress);
    const httpsPort = await listen(tls, options.httpsPort, options.bindAddress);
    return {
      httpPort,
      httpsPort,
      refusedCount: () => door.refusedCount,
      close: () => closeAll([plain, tls], door),
    };
  } catch (error) {
    await closeAll([plain, tls], door);
    throw error;
  }
}

async function serve(
  options: NvHttpServerOptions,
  door: ConnectionDoor,
  limits: NvHttpLimits,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { socket } = request;
  const closed = new AbortController();
  response.on('close', () => closed.abort());
  response.on('error', () => socket.destroy());
  door.answering(socket, limits.answerMs);
  const answer = await answerRequest(options, request, closed.signal);
  if (closed.signal.aborted) return;
  door.waiting(socket, limits.lingerMs);
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body;
  response.writeHead(answer.httpStatus, {
    'Content-Type': answer.contentType,
    'Content-Length': body.length,
    Connection: 'close',
  });
  response.end(body);
}

async function answerRequest(
  options: NvHttpServerOptions,
  request: IncomingMessage,
  closed: AbortSignal,
): Promise<NvResponse> {
  const { socket, headers } = request;
  if (request.method !== 'GET') return refusal(400, 'Only GET is understood');
  if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0) {
    return refusal(400, 'A body is not expected');
  }
  const url = request.url ?? '';
  const mark = url.indexOf('?');
  const parsed = parseQuery(mark < 0 ? '' : url.slice(mark + 1));
  if (!parsed.ok) return refusal(400, parsed.reason);
  const isTls = socket instanceof TLSSocket;
  const device = isTls ? options.roster.authorise(peerCertificate(socket)) : null;
  if (device) options.roster.noteSeen(device.fingerprint, Date.now());
  return options.routes.answer({
    path: mark < 0 ? url : url.slice(0, mark),
    query: parsed.query,
    isTls,
    device,
    localAddress: normaliseAddress(socket.localAddress ?? ''),
    peerAddress: normaliseAddress(socket.remoteAddress ?? ''),
    closed,
  });
}

/** DER of the presented certificate; empty without one. */
function peerCertificate(socket: TLSSocket): Uint8Array {
  const certificate = socket.getPeerCertificate(true) as { raw?: Uint8Array } | null;
  return certificate?.raw ?? new Uint8Array(0);
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host }, () => {
      server.off('error', reject);
      server.on('error', () => undefined);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

async function closeAll(servers: readonly Server[], door: ConnectionDoor): Promise<void> {
  door.destroyAll();
  await Promise.all(
    servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
  );
}
