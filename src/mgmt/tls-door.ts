/**
 * HTTPS with readable client certificates: node:tls accepts, node:http parses. (Bun's own HTTPS
 * servers do not hand out the peer certificate.) Every request becomes one call of the application.
 */
import { constants } from 'node:crypto';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { ConnectionDoor } from '../net/connection-door.ts';
import type { Peer } from './lanes.ts';
import { BODY_BYTES_MAX } from './request-parts.ts';

/** A household's consoles and phones; more is not a household. */
const CONNECTIONS_MAX = 64;
/** From the connection to the end of the first header, TLS handshake included. */
const HEADER_MS = 5000;
/** Longer than the longest answer (a PIN's result). */
const ANSWER_MS = 30_000;
const IDLE_MS = 10_000;
const CLOSE_MS = 500;
/** For the whole body, which is a few hundred bytes. */
const BODY_MS = 5000;

export interface TlsDoorOptions {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly bind: string;
  /** 0 takes any free port. */
  readonly port: number;
  respond(request: Request, peer: Peer): Promise<Response>;
}

export interface TlsDoor {
  readonly port: number;
  /** Ends all connections and frees the port. */
  close(): Promise<void>;
}

/** Times of a connection; the runtime's own do not reach sockets that are handed to its parser. */
export interface TlsDoorTimes {
  readonly headerMs: number;
  readonly answerMs: number;
  readonly idleMs: number;
}

const TIMES: TlsDoorTimes = { headerMs: HEADER_MS, answerMs: ANSWER_MS, idleMs: IDLE_MS };

/** Listens; rejects with the system's error (EADDRINUSE and so on) when it cannot. */
export async function openTlsDoor(
  options: TlsDoorOptions,
  times: TlsDoorTimes = TIMES,
): Promise<TlsDoor> {
  const door = new ConnectionDoor({
    requestMs: times.headerMs,
    connections: CONNECTIONS_MAX,
    connectionsPerAddress: CONNECTIONS_MAX,
  });
  let isClosing = false;
  const http = createHttpServer({ maxHeaderSize: 8192 }, (request, response) => {
    door.answering(request.socket, times.answerMs);
    void answer(request, response, options).then(() => door.waiting(request.socket, times.idleMs));
  });
  const tls = createTlsServer(
    {
      cert: options.certificatePem,
      key: options.privateKeyPem,
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      // A resumed session would not show its certificate again.
      secureOptions: constants.SSL_OP_NO_TICKET,
    },
    (socket) => {
      if (isClosing) socket.destroy();
      else http.emit('connection', socket);
    },
  );
  tls.on('connection', (socket: Socket) => door.admit(socket));
  tls.on('tlsClientError', () => {
    // A scanner or a client that does not trust the certificate; nothing to do.
  });
  await new Promise<void>((resolve, reject) => {
    tls.once('error', reject);
    tls.listen({ port: options.port, host: options.bind }, () => {
      tls.off('error', reject);
      resolve();
    });
  });
  const address = tls.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    async close() {
      isClosing = true;
      const closed = new Promise<void>((resolve) => {
        tls.close(() => resolve());
        // A peer in the middle of its handshake is not waited for; its socket ends with it.
        setTimeout(resolve, CLOSE_MS).unref();
      });
      door.destroyAll();
      await closed;
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: TlsDoorOptions,
): Promise<void> {
  try {
    const fetched = await options.respond(await asFetchRequest(request), peerOf(request));
    const body = new Uint8Array(await fetched.arrayBuffer());
    response.statusCode = fetched.status;
    for (const [name, value] of fetched.headers) response.setHeader(name, value);
    if (fetched.status === 413) response.setHeader('Connection', 'close');
    if (request.method !== 'HEAD' && fetched.status !== 204) {
      response.setHeader('Content-Length', body.length);
    }
    response.end(request.method === 'HEAD' ? undefined : body);
  } catch {
    // The peer went away in the middle, or sent a request line that is no URL.
    if (!response.headersSent) {
      response.statusCode = 400;
      response.setHeader('Content-Type', 'application/json');
      response.setHeader('Connection', 'close');
      response.end('{"error":"The request cannot be read."}');
    } else response.destroy();
  }
}

async function asFetchRequest(request: IncomingMessage): Promise<Request> {
  const method = request.method ?? 'GET';
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (value === undefined) continue;
    headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  // The authority of this URL is never used; the Host header is checked by the application.
  const url = new URL(request.url ?? '/', 'https://localhost');
  if (method === 'GET' || method === 'HEAD') return new Request(url, { method, headers });
  const body = await readUpToLimit(request);
  return new Request(url, { method, headers, ...(body.length > 0 && { body }) });
}

/**
 * The body, cut one byte past the limit: the application then refuses it as too large. Rejects when
 * the peer goes away or is too slow.
 */
function readUpToLimit(request: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const kept = new Uint8Array(BODY_BYTES_MAX + 1);
  if (Number(request.headers['content-length'] ?? 0) > BODY_BYTES_MAX) return Promise.resolve(kept);
  return new Promise((resolve, reject) => {
    let size = 0;
    const settle = (settled: () => void): void => {
      clearTimeout(timer);
      request.socket.off('end', fail);
      settled();
    };
    const end = (): void => settle(() => resolve(kept.slice(0, size)));
    const fail = (): void => settle(() => reject(new Error('the body was cut short')));
    const timer = setTimeout(fail, BODY_MS);
    request.on('data', (chunk: Buffer) => {
      const room = kept.length - size;
      kept.set(chunk.subarray(0, room), size);
      size += Math.min(room, chunk.length);
      if (size < kept.length) return;
      request.pause();
      end();
    });
    request.once('end', end);
    request.once('error', fail);
    request.once('close', fail);
    request.socket.once('end', fail);
  });
}

function peerOf(request: IncomingMessage): Peer {
  const socket = request.socket as TLSSocket;
  const certificate = socket.getPeerCertificate?.(true);
  // Without a client certificate the record is empty.
  const der = certificate && 'raw' in certificate ? certificate.raw : null;
  return { address: socket.remoteAddress ?? '', certificateDer: der ? new Uint8Array(der) : null };
}
