import { describe, expect, test } from 'bun:test';
import { TERMINATION } from '../../../src/gamestream/control/feedback.ts';
import { CONTROL_SESSIONS_MAX } from '../../../src/gamestream/control/server.ts';
import { GOODBYE_DOUBT_MS } from '../../../src/gamestream/enet/goodbye.ts';
import { seededRandom } from '../../support/random.ts';
import { ControlRig, KEY, TestDevice } from './control-rig.ts';

const PAD_ARRIVAL = (capabilitiesHex: string, type = '02'): string =>
  `0000000c0400005500${type}${capabilitiesHex}ffff3f00`;

describe('a control session', () => {
  test('the start of a current device becomes events in order', () => {
    const rig = new ControlRig();
    const { events, session } = rig.expectDevice();
    const device = new TestDevice(rig).connect();

    device.send(0x0302, '0000');
    device.send(0x0307, '00');
    device.send(0x0200, '0400000000000000');
    device.send(0x0206, '000000060d0000000100');
    device.send(0x0206, '0000000807000000000affec', 3);
    device.send(0x0301, '640000000000000065000000000000000000000000000000', 1);

    expect(events).toEqual([
      { kind: 'connected' },
      { kind: 'idr' },
      { kind: 'start' },
      { kind: 'ping' },
      { kind: 'input', event: { kind: 'haptics', isEnabled: true } },
      { kind: 'input', event: { kind: 'pointer-move', dxPixels: 10, dyPixels: -20 } },
      { kind: 'rfi', first: 100, last: 101 },
    ]);
    expect(session.isConnected).toBe(true);
  });

  test('the older form is understood where V2 was not agreed, in both directions', () => {
    const rig = new ControlRig();
    const { session, kinds } = rig.expectDevice({ variant: 'legacy' });
    const device = new TestDevice(rig);
    device.isV2 = false;
    device.connect();

    for (let count = 0; count < 300; count += 1) device.send(0x0200, '0400000000000000');
    session.sendRumble(0, 1, 2);

    expect(kinds().length).toBe(301);
    expect(device.received[0]).toMatchObject({ type: 0x010b, payload: '00000000000001000200' });
  });

  test('messages that are not sealed, not authentic, repeated or unknown are counted and ignored', () => {
    const rig = new ControlRig();
    const { session, kinds } = rig.expectDevice();
    const device = new TestDevice(rig).connect();

    device.sendRaw(Buffer.from('020302000000', 'hex'));
    device.sendRaw(Buffer.alloc(60, 1));
    device.sendRaw(Buffer.from('01001a00', 'hex'));
    expect(session.isConnected).toBe(false);
    const first = device.send(0x0302);
    device.sendRaw(first);
    device.send(0x3001, '00');
    device.send(0x0301, '00');
    device.send(0x0206, '00000001');
    device.send(0x0206, '0000000499999999');

    expect(kinds()).toEqual(['connected', 'idr']);
    expect(session.counters).toMatchObject({
      received: 5,
      unsealed: 2,
      malformed: 2,
      replayed: 1,
      unknown: 1,
      badInput: 2,
    });
  });

  test('messages may overtake each other within a window of 1024', () => {
    const rig = new ControlRig();
    const { session } = rig.expectDevice();
    const device = new TestDevice(rig).connect();
    const early = [5, 4, 3, 2, 1, 0].map((sequence) => device.seal(0x0200, '', sequence));

    for (const wire of early) device.sendRaw(wire);
    device.sendRaw(device.seal(0x0200, '', 1029));
    device.sendRaw(device.seal(0x0200, '', 6));
    device.sendRaw(device.seal(0x0200, '', 5));

    expect(session.counters).toMatchObject({ received: 8, replayed: 1 });
  });

  test('a device that is silent for 10 s is reported once and its peer is dropped', () => {
    const rig = new ControlRig();
    const { events, session } = rig.expectDevice();
    const device = new TestDevice(rig).connect();
    device.send(0x0200);

    rig.run(9_990);
    expect(session.isDeadAt(rig.nowMs)).toBe(false);
    rig.run(20);

    expect(session.isDeadAt(rig.nowMs)).toBe(true);
    expect(events.at(-1)).toEqual({ kind: 'ended', reason: 'silent' });
    expect(events.filter((event) => event.kind === 'ended').length).toBe(1);
    expect(device.ends).toEqual(['host']);
    expect(rig.server.enet.peerCount).toBe(0);
  });

  test('keep-alives every 100 ms keep a session alive for a minute', () => {
    const rig = new ControlRig();
    const { kinds } = rig.expectDevice();
    const device = new TestDevice(rig).connect();

    for (let count = 0; count < 600; count += 1) {
      device.send(0x0200);
      rig.run(100);
    }

    expect(kinds()).not.toContain('ended');
  });

  test('a device that leaves is reported with its pads gone', () => {
    const rig = new ControlRig();
    const { kinds, events } = rig.expectDevice();
    const device = new TestDevice(rig).connect();
    device.send(0x0206, PAD_ARRIVAL('ff00'), 16);

    device.enet.disconnect(rig.nowMs);
    expect(device.ends).toEqual(['asked']);
    rig.run(GOODBYE_DOUBT_MS + 1);

    expect(kinds()).toEqual(['connected', 'pad', 'pad', 'ended']);
    expect(events.at(-2)).toEqual({ kind: 'pad', change: { kind: 'gone', pad: 0 } });
    expect(events.at(-1)).toEqual({ kind: 'ended', reason: 'peer' });
  });

  test.each([0x84, 0x44])(
    'goodbyes (command %p) forged from its very address end nothing while it speaks',
    (command) => {
      const rig = new ControlRig();
      const { kinds } = rig.expectDevice();
      const device = new TestDevice(rig).connect();
      const forged = Uint8Array.from([0x80, 0, 0, 1, command, 0xff, 0, 1, 0, 0, 0, 0]);

      for (let round = 0; round < 30; round += 1) {
        device.send(0x0200);
        for (let step = 0; step < 10; step += 1) {
          rig.server.receive(forged, device.address);
          rig.run(10);
        }
      }

      expect(kinds()).toEqual(['connected', ...Array<string>(30).fill('ping')]);
      expect(rig.server.enet.counters.forgedGoodbyes).toBeGreaterThan(10);
    },
  );

  test('messages forged from its very address take no sequence number from its own', () => {
    const rig = new ControlRig();
    const { kinds, session } = rig.expectDevice();
    const device = new TestDevice(rig).connect();
    device.send(0x0200);
    const forge = (command: number, sequence: number, fieldsHex: string): void => {
      const head = Buffer.from([0x80, 0, 0, 1, command, 0, sequence >> 8, sequence & 255]);
      const junk = Buffer.from(`${fieldsHex}0028${'01'.repeat(40)}`, 'hex');
      rig.server.receive(Buffer.concat([head, junk]), device.address);
    };

    for (let sequence = 1; sequence < 20; sequence += 1) {
      forge(0x86, sequence, '');
      forge(0x07, 1, '7fff');
      forge(0x49, 0, '7fff');
    }
    for (let count = 0; count < 5; count += 1) device.send(0x0206, '0000000807000000000affec');
    rig.run(10);

    expect(kinds()).toEqual(['connected', 'ping', ...Array<string>(5).fill('input')]);
    expect(session.counters.unauthentic).toBe(0);
    expect(rig.server.enet.counters.unproven).toBeGreaterThan(50);
  });

  test('fragments forged in its name neither block a sequence number nor pile up', () => {
    const rig = new ControlRig();
    const { kinds } = rig.expectDevice();
    const device = new TestDevice(rig).connect();
    device.send(0x0200);

    for (let sequence = 2; sequence < 40; sequence += 1) {
      const wire = Buffer.alloc(28 + 100);
      wire.set([0x80, 0, 0, 1, 0x88, 0]);
      wire.writeUInt16BE(sequence, 6);
      wire.writeUInt16BE(sequence, 8);
      wire.writeUInt16BE(100, 10);
      wire.writeUInt32BE(2, 12);
      wire.writeUInt32BE(200, 20);
      rig.server.receive(wire, device.address);
    }
    for (let count = 0; count < 50; count += 1) device.send(0x0200);
    rig.run(10);

    expect(kinds().filter((kind) => kind === 'ping')).toHaveLength(51);
  });

  test('a device that reconnects takes the session over with its first authentic message', () => {
    const rig = new ControlRig();
    const { session, kinds } = rig.expectDevice();
    const first = new TestDevice(rig).connect();
    first.send(0x0200);
    session.sendHdrMode(true, null);

    const second = new TestDevice(rig, '10.0.0.2|50001').connect();
    expect(first.ends).toEqual([]);
    second.sequence = 10;
    second.send(0x0200);
    session.sendRumble(1, 2, 3);

    expect(first.ends).toEqual(['host']);
    expect(kinds()).toEqual(['connected', 'ping', 'connected', 'ping']);
    expect(second.received.map(({ type }) => type)).toEqual([0x010e, 0x010b]);
    expect(second.received.map(({ sequence }) => sequence)).toEqual([1, 2]);
  });

  test('a device that moves is followed by its next authentic message only', () => {
    const rig = new ControlRig();
    const { session } = rig.expectDevice();
    const device = new TestDevice(rig).connect();
    const old = device.send(0x0200);

    device.move('10.0.0.2|61000');
    device.sendRaw(old);
    expect(rig.server.enet.counters.roamed).toBe(0);
    device.send(0x0200);
    session.sendRumble(0, 9, 9);

    expect(rig.server.enet.counters).toMatchObject({ roamed: 1, unproven: 1 });
    expect(device.received.length).toBe(1);
    expect(session.counters.replayed).toBe(0);
  });
});

