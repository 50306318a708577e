import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import * as v from 'valibot';
import { managedHost } from '../../src/host/managed-host.ts';
import type { ManagedHost } from '../../src/mgmt/host-port.ts';
import {
  DeviceRowSchema,
  HostFactsSchema,
  PairingRequestRowSchema,
  SessionRowSchema,
  StatusDocumentSchema,
} from '../../src/mgmt/schemas.ts';
import {
  type HttpFixture,
  makeDeviceCredentials,
  startHttpFixture,
} from '../gamestream/http-fixture.ts';
import { get } from '../gamestream/http-peer.ts';
import { DeskRig, until } from './desk-rig.ts';

let rig: DeskRig;
let fixture: HttpFixture;
let host: ManagedHost;
/** Fingerprint of a device in the roster. */
let sofa = '';

beforeEach(async () => {
  rig = new DeskRig();
  fixture = await startHttpFixture();
  const { certificateDer } = makeDeviceCredentials();
  const added = fixture.roster.add(
    { certificateDer, name: 'Sofa', plane: 'gamestream' },
    Date.now(),
  );
  if (!added.ok) throw new Error(added.message);
  sofa = added.device.fingerprint;
  rig.paired.add(sofa);
  fixture.roster.onRevoked(({ fingerprint }) => {
    rig.paired.delete(fingerprint);
    void rig.desk.revoke(fingerprint);
  });
  const rung = { taken: 'x', detail: 'y', refused: [] };
  host = managedHost({
    desk: rig.desk,
    roster: fixture.roster,
    pairing: fixture.pairing,
    version: '0.1.0',
    facts: () => ({
      hostname: 'den',
      uniqueid: fixture.identity.uniqueId,
      fingerprint: fixture.identity.fingerprint,
      local_ip: null,
      version: '0.1.0',
      abi_version: 1,
      app_version: '7',
      gfe_version: '3',
      codecs: ['h264'],
      gamestream: true,
      ports: { mgmt: 1, http: 1, https: 1, rtsp: 1, video: 1, control: 1, audio: 1 },
    }),
    rungs: () => ({ capture: rung, encoder: rung, audio: rung }),
  });
});
afterEach(async () => {
  await rig.close();
  await fixture.stop();
});

/** Strict: a field that the schema does not know would not be in the documented API either. */
function expectValid(): void {
  v.parse(v.strictObject(StatusDocumentSchema.pipe[0].entries), host.status());
  for (const row of host.sessions()) {
    v.parse(v.strictObject(SessionRowSchema.pipe[0].entries), row);
  }
  for (const row of host.devices()) v.parse(v.strictObject(DeviceRowSchema.pipe[0].entries), row);
  for (const row of host.pairingRequests()) {
    v.parse(v.strictObject(PairingRequestRowSchema.pipe[0].entries), row);
  }
  v.parse(HostFactsSchema, host.host());
}

describe('what the host tells the management API', () => {
  test('is of the documented shape with nothing running', () => {
    expectValid();
    expect(host.status()).toMatchObject({
      video_streaming: false,
      pin_pending: false,
      paired_clients: 1,
      active_sessions: 0,
      session: null,
      stream: null,
      sessions: [],
    });
    expect(host.requestIdr()).toBe(0);
  });

  test('is of the documented shape while a stream starts, runs and ends', async () => {
    const held = Promise.withResolvers<void>();
    rig.onStreamStart = () => held.promise;
    const starting = rig.launch(sofa);
    await until(() => rig.screens.open.size === 1);
    expectValid();
    const [early] = host.sessions();
    expect(early).toMatchObject({ state: 'starting', counters: { frames_sent: null } });
    expect(early?.unknown['counters']).toBe('the stream has not started');

    held.resolve();
    const started = await starting;
    if (!started.ok) throw new Error(started.message);
    started.session.connected();
    expectValid();
    expect(host.status()).toMatchObject({ video_streaming: true, active_sessions: 1 });
    expect(host.devices()[0]?.live_sessions).toEqual([started.session.id]);

    const ending = rig.desk.quit('test');
    expectValid();
    await ending;
    expectValid();
    expect(host.sessions()).toEqual([]);
  });

  test('counts what the workers counted, also past 32 bits, and asks for what is wanted', async () => {
    const started = await rig.launch(sofa);
    if (!started.ok) throw new Error(started.message);
    const control = rig.streams[0]?.control;
    control?.set('packetsSent', -2);
    control?.add('packetsSent', 5);
    control?.add('framesSent', 3);
    control?.set('appliedBitrateKbps', 8_000);
    control?.recordStage(2, 4_000_000);
    started.session.lostPackets = 12;
    started.session.lastWarning = 'the source was lost';

    expect(host.requestIdr()).toBe(1);

    expect(control?.get('idrRequests')).toBe(1);
    expectValid();
    expect(host.sessions()[0]).toMatchObject({
      id: started.session.id,
      fingerprint: sofa,
      mode: '1280x720@60',
      bitrate: { target_kbps: 10_000, applied_kbps: 8_000 },
      encoder: { backend: 'x264' },
      display: { backend: 'wlroots', output: 'SCREEN-1', requested: '1280x720@60' },
      app: { id: 1, title: 'Desktop' },
      counters: { packets_sent: 2 ** 32 + 3, frames_sent: 3 },
      link: { rtt_ms: null, lost_packets: 12 },
      last_warning: 'the source was lost',
    });
    const encode = host.sessions()[0]?.stages.find(({ name }) => name === 'encode');
    expect(encode?.p50_us).toBeWithin(4_000, 4_900);
  });

  test('names what it does not know', async () => {
    await rig.launch(sofa);
    const { unknown } = host.sessions()[0] ?? { unknown: {} };

    expect(Object.keys(unknown)).toEqual(['encoder.gpu', 'link.rtt_ms', 'link.lost_packets']);
  });
});

