import { describe, expect, test } from 'bun:test';
import { seededRandom } from '../support/random.ts';
import { announceBody } from './moonlight/announce.ts';
import { hexOf } from './moonlight/bytes.ts';
import { invalidate, parityStatus, readHostMessage } from './moonlight/control-messages.ts';
import { hostsOf, readAnswers, serviceQuery } from './moonlight/discover.ts';
import { agreeEncryption, readDescription } from './moonlight/handshake.ts';
import { parseReply } from './moonlight/http.ts';
import { requestText } from './moonlight/rtsp.ts';
import { readShardHeader } from './moonlight/shard-header.ts';
import { elementBodies, elementText, rootStatus } from './moonlight/xml.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('ANNOUNCE has every attribute once, in order, a space before each end of line', () => {
  const body = announceBody(
    {
      hostAddress: '192.0.2.7',
      width: 1280,
      height: 720,
      fps: 60,
      encryption: 1,
      deviceFeatures: 3,
      packetSize: 1392,
      bitrateKbps: 10_000,
      isRemote: false,
      bitStreamFormat: 0,
      isTenBit: false,
      isFullChroma: false,
      cscMode: 2,
      slices: 1,
      referenceFrames: 1,
      channels: 2,
      isHighAudio: false,
      packetDurationMs: 5,
      wantsSealedAudio: true,
    },
    47_998,
  );
  expect(body.startsWith('v=0\r\no=android 0 14 IN IPv4 192.0.2.7\r\ns=NVIDIA')).toBe(true);
  expect(body.endsWith('t=0 0\r\nm=video 47998  \r\n')).toBe(true);
  const attributes = body.split('\r\n').filter((line) => line.startsWith('a='));
  expect(attributes).toHaveLength(37);
  expect(new Set(attributes.map((line) => line.split(':')[0])).size).toBe(37);
  expect(attributes.every((line) => /^a=[\w.[\]-]+:\d+ $/.test(line))).toBe(true);
  expect(attributes[0]).toBe('a=x-ml-general.featureFlags:3 ');
  expect(attributes).toContain('a=x-nv-vqos[0].bw.maximumBitrateKbps:8000 ');
  expect(attributes).toContain('a=x-nv-general.featureFlags:167 ');
  expect(attributes.at(-1)).toBe('a=x-nv-video[0].encoderCscMode:2 ');
});

test('an RTSP request is laid out as devices lay it out', () => {
  const headers = [['Session', 'DEADBEEFCAFE']] as const;
  const request = { method: 'PLAY', target: '/', headers };
  expect(requestText(request, 7, '0.0.0.0')).toBe(
    'PLAY / RTSP/1.0\r\nCSeq: 7\r\nX-GS-ClientVersion: 14\r\nHost: 0.0.0.0\r\nSession: DEADBEEFCAFE\r\n\r\n',
  );
});

test('a description is read by what stands in it, and encryption agreed from it', () => {
  const description = readDescription(
    'a=x-ss-general.featureFlags:3\na=x-ss-general.encryptionSupported:7\n' +
      'a=x-ss-general.encryptionRequested:1\na=x-nv-video[0].refPicInvalidation:1\n' +
      'a=fmtp:97 surround-params=642012453\na=fmtp:97 surround-params=660012345\n',
  );
  expect(description).toMatchObject({ canInvalidate: true, hasHevc: false, hasAv1: false });
  expect(description.surroundParams).toEqual(['642012453', '660012345']);
  expect(agreeEncryption(description, 0)).toBe(1);
  expect(agreeEncryption(description, 6)).toBe(7);
  expect(agreeEncryption({ ...description, encryptionSupported: 1 }, 6)).toBe(1);
});

test('control messages with numbers lie where the wire wants them', () => {
  expect(hexOf(invalidate(100, 101))).toBe(
    '01031800640000000000000065000000000000000000000000000000',
  );
  const status = {
    frameIndex: 1,
    highestSequence: 2,
    nextContiguousSequence: 3,
    missingBeforeHighest: 4,
    dataShards: 5,
    parityShards: 6,
    receivedData: 7,
    receivedParity: 8,
    percentField: 20,
    blockIndex: 0,
    blockCount: 1,
  };
  expect(hexOf(parityStatus(status))).toBe(
    '02551500' + '00000001' + '0002000300040005000600070008' + '140001',
  );
});

describe('documents', () => {
  test('are read by the first element of a name, with entities', () => {
    const xml =
      '<?xml version="1.0" encoding="utf-8"?>\n<root status_code="400" status_message="a &amp; b">' +
      '<App><AppTitle>x &lt; y</AppTitle><ID>1</ID></App><App><ID>2</ID></App></root>';
    expect(rootStatus(xml)).toEqual({ code: 400, message: 'a & b' });
    expect(elementText(xml, 'AppTitle')).toBe('x < y');
    expect(elementText(xml, 'apptitle')).toBeNull();
    expect(elementBodies(xml, 'App')).toHaveLength(2);
  });

  test('an HTTP reply counts as whole only with the body its length names', () => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n';
    expect(parseReply(bytes(`${head}bod`))).toBeNull();
    expect(parseReply(bytes(`${head}body`))?.body).toEqual(bytes('body'));
    expect(parseReply(bytes('HTTP/1.1 200 OK\r\n\r\nbody'))).toBeNull();
  });
});

describe('finding hosts', () => {
  /** A PTR, SRV and A record in one response, names compressed. */
  const response = Uint8Array.from([
    ...[0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 2],
    ...[9, ...bytes('_nvstream'), 4, ...bytes('_tcp'), 5, ...bytes('local'), 0],
    ...[0, 12, 0, 1, 0, 0, 0, 9, 0, 7, 4, ...bytes('game'), 0xc0, 12],
    ...[0xc0, 44, 0, 33, 0, 1, 0, 0, 0, 9, 0, 13, 0, 0, 0, 0, 0xbb, 0x75, 4, ...bytes('host')],
    ...[0xc0, 27, 0xc0, 69, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 9],
  ]);

  test('a complete answer names instance, port and address', () => {
    expect(hostsOf(readAnswers(response) ?? [])).toEqual([
      {
        instance: 'game._nvstream._tcp.local',
        target: 'host.local',
        port: 47989,
        addresses: ['192.0.2.9'],
      },
    ]);
  });

  test('the question asks for the service of GameStream hosts', () => {
    const head = '000000000001000000000000';
    expect(hexOf(serviceQuery())).toBe(
      `${head}095f6e7673747265616d045f746370056c6f63616c00000c0001`,
    );
  });
});

test('random bytes raise nothing in any reader of the device', () => {
  const random = seededRandom('device readers');
  for (let round = 0; round < 20_000; round += 1) {
    const noise = random.bytes(random.int(0, 96));
    readAnswers(noise);
    readHostMessage(noise);
    readShardHeader(noise);
    parseReply(noise);
  }
  expect(readHostMessage(new Uint8Array())).toBeNull();
});
