import { describe, expect, test } from 'bun:test';
import { RtspCollector } from '../../../src/gamestream/rtsp-collector.ts';
import {
  parseRtspRequest,
  RTSP_REQUEST_BYTES_MAX,
  serializeRtspResponse,
} from '../../../src/gamestream/rtsp-message.ts';
import { openRtsp, sealRtsp } from '../../../src/gamestream/rtsp-seal.ts';
import vectors from '../../fixtures/gamestream-crypto.json' with { type: 'json' };
import { seededRandom } from '../../support/random.ts';
import { DEVICE_ADDRESS, deviceRequests, RtspRig } from './rtsp-rig.ts';

const FUZZ_COUNT = 100_000;
const key = Buffer.from(vectors.rikey, 'hex');
const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1');

describe('sealed RTSP', () => {
  test.each(vectors.rtsp)('vector $iv seals and opens byte for byte', (vector) => {
    const sender = vector.iv.endsWith('4352') ? 'client' : 'host';
    const plaintext = bytesOf(vector.plaintext);

    const wire = sealRtsp(key, sender, vector.sequence, plaintext);

    expect(Buffer.from(wire).toString('hex')).toBe(vector.wire);
    expect(openRtsp(key, sender, Buffer.from(vector.wire, 'hex'))).toEqual(Buffer.from(plaintext));
    expect(openRtsp(key, sender === 'client' ? 'host' : 'client', wire)).toBeNull();
  });

  test('every cut and every flipped byte is refused', () => {
    const wire = Buffer.from(vectors.rtsp[0]?.wire ?? '', 'hex');

    for (let length = 0; length < wire.length; length += 1) {
      expect(openRtsp(key, 'client', wire.subarray(0, length))).toBeNull();
    }
    for (let index = 0; index < wire.length; index += 1) {
      const damaged = Buffer.from(wire);
      damaged[index] = (damaged[index] ?? 0) ^ 0x41;
      expect(openRtsp(key, 'client', damaged)).toBeNull();
    }
    expect(openRtsp(key, 'client', Buffer.concat([wire, Buffer.alloc(1)]))).toBeNull();
  });
});

describe('parseRtspRequest', () => {
  test('a request is read with its headers in lower case and its body', () => {
    const parsed = parseRtspRequest(
      bytesOf(
        'ANNOUNCE streamid=control/13/0 RTSP/1.0\r\nCSeq: 6\r\nContent-length: 3\r\n\r\nabcdef',
      ),
    );

    expect(parsed).toEqual({
      kind: 'request',
      request: {
        method: 'ANNOUNCE',
        target: 'streamid=control/13/0',
        cseq: 6,
        headers: new Map([
          ['cseq', '6'],
          ['content-length', '3'],
        ]),
        body: 'abc',
      },
    });
  });

  test.each([
    ['nothing', '', 'incomplete'],
    ['a blank line', '\r\n\r\n', 'malformed'],
    ['no version', 'OPTIONS x\r\nCSeq: 1\r\n\r\n', 'malformed'],
    ['a lower-case method', 'options x RTSP/1.0\r\nCSeq: 1\r\n\r\n', 'malformed'],
    ['a header without colon', 'OPTIONS x RTSP/1.0\r\nCSeq\r\n\r\n', 'malformed'],
    ['a negative length', 'OPTIONS x RTSP/1.0\r\nContent-length: -1\r\n\r\n', 'malformed'],
    ['a missing body', 'OPTIONS x RTSP/1.0\r\nContent-length: 5\r\n\r\nabcd', 'incomplete'],
    ['a body of 16 KiB', 'OPTIONS x RTSP/1.0\r\nContent-length: 16384\r\n\r\n', 'malformed'],
  ])('%s is %p', (_name, text, kind) => {
    expect(parseRtspRequest(bytesOf(text)).kind).toBe(kind as 'incomplete');
  });

  test('65 header lines are too many, 64 are not', () => {
    const lines = (count: number): string =>
      Array.from({ length: count }, (_, index) => `h${index}: x\r\n`).join('');

    expect(parseRtspRequest(bytesOf(`OPTIONS x RTSP/1.0\r\n${lines(64)}\r\n`)).kind).toBe(
      'request',
    );
    expect(parseRtspRequest(bytesOf(`OPTIONS x RTSP/1.0\r\n${lines(65)}\r\n`)).kind).toBe(
      'malformed',
    );
  });
});

