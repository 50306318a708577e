import { describe, expect, test } from 'bun:test';
import { type Announce, parseAnnounce } from '../../../src/gamestream/announce.ts';
import {
  type AnnounceFacts,
  announceToOffer,
  encoderBitrateKbps,
} from '../../../src/gamestream/announce-offer.ts';
import { seededRandom } from '../../support/random.ts';
import { ANNOUNCE_DEFAULTS, announceText } from './announce-text.ts';

const FUZZ_COUNT = 100_000;
const H264_HEVC_AV1 = 0x10101;

describe('parseAnnounce', () => {
  test('a current client’s body becomes the record it describes', () => {
    expect(parse({})).toEqual({
      width: 1280,
      height: 720,
      maxFps: 60,
      packetSizeBytes: 1392,
      maximumBitrateKbps: 8000,
      slicesPerFrame: 1,
      maxReferenceFrames: 0,
      audioChannels: 2,
      audioChannelMask: 3,
      audioQuality: 0,
      mlFeatureFlags: 3,
      encryptionEnabled: 1,
      chromaSamplingType: 0,
      configuredBitrateKbps: 10_000,
      videoQosType: 5,
      audioQosType: 4,
      nvFeatureFlags: 135,
      reliableUdpMode: 13,
      minParityShards: 2,
      bitStreamFormat: 0,
      dynamicRangeMode: 0,
      refreshX100: 0,
      audioPacketDurationMs: 5,
      encoderCscMode: 0,
      intraRefresh: 0,
    });
  });

  test('absent optional attributes take their defaults', () => {
    const mandatory = [
      'x-nv-video[0].clientViewportWd',
      'x-nv-video[0].clientViewportHt',
      'x-nv-video[0].maxFPS',
      'x-nv-video[0].packetSize',
      'x-nv-vqos[0].bw.maximumBitrateKbps',
      'x-nv-video[0].videoEncoderSlicesPerFrame',
      'x-nv-video[0].maxNumReferenceFrames',
      'x-nv-audio.surround.numChannels',
      'x-nv-audio.surround.channelMask',
      'x-nv-audio.surround.AudioQuality',
    ];
    const changes: Record<string, null> = {};
    for (const name of Object.keys(ANNOUNCE_DEFAULTS)) {
      if (!mandatory.includes(name)) changes[name] = null;
    }

    const announce = parse(changes);

    expect(announce).toMatchObject({
      encoderCscMode: 0,
      bitStreamFormat: 0,
      dynamicRangeMode: 0,
      audioPacketDurationMs: 5,
      reliableUdpMode: 1,
      minParityShards: 0,
      nvFeatureFlags: 135,
      mlFeatureFlags: 0,
      videoQosType: 5,
      audioQosType: 4,
      configuredBitrateKbps: 0,
      encryptionEnabled: 0,
      chromaSamplingType: 0,
      refreshX100: 0,
    });
    for (const name of mandatory) {
      expect(parseAnnounce(announceText({ [name]: null }))).toEqual({
        ok: false,
        reason: `${name} is missing`,
      });
    }
  });

  test.each([
    ['x-nv-video[0].clientViewportWd', [15, 16_385, -1, '', 'a', '1e3', '99999999999', '12.5']],
    ['x-nv-video[0].clientViewportHt', [0, 16_385]],
    ['x-nv-video[0].maxFPS', [0, 1001]],
    ['x-nv-video[0].packetSize', [0, 48, 65_008, 1000, 1393]],
    ['x-nv-video[0].videoEncoderSlicesPerFrame', [0, 33]],
    ['x-nv-video[0].maxNumReferenceFrames', [-1, 17]],
    ['x-nv-audio.surround.numChannels', [0, 1, 3, 4, 5, 7, 9]],
    ['x-nv-audio.surround.AudioQuality', [2]],
    ['x-nv-aqos.packetDuration', [0, 4, 6, 7, 11, 20]],
    ['x-nv-vqos[0].bitStreamFormat', [3]],
    ['x-nv-video[0].encoderCscMode', [6]],
    ['x-nv-vqos[0].fec.minRequiredFecPackets', [128]],
    ['x-ml-video.configuredBitrateKbps', [10_000_001, -5]],
  ])('%s outside of its range is refused by name', (name, values) => {
    for (const value of values) {
      const result = parseAnnounce(announceText({ [name]: value }));
      expect(result.ok).toBe(false);
      if (!result.ok) expect(result.reason).toStartWith(name);
    }
  });

  test('order, line ends and unknown attributes do not matter, the first of equals wins', () => {
    const lines = announceText().split('\r\n').reverse();
    const body = ['a=x-unknown:7', ...lines, 'a=x-nv-video[0].maxFPS:30'].join('\n');

    const result = parseAnnounce(body);

    expect(result.ok && result.announce.maxFps).toBe(60);
  });

  test(`${FUZZ_COUNT} damaged bodies are refused or lie within every range`, () => {
    const random = seededRandom('ANNOUNCE');
    const names = Object.keys(ANNOUNCE_DEFAULTS);
    let accepted = 0;
    for (let index = 0; index < FUZZ_COUNT; index += 1) {
      let body: string;
      if (index % 2 === 0) {
        body = Buffer.from(random.bytes(Math.min(index >> 6, random.int(0, 600)))).toString(
          'latin1',
        );
      } else {
        const name = names[random.int(0, names.length - 1)] ?? '';
        const value =
          random.int(0, 3) === 0 ? null : random.int(0, 2) ** 31 * random.int(-2, 70_000);
        body = announceText({ [name]: value });
        const cut = random.int(0, 20) === 0 ? random.int(0, body.length) : body.length;
        body = body.slice(0, cut);
      }
      const result = parseAnnounce(body);
      if (!result.ok) continue;
      accepted += 1;
      const { width, height, maxFps, packetSizeBytes, slicesPerFrame } = result.announce;
      const isSane =
        width >= 16 &&
        width <= 16_384 &&
        height >= 16 &&
        height <= 16_384 &&
        maxFps >= 1 &&
        maxFps <= 1000 &&
        packetSizeBytes % 16 === 0 &&
        packetSizeBytes >= 64 &&
        packetSizeBytes <= 65_000 &&
        slicesPerFrame <= 32;
      if (!isSane) throw new Error(JSON.stringify(result.announce));
    }
    expect(accepted).toBeGreaterThan(1000);
  });
});

