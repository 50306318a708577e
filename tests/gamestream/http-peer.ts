/** A plain peer for nvhttp tests: one GET with Bun's fetch, with or without a certificate. */
import type { DeviceCredentials, HttpFixture } from './http-fixture.ts';

export interface HttpReply {
  readonly httpStatus: number;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Uint8Array;
}

export async function get(
  fixture: HttpFixture,
  path: string,
  options: { tls?: boolean; device?: DeviceCredentials; signal?: AbortSignal } = {},
): Promise<HttpReply> {
  const { server } = fixture;
  const isTls = options.tls ?? options.device !== undefined;
  const origin = isTls
    ? `https://127.0.0.1:${server.httpsPort}`
    : `http://127.0.0.1:${server.httpPort}`;
  const credentials = options.device
    ? { cert: options.device.certificatePem, key: options.device.keyPem }
    : {};
  const response = await fetch(origin + path, {
    keepalive: false,
    ...(options.signal ? { signal: options.signal } : {}),
    ...(isTls ? { tls: { rejectUnauthorized: false, ...credentials } } : {}),
  });
  const body = new Uint8Array(await response.arrayBuffer());
  const text = new TextDecoder().decode(body);
  return {
    httpStatus: response.status,
    status: Number(/status_code="(\d+)"/.exec(text)?.[1] ?? Number.NaN),
    headers: response.headers,
    text,
    body,
  };
}

/**
 * Sends `bytes` on a bare TCP connection and returns what comes back until it is closed; with
 * `hangUpAfterMs` the sender closes it then.
 */
export async function exchange(
  port: number,
  bytes: string | Uint8Array,
  hangUpAfterMs?: number,
): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const chunks: Uint8Array[] = [];
  const decoder = new TextDecoder();
  await Bun.connect({
    hostname: '127.0.0.1',
    port,
    socket: {
      binaryType: 'uint8array',
      open: (socket) => {
        if (bytes.length > 0) socket.write(bytes);
        else socket.end();
        if (hangUpAfterMs !== undefined) setTimeout(() => socket.end(), hangUpAfterMs);
      },
      data: (_socket, chunk) => {
        chunks.push(Uint8Array.from(chunk));
      },
      close: () => resolve(decoder.decode(Buffer.concat(chunks))),
      error: () => resolve('error'),
    },
  });
  return promise;
}
