/**
 * The RTSP listener: one request per connection, the reply, a graceful close. A connection that
 * carries no bytes is a reachability test and leaves no trace.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { normaliseAddress } from '../net/interfaces.ts';
import { RtspAdmission } from './rtsp-admission.ts';
import { RtspCollector } from './rtsp-collector.ts';
import type { RtspHost } from './rtsp-host.ts';
import { type RtspNotice, RtspService } from './rtsp-service.ts';

/** From accept to the whole request. */
const REQUEST_TIMEOUT_MS = 10_000;
/** From the reply to the peer's own end of stream. */
const CLOSE_TIMEOUT_MS = 3_000;

export interface RtspServerOptions {
  readonly bindAddress: string;
  /** 0: the system chooses. */
  readonly port: number;
  readonly host: RtspHost;
  readonly nowMs: () => number;
  readonly notice: (notice: RtspNotice) => void;
}

export interface RtspServer {
  readonly port: number;
  readonly service: RtspService;
  readonly admission: RtspAdmission;
  close(): Promise<void>;
}

/** Listens; rejects with the system's error (EADDRINUSE, EACCES) when the port cannot be had. */
export async function listenRtsp(options: RtspServerOptions): Promise<RtspServer> {
  const service = new RtspService(options.host, options.nowMs, options.notice);
  const admission = new RtspAdmission();
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const address = normaliseAddress(socket.remoteAddress ?? '');
    const hasLaunch = options.host.launches.knowsAddress(address, options.nowMs());
    // The error handler comes first: a peer may be gone before anything else happens.
    socket.on('error', () => socket.destroy());
    if (!admission.enter(address, hasLaunch)) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      admission.leave(address);
    });
    serve(socket, address, service);
  });
  await listening(server, options.port, options.bindAddress);
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound ? bound.port : options.port,
    service,
    admission,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function serve(socket: Socket, address: string, service: RtspService): void {
  const collector = new RtspCollector();
  let isCollecting = true;
  let timer = setTimeout(() => socket.destroy(), REQUEST_TIMEOUT_MS);
  socket.once('close', () => clearTimeout(timer));

  const finish = (reply: Uint8Array | null): void => {
    if (socket.destroyed) return;
    clearTimeout(timer);
    timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS);
    if (reply === null) socket.end();
    else socket.end(reply);
  };
  socket.on('data', (piece: Buffer) => {
    // Bytes behind the request are read and dropped: closing over unread bytes would reset the
    // connection and take the reply with it.
    if (!isCollecting) return;
    const collected = collector.push(piece);
    if (collected.kind === 'more') return;
    isCollecting = false;
    clearTimeout(timer);
    void service.answer(collected, address).then(finish, () => socket.destroy());
  });
  socket.once('end', () => {
    if (isCollecting) finish(null);
    isCollecting = false;
  });
}

function listening(server: Server, port: number, bindAddress: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: bindAddress }, () => {
      server.off('error', reject);
      server.on('error', () => {
        // Accept errors (too many open files) pass; the next connection is tried again.
      });
      resolve();
    });
  });
}
