import { afterEach, describe, expect, test } from 'bun:test';
import { type ControlPlane, openControlPlane } from '../../../src/gamestream/control/plane.ts';
import type { ControlEvent } from '../../../src/gamestream/control/session.ts';
import { EnetClient } from '../../peers/moonlight/enet-client.ts';
import { ControlRig, KEY, TestDevice } from './control-rig.ts';

let plane: ControlPlane | null = null;
let clientSocket: Bun.udp.Socket<'buffer'> | null = null;

afterEach(() => {
  plane?.close();
  clientSocket?.close();
  plane = null;
  clientSocket = null;
});

describe('the control plane on a real socket', () => {
  test('a device connects over loopback, is heard, and its sudden death harms nothing', async () => {
    const events: ControlEvent[] = [];
    plane = await openControlPlane({ bindAddress: '127.0.0.1', port: 0, nowMs });
    const { port, server } = plane;
    const session = server.expect(
      {
        launchId: 'one',
        key: KEY,
        variant: 'v2',
        connectData: 77,
        usesSessionIds: true,
        peerAddress: '127.0.0.1',
      },
      (event) => events.push(event),
    );
    const socket = await Bun.udpSocket({
      hostname: '127.0.0.1',
      socket: { data: (_socket, bytes) => client.receive(bytes, nowMs()), error: () => undefined },
    });
    clientSocket = socket;
    const client = new EnetClient({
      transmit: (bytes) => socket.send(bytes, port, '127.0.0.1'),
      connectData: 77,
      connectId: 1,
    });
    const scribe = new TestDevice(new ControlRig());

    client.connect(nowMs());
    await until(() => client.state === 'connected');
    client.sendReliable(0, scribe.seal(0x0302, '0000', 0), nowMs());
    await until(() => events.length === 2);
    expect(events.map((event) => event.kind)).toEqual(['connected', 'idr']);
    expect(session.rttMs()).not.toBeNull();

    socket.close();
    clientSocket = null;
    for (let count = 0; count < 20; count += 1) {
      session.sendHdrMode(count % 2 === 0, null);
      await Bun.sleep(2);
    }

    expect(session.isConnected).toBe(true);
  });

  test('a taken port is reported by the system’s own code', async () => {
    plane = await openControlPlane({ bindAddress: '127.0.0.1', port: 0, nowMs });

    const second = openControlPlane({ bindAddress: '127.0.0.1', port: plane.port, nowMs });

    expect(second).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

function nowMs(): number {
  return performance.now();
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(1);
}