describe('feedback', () => {
  test('trigger rumble, motion, light and adaptive triggers need a pad that has them', () => {
    const rig = new ControlRig();
    const { session } = rig.expectDevice();
    const device = new TestDevice(rig).connect();
    const sendAll = (): boolean[] => [
      session.sendTriggerRumble(0, 1, 2),
      session.sendMotionEnable(0, 100, 'gyro'),
      session.sendLight(0, 1, 2, 3),
      session.sendAdaptiveTriggers(0, null, null),
    ];
    device.send(0x0206, '0000001e0c0000001a000000010014000000000000000000000000009c0000005500', 16);

    expect(sendAll()).toEqual([false, false, false, false]);
    device.send(0x0206, PAD_ARRIVAL('ff00'), 16);
    expect(sendAll()).toEqual([true, true, true, true]);

    expect(device.received.map(({ type, payload }) => [type, payload])).toEqual([
      [0x5500, '000001000200'],
      [0x5501, '0000640002'],
      [0x5502, '0000010203'],
      [0x5503, '00'.repeat(25)],
    ]);
  });

  test('a thousand rumble values in a second go out as at most 101, the last one included', () => {
    const rig = new ControlRig();
    const { session } = rig.expectDevice();
    const device = new TestDevice(rig).connect();
    device.send(0x0200);

    for (let value = 0; value < 1000; value += 1) {
      session.sendRumble(0, value, 0);
      rig.run(1);
    }
    session.sendRumble(0, 0, 0);
    rig.run(20);

    expect(device.received.length).toBeGreaterThan(90);
    expect(device.received.length).toBeLessThanOrEqual(102);
    expect(device.received.at(-1)?.payload).toBe('00000000000000000000');
  });

  test('a pad number above 15 is refused, and nothing is sent before the device connected', () => {
    const rig = new ControlRig();
    const { session } = rig.expectDevice();

    expect(session.sendRumble(0, 1, 1)).toBe(false);
    expect(session.sendHdrMode(true, null)).toBe(false);
    const device = new TestDevice(rig).connect();
    device.send(0x0200);
    expect(session.sendRumble(16, 1, 1)).toBe(false);
    expect(device.received.map(({ type }) => type)).toEqual([0x010e]);
  });
});

