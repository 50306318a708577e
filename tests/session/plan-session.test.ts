import { describe, expect, test } from 'bun:test';
import { parseMode } from '../../src/session/mode.ts';
import type { SessionOffer } from '../../src/session/offer.ts';
import {
  type HostCapabilities,
  planSession,
  streamingProblem,
} from '../../src/session/plan-session.ts';

const offer: SessionOffer = {
  plane: 'gamestream',
  device: { fingerprint: 'ab'.repeat(32), name: 'sofa' },
  peerAddress: '192.0.2.7',
  appId: 1,
  video: {
    mode: { width: 1280, height: 720, refreshNum: 60, refreshDen: 1 },
    codec: 'h264',
    chroma: '420',
    bitDepth: 8,
    hdr: false,
    colour: { matrix: 'bt709', fullRange: false },
    bitrateKbps: 7300,
    slicesPerFrame: 2,
    maxReferenceFrames: 1,
    canInvalidateReferences: true,
  },
  audio: { channels: 2, highQuality: false, packetDurationMs: 5, playOnHost: false },
  padMask: 1,
};

const capabilities: HostCapabilities = {
  encoders: [
    {
      rung: 'x264',
      codecs: ['h264'],
      tenBit: false,
      yuv444: false,
      canInvalidate: true,
      maxBitrateKbps: 100_000,
      maxWidth: 4096,
      maxHeight: 4096,
    },
  ],
  displays: [
    { backend: 'wlroots', sources: ['virtual', 'mirror'] },
    { backend: 'synthetic', sources: ['synthetic'] },
  ],
  hasSound: true,
};
const policy = { source: 'auto', maxBitrateKbps: 500_000, audio: true } as const;
const withVideo = (video: Partial<SessionOffer['video']>): SessionOffer => ({
  ...offer,
  video: { ...offer.video, ...video },
});

describe('planSession', () => {
  test('a plain offer on a full machine is met without notes', () => {
    const result = planSession(offer, capabilities, policy, 's1');

    expect(result).toMatchObject({
      ok: true,
      plan: {
        sessionId: 's1',
        display: { source: 'virtual', backend: 'wlroots' },
        video: { encoder: 'x264', bitrateKbps: 7300, useInvalidation: true },
        audio: { channels: 2, streams: 1, bitrateBps: 96_000, source: 'pipewire' },
        notes: [],
      },
    });
  });

  test('a bare machine streams the test card and silence, and says so', () => {
    const bare = {
      ...capabilities,
      displays: [{ backend: 'synthetic', sources: ['synthetic'] }] as const,
      hasSound: false,
    };

    const result = planSession(offer, bare, policy, 's1');

    expect(result.ok && result.plan.display.source).toBe('synthetic');
    expect(result.ok && result.plan.audio.source).toBe('silence');
    expect(result.ok && result.plan.notes.length).toBe(2);
  });

  test('an odd size is encoded one pixel smaller while the screen keeps the exact size', () => {
    const mode = parseMode('1281x721@59.94');
    const result = planSession(
      withVideo({ mode: mode ?? offer.video.mode }),
      capabilities,
      policy,
      's',
    );

    expect(result.ok && result.plan.display.mode.width).toBe(1281);
    expect(result.ok && result.plan.video.mode.width).toBe(1280);
    expect(result.ok && result.plan.video.mode.height).toBe(720);
  });

  test.each([
    ['a codec no rung makes', withVideo({ codec: 'av1' }), 'codec'],
    [
      '241 Hz',
      withVideo({ mode: { width: 1280, height: 720, refreshNum: 241, refreshDen: 1 } }),
      'mode',
    ],
    [
      'a width of 8',
      withVideo({ mode: { width: 8, height: 720, refreshNum: 60, refreshDen: 1 } }),
      'mode',
    ],
    [
      'a picture beyond every rung',
      withVideo({ mode: { width: 8192, height: 4320, refreshNum: 60, refreshDen: 1 } }),
      'codec',
    ],
  ])('%s is refused', (_name, bad, code) => {
    expect(planSession(bad, capabilities, policy, 's')).toMatchObject({ ok: false, code });
  });

  test('10 bit, 4:4:4 and a rate above the ceiling are lowered with a note each', () => {
    const wish = withVideo({ bitDepth: 10, hdr: true, chroma: '444', bitrateKbps: 200_000 });

    const result = planSession(wish, capabilities, policy, 's');

    expect(result).toMatchObject({
      ok: true,
      plan: { video: { bitDepth: 8, hdr: false, chroma: '420', bitrateKbps: 100_000 } },
    });
    expect(result.ok && result.plan.notes.length).toBe(3);
  });

  test('a machine without an encoder says what helps, whatever is asked for', () => {
    const bare = { ...capabilities, encoders: [], encoderProblem: 'install one' };

    for (const wish of [offer, withVideo({ codec: 'av1' })]) {
      const result = planSession(wish, bare, policy, 's');
      expect(result).toEqual({ ok: false, code: 'encoder', reason: 'install one' });
    }
    expect(streamingProblem(bare, policy)).toBe('install one');
    expect(streamingProblem({ ...capabilities, encoders: [] }, policy)).toContain(
      'no video encoder',
    );
    expect(streamingProblem(capabilities, policy)).toBeNull();
  });

  test('a pinned source without a backend is refused by name', () => {
    const result = planSession(offer, capabilities, { ...policy, source: 'portal' }, 's');

    expect(result).toMatchObject({ ok: false, code: 'display' });
  });
});