describe('announceToOffer', () => {
  test('the default request becomes a 720p60 H.264 stereo offer', () => {
    const decision = decide({}, {});

    expect(decision).toMatchObject({
      ok: true,
      offer: {
        plane: 'gamestream',
        peerAddress: '10.0.0.2',
        appId: 7,
        video: {
          mode: { width: 1280, height: 720, refreshNum: 60, refreshDen: 1 },
          codec: 'h264',
          chroma: '420',
          bitDepth: 8,
          hdr: false,
          colour: { matrix: 'bt601', fullRange: false },
          slicesPerFrame: 1,
          maxReferenceFrames: 0,
          canInvalidateReferences: true,
        },
        audio: { channels: 2, highQuality: true, packetDurationMs: 5, playOnHost: false },
        padMask: 1,
      },
      format: {
        kind: 'gamestream',
        packetSize: 1392,
        parityPct: 20,
        minParityShards: 2,
        sealVideo: false,
        sealAudio: false,
        keyId: 42,
        videoDscp: 40,
        audioDscp: 48,
      },
      details: {
        controlV2: true,
        usesSessionIds: true,
        reportsFecStatus: true,
        intraRefresh: false,
        configuredBitrateKbps: 10_000,
      },
    });
  });

  test.each([
    [0, 60, 60, 1],
    [5994, 60, 5994, 100],
    [6000, 60, 60, 1],
    [5939, 60, 60, 1],
    [5940, 60, 5940, 100],
    [11_988, 120, 11_988, 100],
    [3000, 60, 60, 1],
  ])('refresh %d with %d fps is %d/%d', (refreshX100, maxFPS, refreshNum, refreshDen) => {
    const decision = decide(
      { 'x-nv-video[0].clientRefreshRateX100': refreshX100, 'x-nv-video[0].maxFPS': maxFPS },
      {},
    );

    expect(decision.ok && decision.offer.video.mode).toMatchObject({ refreshNum, refreshDen });
  });

  test.each([
    [0, 'bt601', false],
    [1, 'bt601', true],
    [2, 'bt709', false],
    [3, 'bt709', true],
    [4, 'bt2020', false],
    [5, 'bt2020', true],
  ] as const)('encoderCscMode %d is %s, full range %p', (mode, matrix, fullRange) => {
    const decision = decide({ 'x-nv-video[0].encoderCscMode': mode }, {});

    expect(decision.ok && decision.offer.video.colour).toEqual({ matrix, fullRange });
  });

  test('stereo quality follows the host header, surround quality the attribute', () => {
    const stereo = decide({ 'x-nv-audio.surround.AudioQuality': 1 }, { sawZeroHost: true });
    const surround = decide(
      { 'x-nv-audio.surround.AudioQuality': 1, 'x-nv-audio.surround.numChannels': 6 },
      { sawZeroHost: true },
    );

    expect(stereo.ok && stereo.offer.audio.highQuality).toBe(false);
    expect(surround.ok && surround.offer.audio).toMatchObject({ channels: 6, highQuality: true });
  });

  test.each([
    [{ 'x-ss-general.encryptionEnabled': 7 }, true, true, true],
    [{ 'x-ss-general.encryptionEnabled': 5 }, true, false, true],
    [{ 'x-ss-general.encryptionEnabled': 0 }, false, false, false],
    [{ 'x-ss-general.encryptionEnabled': 1, 'x-nv-general.featureFlags': 167 }, true, false, true],
  ])('%p: control V2 %p, video %p, audio %p', (changes, controlV2, sealVideo, sealAudio) => {
    const decision = decide(changes, {});

    expect(decision.ok && decision.details.controlV2).toBe(controlV2);
    expect(decision.ok && decision.format).toMatchObject({ sealVideo, sealAudio });
  });

  test('a host that insists on encryption refuses with 403 what lacks it', () => {
    expect(decide({}, { encryptionRequired: 7 })).toMatchObject({ ok: false, status: 403 });
    const sealed = { 'x-ss-general.encryptionEnabled': 3, 'x-nv-general.featureFlags': 167 };
    expect(decide(sealed, { encryptionRequired: 7 }).ok).toBe(true);
  });

  test('a codec, depth or chroma that was not offered is refused with 400', () => {
    const hevc = { 'x-nv-vqos[0].bitStreamFormat': 1 };
    const tenBit = { ...hevc, 'x-nv-video[0].dynamicRangeMode': 1 };

    expect(decide(hevc, { codecModeSupport: 1 })).toMatchObject({ ok: false, status: 400 });
    expect(decide(hevc, { codecModeSupport: 0x101 }).ok).toBe(true);
    expect(decide(tenBit, { codecModeSupport: 0x101 }).ok).toBe(false);
    expect(decide(tenBit, { codecModeSupport: 0x301 })).toMatchObject({
      offer: { video: { codec: 'hevc', bitDepth: 10, hdr: true } },
    });
    expect(decide({ 'x-nv-video[0].dynamicRangeMode': 1 }, {}).ok).toBe(false);
    expect(decide({ 'x-ss-video[0].chromaSamplingType': 1 }, {}).ok).toBe(false);
    expect(decide({ 'x-nv-vqos[0].bitStreamFormat': 2 }, {})).toMatchObject({
      offer: { video: { codec: 'av1' } },
    });
  });

  test('invalidation needs the host’s offer and a device that leaves the reference count open', () => {
    const one = { 'x-nv-video[0].maxNumReferenceFrames': 1 };
    const offered = (changes: Record<string, number>, canInvalidateReferences: boolean) => {
      const decision = decide(changes, { canInvalidateReferences });
      return decision.ok && decision.offer.video.canInvalidateReferences;
    };

    expect(offered({}, true)).toBe(true);
    expect(offered({}, false)).toBe(false);
    expect(offered(one, true)).toBe(false);
  });

  test('media is tagged only where the device and the operator want it', () => {
    const remote = { 'x-nv-vqos[0].qosTrafficType': 0, 'x-nv-aqos.qosTrafficType': 0 };

    expect(decide(remote, {})).toMatchObject({ format: { videoDscp: 0, audioDscp: 0 } });
    expect(decide({}, { tagDscp: false })).toMatchObject({
      format: { videoDscp: 0, audioDscp: 0 },
    });
  });
});

