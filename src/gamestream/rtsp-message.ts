/**
 * RTSP text as GameStream clients speak it: one request per connection, one reply, then the end.
 *
 * Requests are bounded and arrive in small pieces; replies follow what the client's parser insists
 * on: a reason phrase, at least one header, exactly one space after each colon.
 * Source: GameStream §4.1, §4.3.
 */

/** Header and body of one request; the longest seen from current clients is below 4 KiB. */
export const RTSP_REQUEST_BYTES_MAX = 16 * 1024;
const HEADER_LINES_MAX = 64;

export interface RtspRequest {
  readonly method: string;
  readonly target: string;
  readonly cseq: number;
  /** Names in lower case; the first of equal names wins. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export interface RtspResponse {
  readonly status: number;
  readonly cseq: number;
  /** Written after CSeq, in this order and this case. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
}

export type RtspParse =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'request'; readonly request: RtspRequest }
  | {
      readonly kind: 'malformed';
      readonly status: 400 | 413;
      readonly cseq: number;
      readonly reason: string;
    };

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  413: 'Request Entity Too Large',
  454: 'Session Not Found',
  455: 'Method Not Valid in This State',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

const latin1 = new TextDecoder('latin1');

/** Offset just behind the blank line that ends the header, or -1; looks from `fromOffset` on. */
export function findHeaderEnd(bytes: Uint8Array, fromOffset: number): number {
  for (let at = Math.max(0, fromOffset); at + 3 < bytes.length; at += 1) {
    if (bytes[at] === 13 && bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) {
      return at + 4;
    }
  }
  return -1;
}

/** Reads one request from the bytes received so far. Bytes behind the body are ignored. */
export function parseRtspRequest(bytes: Uint8Array): RtspParse {
  const headerEnd = findHeaderEnd(bytes, 0);
  if (headerEnd < 0) {
    if (bytes.length < RTSP_REQUEST_BYTES_MAX) return { kind: 'incomplete' };
    return malformed(413, 0, 'the header does not end');
  }
  const lines = latin1.decode(bytes.subarray(0, headerEnd - 4)).split('\r\n');
  const headers = parseHeaders(lines);
  if (headers === null)
    return malformed(400, 0, 'a header line has no colon or there are too many');
  const cseq = parseCount(headers.get('cseq'), 0x7fffffff) ?? 0;

  const start = /^([A-Z]{1,16}) ([^ ]{1,512}) RTSP\/1\.\d$/.exec(lines[0] ?? '');
  if (!start) return malformed(400, cseq, 'the request line is not METHOD target RTSP/1.0');
  const lengthText = headers.get('content-length');
  const bodyBytes = lengthText === undefined ? 0 : parseCount(lengthText, Number.MAX_SAFE_INTEGER);
  if (bodyBytes === null) return malformed(400, cseq, 'Content-length is not a number');
  if (headerEnd + bodyBytes > RTSP_REQUEST_BYTES_MAX) {
    return malformed(413, cseq, 'the request is longer than 16 KiB');
  }
  if (bytes.length < headerEnd + bodyBytes) return { kind: 'incomplete' };
  return {
    kind: 'request',
    request: {
      method: start[1] ?? '',
      target: start[2] ?? '',
      cseq,
      headers,
      body: latin1.decode(bytes.subarray(headerEnd, headerEnd + bodyBytes)),
    },
  };
}

/** Reply as it goes on the wire. No Content-length: the client reads to the end of the stream. */
export function serializeRtspResponse(response: RtspResponse): Uint8Array {
  const reason = REASONS[response.status] ?? 'Error';
  let text = `RTSP/1.0 ${response.status} ${reason}\r\nCSeq: ${response.cseq}\r\n`;
  for (const [name, value] of response.headers ?? []) text += `${name}: ${value}\r\n`;
  return new TextEncoder().encode(`${text}\r\n${response.body ?? ''}`);
}

function parseHeaders(lines: readonly string[]): Map<string, string> | null {
  if (lines.length > HEADER_LINES_MAX + 1) return null;
  const headers = new Map<string, string>();
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(':');
    if (colon <= 0) return null;
    const name = line.slice(0, colon).trim().toLowerCase();
    if (!headers.has(name)) headers.set(name, line.slice(colon + 1).trim());
  }
  return headers;
}

function parseCount(text: string | undefined, max: number): number | null {
  if (text === undefined || !/^\d{1,15}$/.test(text)) return null;
  const value = Number(text);
  return value <= max ? value : null;
}

function malformed(status: 400 | 413, cseq: number, reason: string): RtspParse {
  return { kind: 'malformed', status, cseq, reason };
}
