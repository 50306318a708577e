/**
 * The device's RTSP: one TCP connection per request, read to its end, plain or sealed; and the
 * reading of replies as picky as the devices' own (GameStream §4.1–4.3).
 */
import { connect } from 'node:net';
import { concatBytes } from './bytes.ts';
import { openRtspReply, sealRtspMessage } from './rtsp-seal.ts';

const REPLY_TIMEOUT_MS = 15_000;
const REPLY_BYTES_MAX = 1024 * 1024;

export interface RtspReply {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export interface RtspRequest {
  readonly method: string;
  readonly target: string;
  /** In wire order, after CSeq, X-GS-ClientVersion and Host. */
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string;
}

export interface RtspOptions {
  readonly address: string;
  readonly port: number;
  /** Key of the launch; null talks in plain text. */
  readonly key: Uint8Array | null;
  /** What stands in `Host` and the URL: `0.0.0.0` asks for normal audio quality (§4.4). */
  readonly hostName: string;
}

export class RtspFailure extends Error {
  readonly reason: 'timeout' | 'connection' | 'malformed' | 'unsealed' | 'replayed';
  constructor(reason: RtspFailure['reason'], text: string) {
    super(text);
    this.name = 'RtspFailure';
    this.reason = reason;
  }
}

export class RtspClient {
  readonly options: RtspOptions;
  #sequence = 0;
  #hostSequence = 0;

  constructor(options: RtspOptions) {
    this.options = options;
  }

  get url(): string {
    const scheme = this.options.key ? 'rtspenc' : 'rtsp';
    return `${scheme}://${this.options.hostName}:${this.options.port}`;
  }

  async request(request: RtspRequest): Promise<RtspReply> {
    this.#sequence += 1;
    const text = requestText(request, this.#sequence, this.options.hostName);
    const plain = new TextEncoder().encode(text);
    const { key } = this.options;
    const wire = key ? sealRtspMessage(key, this.#sequence, plain) : plain;
    const received = await exchange(this.options, wire);
    const reply = parseRtspReply(key ? this.#open(key, received) : received);
    if (!reply) {
      throw new RtspFailure('malformed', `${request.method}: reply devices cannot read`);
    }
    if (reply.headers.get('CSeq') !== String(this.#sequence)) {
      throw new RtspFailure('malformed', `${request.method}: the reply answers another CSeq`);
    }
    return reply;
  }

  #open(key: Uint8Array, wire: Uint8Array): Uint8Array {
    const opened = openRtspReply(key, wire);
    if (!opened) throw new RtspFailure('unsealed', 'the reply is not one whole sealed message');
    if (opened.sequence <= this.#hostSequence) {
      throw new RtspFailure('replayed', `host sequence ${opened.sequence} was used before`);
    }
    this.#hostSequence = opened.sequence;
    return opened.plain;
  }
}

export function requestText(request: RtspRequest, sequence: number, hostName: string): string {
  const headers: (readonly [string, string])[] = [
    ['CSeq', String(sequence)],
    ['X-GS-ClientVersion', '14'],
    ['Host', hostName],
    ...(request.headers ?? []),
  ];
  const head = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `${request.method} ${request.target} RTSP/1.0\r\n${head}\r\n${request.body ?? ''}`;
}

/** Sends `wire` in small writes and reads until the host closes. */
export function exchange(
  where: { readonly address: string; readonly port: number },
  wire: Uint8Array,
  timeoutMs = REPLY_TIMEOUT_MS,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const received: Uint8Array[] = [];
    let receivedBytes = 0;
    const fail = (reason: RtspFailure['reason'], text: string): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new RtspFailure(reason, text));
    };
    const timer = setTimeout(
      () => fail('timeout', `the host did not answer and close within ${timeoutMs} ms`),
      timeoutMs,
    );
    const socket = connect({ host: where.address, port: where.port }, () => {
      socket.setNoDelay(true);
      const cut = Math.min(wire.length, 24);
      socket.write(wire.subarray(0, cut));
      if (cut < wire.length) socket.write(wire.subarray(cut));
    });
    socket.on('data', (chunk: Uint8Array) => {
      receivedBytes += chunk.length;
      if (receivedBytes > REPLY_BYTES_MAX) return fail('malformed', 'the reply has no end');
      received.push(Uint8Array.from(chunk));
    });
    socket.on('error', (error: Error) => fail('connection', error.message));
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(concatBytes(...received));
    });
  });
}

/** Devices need a reason phrase, at least one header, and one space after each colon. */
export function parseRtspReply(bytes: Uint8Array): RtspReply | null {
  const text = new TextDecoder('latin1').decode(bytes);
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const [statusLine = '', ...lines] = text.slice(0, headEnd).split('\r\n');
  const status = /^RTSP\/1\.0 (\d{3}) \S/.exec(statusLine)?.[1];
  if (!status || lines.length === 0) return null;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const found = /^([^:\s]+): (\S.*)$/.exec(line);
    if (!found?.[1] || found[2] === undefined) return null;
    headers.set(found[1], found[2]);
  }
  return { status: Number(status), headers, body: text.slice(headEnd + 4) };
}