describe('termination', () => {
  test('the device hears the code, acks, and is disconnected', async () => {
    const rig = new ControlRig();
    const { session, events } = rig.expectDevice();
    const device = new TestDevice(rig).connect();
    device.send(0x0200);

    const over = session.terminate(TERMINATION.graceful);
    rig.run(5);
    await over;

    expect(device.received).toEqual([{ type: 0x0109, payload: '80030023', sequence: 0 }]);
    expect(device.ends).toEqual(['host']);
    expect(events.at(-1)).toEqual({ kind: 'ended', reason: 'local' });
    expect(rig.server.enet.peerCount).toBe(0);
  });

  test('a device that does not answer is waited for half a second, no longer', async () => {
    const rig = new ControlRig();
    const { session, kinds } = rig.expectDevice();
    new TestDevice(rig).connect().send(0x0200);
    rig.isDeaf = true;
    let isOver = false;

    const over = session.terminate(TERMINATION.graceful).then(() => {
      isOver = true;
    });
    rig.run(498);
    await Promise.resolve();
    expect(isOver).toBe(false);
    rig.run(5);
    await over;

    expect(kinds().at(-1)).toBe('ended');
    rig.run(2100);
    expect(rig.server.enet.peerCount).toBe(0);
  });

  test('a device that disconnects by itself on hearing it ends the wait', async () => {
    const rig = new ControlRig();
    const { session, events } = rig.expectDevice();
    const device = new TestDevice(rig).connect();
    device.send(0x0200);
    rig.isDeaf = true;
    const over = session.terminate(TERMINATION.graceful);
    rig.isDeaf = false;

    device.enet.disconnectNow(rig.nowMs);
    rig.run(GOODBYE_DOUBT_MS + 1);
    await over;

    expect(events.at(-1)).toEqual({ kind: 'ended', reason: 'local' });
  });

  test('without a device, and the second time, it is over at once', async () => {
    const rig = new ControlRig();
    const { session } = rig.expectDevice();

    await session.terminate(TERMINATION.graceful);
    new TestDevice(rig).connect().send(0x0200);
    const first = session.terminate(TERMINATION.graceful);
    await session.terminate(TERMINATION.graceful);
    rig.run(2);
    await first;

    expect(session.sendRumble(0, 1, 1)).toBe(false);
  });

  test('forgetting the session right after lets the goodbye finish', async () => {
    const rig = new ControlRig();
    const { session } = rig.expectDevice();
    const device = new TestDevice(rig).connect();
    device.send(0x0200);

    const over = session.terminate(TERMINATION.graceful);
    rig.run(2);
    await over;
    rig.server.forget(session);

    expect(device.ends).toEqual(['host']);
    expect(rig.server.sessionCount).toBe(0);
  });
});

