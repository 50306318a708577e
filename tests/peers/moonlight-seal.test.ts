import { describe, expect, test } from 'bun:test';
import vectors from '../fixtures/gamestream-crypto.json';
import { openAudioPayload } from './moonlight/audio.ts';
import { bytesOfHex, hexOf } from './moonlight/bytes.ts';
import { controlMessage, readHostMessage } from './moonlight/control-messages.ts';
import { openControl, sealControl } from './moonlight/control-seal.ts';
import { parseRtspReply } from './moonlight/rtsp.ts';
import { openRtspReply, sealRtspMessage } from './moonlight/rtsp-seal.ts';
import { openVideoDatagram, readShardHeader } from './moonlight/shard-header.ts';

const bytes = (hex: string): Uint8Array => bytesOfHex(hex) ?? new Uint8Array();
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const key = bytes(vectors.rikey);

describe('sealed RTSP', () => {
  const [request, reply] = vectors.rtsp;

  test('a request carries the recorded bytes', () => {
    const sealed = sealRtspMessage(key, request?.sequence ?? 0, text(request?.plaintext ?? ''));
    expect(hexOf(sealed)).toBe(request?.wire ?? '');
  });

  test('the recorded reply opens; cut, longer or altered it does not', () => {
    const wire = bytes(reply?.wire ?? '');
    const opened = openRtspReply(key, wire);
    expect(opened?.sequence).toBe(1);
    expect(new TextDecoder().decode(opened?.plain)).toBe(reply?.plaintext ?? '');
    expect(parseRtspReply(opened?.plain ?? new Uint8Array())?.status).toBe(200);
    for (let length = 0; length < wire.length; length += 1) {
      expect(openRtspReply(key, wire.subarray(0, length))).toBeNull();
    }
    expect(openRtspReply(key, Uint8Array.from([...wire, 0]))).toBeNull();
    expect(
      openRtspReply(
        key,
        wire.map((byte, at) => (at === 30 ? byte ^ 1 : byte)),
      ),
    ).toBeNull();
  });

  test('replies that devices cannot read are not read', () => {
    const good = 'RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\nbody';
    expect(parseRtspReply(text(good))).toMatchObject({ status: 200, body: 'body' });
    const bad = [
      '',
      'RTSP/1.0 200 OK\r\n\r\n',
      'RTSP/1.0 200\r\nCSeq: 1\r\n\r\n',
      'RTSP/1.0 200 OK\r\nCSeq:1\r\n\r\n',
      'RTSP/1.0 200 OK\r\nCSeq: 1\r\n',
    ];
    for (const wire of bad) expect(parseRtspReply(text(wire))).toBeNull();
  });
});

describe('sealed control messages', () => {
  const forms = [
    ['v2', vectors.controlV2],
    ['legacy', vectors.controlLegacy],
  ] as const;

  for (const [form, sides] of forms) {
    test(`${form}: what the device sends carries the recorded bytes`, () => {
      for (const message of sides.clientToHost) {
        const plain = controlMessage(Number(message.type), bytes(message.payload));
        expect(hexOf(plain)).toBe(message.plaintext);
        expect(hexOf(sealControl(key, form, 'C', message.sequence, plain))).toBe(message.wire);
      }
    });

    test(`${form}: what the host sends opens, and altered it does not`, () => {
      for (const message of sides.hostToClient) {
        const wire = bytes(message.wire);
        const opened = openControl(key, form, 'H', wire);
        if (typeof opened === 'string') throw new Error(opened);
        expect(hexOf(opened.plain)).toBe(message.plaintext);
        const altered = wire.map((byte, at) => (at === wire.length - 1 ? byte ^ 1 : byte));
        expect(openControl(key, form, 'H', altered)).toBe('bad-tag');
        for (let length = 0; length < wire.length; length += 1) {
          expect(typeof openControl(key, form, 'H', wire.subarray(0, length))).toBe('string');
        }
      }
    });
  }

  test('the recorded host messages mean what they mean', () => {
    const meanings = vectors.controlV2.hostToClient.map((message) =>
      readHostMessage(bytes(message.plaintext)),
    );
    expect(meanings[0]).toEqual({ kind: 'termination', code: 0x80030023 });
    expect(meanings[1]).toEqual({ kind: 'rumble', pad: 0, low: 0x1111, high: 0x2222 });
    expect(meanings[2]).toMatchObject({ kind: 'hdr', isOn: true });
    expect(meanings[2]?.kind === 'hdr' && meanings[2].values[8]).toBe(1000);
  });
});

describe('sealed media', () => {
  test('the recorded video datagram opens to the recorded plain one', () => {
    const wire = bytes(vectors.video.wire);
    const plain = openVideoDatagram(key, wire);
    expect(hexOf(plain ?? new Uint8Array())).toBe(vectors.video.plaintext);
    expect(readShardHeader(plain ?? new Uint8Array())).toMatchObject({
      frameIndex: vectors.video.frame,
      dataShards: 4,
      parityShards: 2,
      shard: 0,
    });
    expect(
      openVideoDatagram(
        key,
        wire.map((byte, at) => (at === 40 ? byte ^ 1 : byte)),
      ),
    ).toBeNull();
    expect(openVideoDatagram(key, wire.subarray(0, 32))).toBeNull();
  });

  test('the recorded audio payloads open, with a negative key id too', () => {
    for (const { rikeyid, rtpSequence, plaintext, ciphertext } of vectors.audio.cases) {
      const opened = openAudioPayload(key, rikeyid, rtpSequence, bytes(ciphertext));
      expect(hexOf(opened ?? new Uint8Array())).toBe(plaintext);
      expect(openAudioPayload(key, rikeyid, rtpSequence, bytes(ciphertext).subarray(1))).toBeNull();
    }
  });
});