describe('serializeRtspResponse', () => {
  test('status, reason, CSeq, headers and body follow each other as clients need them', () => {
    const bytes = serializeRtspResponse({
      status: 455,
      cseq: 9,
      headers: [['Session', 'A;timeout = 90']],
      body: 'x',
    });

    expect(Buffer.from(bytes).toString()).toBe(
      'RTSP/1.0 455 Method Not Valid in This State\r\nCSeq: 9\r\nSession: A;timeout = 90\r\n\r\nx',
    );
    expect(Buffer.from(serializeRtspResponse({ status: 499, cseq: 0 })).toString()).toBe(
      'RTSP/1.0 499 Error\r\nCSeq: 0\r\n\r\n',
    );
  });
});

describe('RtspCollector', () => {
  test.each([1, 2, 7, 100])('a request in pieces of %d bytes is found whole', (pieceBytes) => {
    for (const text of deviceRequests()) {
      const bytes = bytesOf(text);
      const sealed = sealRtsp(key, 'client', 1, bytes);

      expect(collect(bytes, pieceBytes)).toMatchObject({ kind: 'plain' });
      expect(collect(sealed, pieceBytes)).toEqual({ kind: 'sealed', wire: sealed });
    }
  });

  test('16 KiB without a blank line, and sealed lengths above 16 KiB, are refused', () => {
    const endless = collect(new Uint8Array(RTSP_REQUEST_BYTES_MAX).fill(65), 1000);
    const early = new RtspCollector().push(new Uint8Array(RTSP_REQUEST_BYTES_MAX - 1).fill(65));
    const sealed = new RtspCollector().push(Uint8Array.from([0x80, 0, 0x40, 1]));
    const huge = new RtspCollector().push(new Uint8Array(5_000_000).fill(65));

    expect(endless).toMatchObject({ kind: 'refused', status: 413, isSealed: false });
    expect(early.kind).toBe('more');
    expect(sealed).toMatchObject({ kind: 'refused', isSealed: true });
    expect(huge.kind).toBe('refused');
  });

  test('an empty piece asks for more', () => {
    expect(new RtspCollector().push(new Uint8Array()).kind).toBe('more');
  });
});

describe('hostile connections', () => {
  test(`${FUZZ_COUNT} damaged exchanges raise nothing and start nothing`, async () => {
    const random = seededRandom('RTSP');
    const rig = new RtspRig();
    const requests = deviceRequests().map(bytesOf);
    let launch = rig.launch(true);
    rig.launch(false, {}, 'plain');
    const memoryBefore = process.memoryUsage().heapUsed;
    for (let index = 0; index < FUZZ_COUNT; index += 1) {
      rig.nowMs += 0.1;
      if (!rig.launches.get(launch.launchId)) launch = rig.launch(true);
      const collector = new RtspCollector();
      const collected = collector.push(fuzzBytes(index));
      if (collected.kind === 'more') {
        if (collector.length > RTSP_REQUEST_BYTES_MAX + 24) throw new Error('grown');
        continue;
      }
      await rig.service.answer(collected, DEVICE_ADDRESS);
    }

    expect(rig.launches.size).toBeLessThanOrEqual(2);
    expect(rig.service.counters.malformed).toBeGreaterThan(100);
    expect(rig.service.counters.unauthentic).toBeGreaterThan(100);
    expect(process.memoryUsage().heapUsed - memoryBefore).toBeLessThan(64 * 1024 * 1024);

    function fuzzBytes(index: number): Uint8Array {
      if (index % 4 === 0) return random.bytes(Math.min(index >> 8, random.int(0, 400)));
      const request = requests[random.int(0, requests.length - 1)] ?? new Uint8Array();
      let bytes: Uint8Array = Uint8Array.from(request);
      if (index % 4 !== 1) bytes = damaged(bytes);
      if (index % 4 === 3) {
        // Sealed with the right key around damaged text, or damaged after sealing.
        const sealed = sealRtsp(launch.request.key, 'client', random.int(1, 1000), bytes);
        bytes = random.int(0, 1) === 0 ? sealed : damaged(Uint8Array.from(sealed));
      }
      return bytes;
    }

    function damaged(bytes: Uint8Array): Uint8Array {
      for (let damage = random.int(1, 4); damage > 0 && bytes.length > 0; damage -= 1) {
        bytes[random.int(0, bytes.length - 1)] = random.int(0, 255);
      }
      return bytes.subarray(0, random.int(0, 5) === 0 ? random.int(0, bytes.length) : undefined);
    }
  }, 30_000);
});

function collect(bytes: Uint8Array, pieceBytes: number): ReturnType<RtspCollector['push']> {
  const collector = new RtspCollector();
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const collected = collector.push(bytes.subarray(at, at + pieceBytes));
    if (collected.kind !== 'more') {
      expect(at + pieceBytes).toBeGreaterThanOrEqual(bytes.length);
      return collected;
    }
  }
  return { kind: 'more' };
}
