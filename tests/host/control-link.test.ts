import { describe, expect, test } from 'bun:test';
import type { AnnounceDetails } from '../../src/gamestream/announce-offer.ts';
import type { ControlServer } from '../../src/gamestream/control/server.ts';
import type { ControlEvent, ControlExpectation } from '../../src/gamestream/control/session.ts';
import type { PendingLaunch } from '../../src/gamestream/rtsp-launches.ts';
import { connectControl } from '../../src/host/control-link.ts';
import type { Session } from '../../src/host/session.ts';
import { StreamControl } from '../../src/pipeline/stream-control.ts';
import { DeskRig, SOFA } from './desk-rig.ts';

const DETAILS: AnnounceDetails = {
  controlV2: true,
  usesSessionIds: true,
  reportsFecStatus: true,
  intraRefresh: false,
  configuredBitrateKbps: 1,
};
const LAUNCH = {
  launchId: 'l1',
  request: { key: new Uint8Array(16) },
  connectData: 77,
  peerAddress: '192.0.2.9',
} as PendingLaunch;

/** A control plane that the test speaks for. */
function scriptedControl() {
  const said: string[] = [];
  let hear: (event: ControlEvent) => void = () => {};
  let expectation: ControlExpectation | null = null;
  const server = {
    expect(wanted: ControlExpectation, onEvent: (event: ControlEvent) => void) {
      expectation = wanted;
      hear = onEvent;
      return {
        terminate: async (code: number) => {
          said.push(`terminate ${code.toString(16)}`);
        },
        rttMs: () => 12,
      };
    },
    forget: () => said.push('forget'),
  } as unknown as ControlServer;
  return {
    server,
    said,
    hear: (event: ControlEvent) => hear(event),
    expectation: () => expectation,
  };
}

async function connected() {
  const rig = new DeskRig();
  const started = await rig.launch(SOFA);
  if (!started.ok) throw new Error(started.message);
  const control = scriptedControl();
  connectControl(control.server, started.session, LAUNCH, DETAILS, () =>
    control.said.push('media forgotten'),
  );
  const words = rig.streams[0]?.control ?? new StreamControl();
  return { rig, control, words, session: started.session as Session };
}

describe('the control plane of a session', () => {
  test('expects the device of the launch, in its form', async () => {
    const { rig, control } = await connected();
    expect(control.expectation()).toMatchObject({
      launchId: 'l1',
      variant: 'v2',
      connectData: 77,
      usesSessionIds: true,
      peerAddress: '192.0.2.9',
    });
    await rig.close();
  });

  test('carries what the device asks to the stream', async () => {
    const { rig, control, words, session } = await connected();
    const inputs: string[] = [];
    Object.assign(session.stream ?? {}, {
      input: ({ kind }: { kind: string }) => inputs.push(kind),
    });
    control.hear({ kind: 'connected' });
    expect(session.state).toBe('streaming');
    control.hear({ kind: 'idr' });
    control.hear({ kind: 'idr' });
    control.hear({ kind: 'rfi', first: 5, last: 9 });
    control.hear({ kind: 'input', event: { kind: 'text', text: 'x' } });
    control.hear({ kind: 'ping' } as ControlEvent);

    expect(words.get('idrRequests')).toBe(2);
    const range = new Uint32Array(2);
    words.takeInvalidations(0, range);
    expect([...range]).toEqual([5, 9]);
    expect(inputs).toEqual(['text']);
    expect(session.link?.rttMs()).toBe(12);
    await rig.close();
  });

  test('adds up what the device reports missing, and never falls below nothing', async () => {
    const { rig, control, session } = await connected();
    const stats = { lostCount: -2_000_000_000, intervalMs: 50, lastGoodFrame: 1 };
    control.hear({ kind: 'loss-stats', stats });
    expect(session.lostPackets).toBe(0);
    control.hear({ kind: 'loss-stats', stats: { ...stats, lostCount: 3 } });
    control.hear({
      kind: 'fec-status',
      status: { missingBeforeHighest: 4 },
    } as ControlEvent);

    expect(session.lostPackets).toBe(7);
    await rig.close();
  });

  test.each([
    ['peer', 'device-left', []],
    ['silent', 'device-silent', []],
    ['timeout', 'device-silent', []],
  ] as const)('that ends by %s ends the session without a word to the device', async (reason) => {
    const { rig, control, session } = await connected();
    control.hear({ kind: 'connected' });
    control.hear({ kind: 'ended', reason });
    await session.end('drop', 'waits for the end');

    expect(control.said).toEqual(['forget', 'media forgotten']);
    expect(rig.desk.session).toBeNull();
    expect(rig.desk.runningAppId()).toBe(1);
    await rig.close();
  });

  test.each([
    ['drop', '80030023'],
    ['failed', '800e9403'],
  ] as const)(
    'of a session that ends by %s tells the device the code %s, then forgets it',
    async (end, code) => {
      const { rig, control, session } = await connected();
      control.hear({ kind: 'connected' });
      await session.end(end, 'test');
      control.hear({ kind: 'ended', reason: 'local' });

      expect(control.said).toEqual([`terminate ${code}`, 'forget', 'media forgotten']);
      await rig.close();
    },
  );
});