describe('what the management API asks of the host', () => {
  test('a session is stopped by its id, with or without its app', async () => {
    expect(await host.stopSession('nobody', 'quit')).toBe(false);
    const started = await rig.launch(sofa);
    if (!started.ok) throw new Error(started.message);

    expect(await host.stopSession(started.session.id, 'drop')).toBe(true);
    expect(rig.desk.runningAppId()).toBe(1);
    const again = await rig.resume(sofa);
    if (!again.ok) throw new Error(again.message);
    expect(await host.stopSession(again.session.id, 'quit')).toBe(true);
    expect(rig.desk.runningAppId()).toBe(0);
  });

  test.each(['unpair', 'disable'])(
    'to %s a device ends its stream within a second',
    async (how) => {
      await rig.launch(sofa);
      const beganMs = performance.now();

      if (how === 'unpair') expect(await host.unpair(sofa.toUpperCase())).toBe(true);
      else expect((await host.setDeviceEnabled(sofa, false))?.enabled).toBe(false);

      expect(performance.now() - beganMs).toBeLessThan(1_000);
      expect(rig.liveStreams).toEqual([]);
      expect(rig.desk.session).toBeNull();
      expect(rig.screens.open.size).toBe(0);
      expect(host.devices().length).toBe(how === 'unpair' ? 0 : 1);
      expect(await rig.resume(sofa)).toMatchObject({ ok: false, status: 403 });
    },
  );

  test('unknown devices are told apart from failures', async () => {
    const nobody = 'e'.repeat(64);
    expect(host.renameDevice(nobody, 'x')).toBeNull();
    expect(await host.setDeviceEnabled(nobody, false)).toBeNull();
    expect(await host.unpair(nobody)).toBe(false);
    expect(host.renameDevice(sofa, 'Couch')?.name).toBe('Couch');
    expect(host.deviceByCertificate(new Uint8Array(3))).toBeNull();
  });

  test('a pairing request is listed, denied, and a PIN for none is told so', async () => {
    const { certificatePem } = makeDeviceCredentials();
    const query =
      'uniqueid=0123456789ABCDEF&uuid=1&devicename=roth&updateState=1&phrase=getservercert' +
      `&salt=${'00'.repeat(16)}&clientcert=${Buffer.from(certificatePem).toString('hex')}`;
    const asking = get(fixture, `/pair?${query}`);
    await until(() => host.pairingRequests().length === 1);
    expectValid();
    const [request] = host.pairingRequests();
    expect(request).toMatchObject({ plane: 'gamestream', peer: '127.0.0.1', remote: false });
    expect(host.status().pin_pending).toBe(true);

    expect(await host.submitPin(request?.id ?? '', '12', 'x')).toEqual({
      outcome: 'refused',
      code: 'bad_pin',
    });
    expect(await host.submitPin('nobody', '1234')).toEqual({ outcome: 'no_request' });
    expect(host.denyPairing(request?.id ?? '')).toBe(true);
    expect(host.denyPairing('nobody')).toBe(false);
    expect((await asking).text).toContain('<paired>0</paired>');
  });

  test('without GameStream there is nothing to pair', async () => {
    const bare = managedHost({
      desk: rig.desk,
      roster: fixture.roster,
      pairing: null,
      version: '0.1.0',
      facts: () => host.host(),
      rungs: () => host.status() as never,
    });

    expect(bare.pairingRequests()).toEqual([]);
    expect(bare.denyPairing('x')).toBe(false);
    expect(await bare.submitPin('x', '1234')).toEqual({ outcome: 'no_request' });
  });
});