describe('encoderBitrateKbps', () => {
  test.each([
    // configured, maximum, channels, high quality, parity, result
    [10_000, 8000, 2, false, 20, 7308],
    [10_000, 8000, 2, true, 20, 6988],
    [10_000, 8000, 2, false, 0, 9308],
    [10_000, 8000, 2, false, 90, 9308],
    [500, 400, 2, false, 20, 288],
    [100_000, 80_000, 8, true, 20, 77_452],
    [0, 8000, 2, false, 20, 8000],
    [0, 0, 2, false, 20, 1],
    [1, 1, 2, false, 80, 1],
  ])('%d kbps (maximum %d), %d channels, high %p, parity %d % → %d kbps', (...row) => {
    const [configuredBitrateKbps, maximumBitrateKbps, channels, isHigh, parityPct, result] = row;
    const audioChannels = channels as 2 | 8;

    const rate = encoderBitrateKbps(
      { configuredBitrateKbps, maximumBitrateKbps, audioChannels },
      isHigh,
      parityPct,
    );

    expect(rate).toBe(result);
  });
});

function parse(changes: Record<string, string | number | null>): Announce {
  const result = parseAnnounce(announceText(changes));
  if (!result.ok) throw new Error(result.reason);
  return result.announce;
}

function decide(changes: Record<string, string | number>, facts: Partial<AnnounceFacts>) {
  return announceToOffer(parse(changes), {
    device: { fingerprint: 'ab', name: 'Couch' },
    peerAddress: '10.0.0.2',
    appId: 7,
    key: new Uint8Array(16),
    keyId: 42,
    playOnHost: false,
    padMask: 1,
    sawZeroHost: false,
    codecModeSupport: H264_HEVC_AV1,
    canInvalidateReferences: true,
    encryptionRequired: 0,
    parityPct: 20,
    tagDscp: true,
    ...facts,
  });
}