describe('who may connect', () => {
  test('a device without session ids is known by its address', () => {
    const rig = new ControlRig();
    const { kinds } = rig.expectDevice({ usesSessionIds: false, peerAddress: '::ffff:10.0.0.2' });

    new TestDevice(rig, '10.0.0.3|5', 0).connect().send(0x0200);
    expect(kinds()).toEqual([]);
    new TestDevice(rig, '10.0.0.2|5', 0).connect().send(0x0200);

    expect(kinds()).toEqual(['connected', 'ping']);
    expect(rig.server.enet.counters.refusedConnects).toBe(1);
  });

  test('connect data decides between two sessions, and a forgotten one hears nothing', () => {
    const rig = new ControlRig();
    const one = rig.expectDevice();
    const two = rig.expectDevice({ launchId: 'two', connectData: 78 });

    new TestDevice(rig, 'a|1', 78).connect().send(0x0200);
    expect(one.kinds()).toEqual([]);
    expect(two.kinds()).toEqual(['connected', 'ping']);

    rig.server.forget(two.session);
    expect(two.kinds().at(-1)).toBe('ended');
    const late = new TestDevice(rig, 'a|2', 78).connect();
    expect(late.enet.state).toBe('connecting');
  });

  test('16 sessions are expected at most and a launch is expected once', () => {
    const rig = new ControlRig();
    for (let index = 0; index < CONTROL_SESSIONS_MAX + 5; index += 1) {
      rig.expectDevice({ launchId: `launch ${index}` });
    }
    rig.expectDevice({ launchId: 'launch 20' });

    expect(rig.server.sessionCount).toBe(CONTROL_SESSIONS_MAX);
  });

  test('closing the server tells every device without waiting', () => {
    const rig = new ControlRig();
    const { kinds } = rig.expectDevice();
    const device = new TestDevice(rig).connect();
    device.send(0x0200);

    rig.server.close();

    expect(device.ends).toEqual(['host']);
    expect(kinds().at(-1)).toBe('ended');
    expect(rig.server.enet.peerCount).toBe(0);
  });
});

test('100000 sealed messages with random types and payloads raise nothing and leave 16 pads at most', () => {
  const random = seededRandom('control session');
  const rig = new ControlRig();
  const { session, events } = rig.expectDevice({ key: KEY });
  const device = new TestDevice(rig).connect();
  const types = [
    0x0206,
    0x0206,
    0x0206,
    0x0301,
    0x0350,
    0x5502,
    0x0201,
    0x0302,
    random.int(0, 65_535),
  ];
  const peer = 1;

  for (let count = 0; count < 100_000; count += 1) {
    const payload = Buffer.from(random.bytes(random.int(0, 40)));
    if (payload.length >= 8) {
      payload.writeUInt32BE(payload.length - 4, 0);
      payload.writeUInt32LE(
        random.int(0, 1) === 0 ? random.int(0, 24) : 0x5500_0000 + random.int(0, 8),
        4,
      );
    }
    const type = types[random.int(0, types.length - 1)] ?? 0;
    session.receive(peer, device.seal(type, payload.toString('hex'), count));
    if (events.length > 1000) events.length = 0;
  }

  expect(session.counters.received).toBe(100_000);
  expect(session.counters.badInput).toBeGreaterThan(1000);
  expect(session.pads.mask).toBeLessThan(0x10000);
}, 20_000);
