/**
 * The loopback client of the management API. It speaks HTTP/1.1 over a TLS connection whose
 * certificate it compares with the one the host announced, before the first byte (and so the token)
 * is sent: a program that squats on the port learns nothing.
 */
import { createHash } from 'node:crypto';
import { connect, type TLSSocket } from 'node:tls';
import type { Endpoint } from '../../mgmt/endpoint-file.ts';

export interface ApiTarget {
  readonly endpoint: Endpoint;
  readonly token: string;
}

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below `/api/v1`, already escaped. */
  readonly path: string;
  readonly body?: unknown;
}

export type ApiAnswer =
  | { readonly kind: 'reply'; readonly status: number; readonly body: unknown }
  | { readonly kind: 'no-host'; readonly detail: string }
  | { readonly kind: 'wrong-certificate' };

/** Longer than the host waits for a PIN's result. */
const ANSWER_MS = 20_000;
const CONNECT_MS = 5000;
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;

/** Sends one request; never rejects. */
export async function callApi(target: ApiTarget, request: ApiRequest): Promise<ApiAnswer> {
  const opened = await openPinned(target.endpoint);
  if (!('socket' in opened)) return opened;
  try {
    opened.socket.write(requestText(target, request));
    return parseAnswer(await readToEnd(opened.socket));
  } catch (error) {
    return { kind: 'no-host', detail: (error as Error).message };
  } finally {
    opened.socket.destroy();
  }
}

/** Connects and checks the certificate; nothing has been sent when this resolves. */
function openPinned(endpoint: Endpoint): Promise<{ socket: TLSSocket } | ApiAnswer> {
  return new Promise((resolve) => {
    const socket = connect({
      host: endpoint.address,
      port: endpoint.port,
      // The certificate is self-signed; the fingerprint below is the check.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
    });
    const fail = (detail: string): void => {
      socket.destroy();
      resolve({ kind: 'no-host', detail });
    };
    const timer = setTimeout(() => fail('it did not answer in time'), CONNECT_MS);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      fail(error.code ?? error.message);
    });
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      const der = socket.getPeerCertificate(true).raw;
      const shown = der ? createHash('sha256').update(der).digest('hex') : '';
      if (shown === endpoint.certificateSha256) {
        resolve({ socket });
        return;
      }
      socket.destroy();
      resolve({ kind: 'wrong-certificate' });
    });
  });
}

function requestText({ endpoint, token }: ApiTarget, { method, path, body }: ApiRequest): string {
  const host = endpoint.address.includes(':') ? `[${endpoint.address}]` : endpoint.address;
  const content = body === undefined ? '' : JSON.stringify(body);
  return [
    `${method} /api/v1${path} HTTP/1.1`,
    `Host: ${host}:${endpoint.port}`,
    `Authorization: Bearer ${token}`,
    'Accept: application/json',
    'Connection: close',
    ...(body === undefined ? [] : ['Content-Type: application/json']),
    `Content-Length: ${Buffer.byteLength(content)}`,
    '',
    content,
  ].join('\r\n');
}

function readToEnd(socket: TLSSocket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => reject(new Error('it did not answer in time')), ANSWER_MS);
    const end = (): void => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks));
    };
    socket.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= ANSWER_BYTES_MAX) chunks.push(chunk);
      else socket.destroy(new Error('its answer is too large'));
    });
    socket.on('end', end);
    socket.on('close', end);
    socket.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

function parseAnswer(bytes: Buffer): ApiAnswer {
  const headEnd = bytes.indexOf('\r\n\r\n');
  const head = bytes.subarray(0, Math.max(0, headEnd)).toString('latin1');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
  if (status === 0) return { kind: 'no-host', detail: 'its answer is not HTTP' };
  const content = bytes.subarray(headEnd + 4);
  const announced = Number(/^content-length:\s*(\d+)\s*$/im.exec(head)?.[1] ?? 0);
  if (content.length < announced) return { kind: 'no-host', detail: 'its answer was cut short' };
  if (announced === 0) return { kind: 'reply', status, body: null };
  try {
    return { kind: 'reply', status, body: JSON.parse(content.toString('utf8')) };
  } catch {
    return { kind: 'no-host', detail: 'its answer is not JSON' };
  }
}
