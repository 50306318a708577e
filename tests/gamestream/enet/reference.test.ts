import { afterEach, describe, expect, test } from 'bun:test';
import { EnetHost } from '../../../src/gamestream/enet/host.ts';
import { EnetSocket } from '../../../src/gamestream/enet/socket.ts';
import { seededRandom } from '../../support/random.ts';
import { LibenetClient, libenetProblem } from './libenet.ts';

const problem = libenetProblem();
const missing = problem !== null;
if (missing) console.log(`skipped: ${problem} (Debian: libenet7)`);

const CONNECT_DATA = 0xfeed_beef;
const nowMs = (): number => performance.now();
let cleanUp: (() => void)[] = [];

afterEach(() => {
  for (const close of cleanUp.reverse()) close();
  cleanUp = [];
});

describe('the reference library as device', () => {
  test.skipIf(missing)(
    'it connects with the data of SETUP and is connected on both sides',
    async () => {
      const { rig, client } = await connected();

      expect(client.kinds).toEqual(['connect']);
      expect(rig.events).toEqual([`connected ${CONNECT_DATA}`]);
      expect(rig.host.rttMs(1)).toBeLessThan(100);
    },
  );

  test.skipIf(missing)('other connect data is met with silence', async () => {
    const rig = await openHost();
    const client = openClient(rig.socket.port, 1);

    await pump(client, () => rig.host.counters.refusedConnects > 0);

    expect(client.kinds).toEqual([]);
  });

  test.skipIf(missing)(
    'reliable, unreliable and unsequenced messages arrive on their channels',
    async () => {
      const { rig, client } = await connected();

      for (let index = 0; index < 500; index += 1) {
        client.send(index % 48, Buffer.from(`r${index}`), 'reliable');
        client.send(index % 48, Buffer.from(`u${index}`), 'unreliable');
        client.send(index % 48, Buffer.from(`s${index}`), 'unsequenced');
        if (index % 20 === 0) await pump(client, () => rig.messages.length > index);
      }
      await pump(client, () => rig.messages.length === 1500);

      for (const kind of ['r', 'u', 's']) {
        const texts = rig.messages.filter(({ text }) => text.startsWith(kind));
        expect(texts.length).toBe(500);
        expect(texts.every(({ text, channel }) => Number(text.slice(1)) % 48 === channel)).toBe(
          true,
        );
      }
      expect(rig.host.counters.malformed).toBe(0);
    },
  );

  test.skipIf(missing)(
    'a message of 60 000 bytes comes in fragments and leaves whole',
    async () => {
      const { rig, client } = await connected();
      const long = Buffer.from(seededRandom('reference').bytes(60_000));

      client.send(3, Buffer.from('before'), 'reliable');
      client.send(3, long, 'reliable');
      client.send(3, Buffer.from('after'), 'reliable');
      await pump(client, () => rig.messages.length === 3);

      expect(rig.messages.map(({ text }) => text.length)).toEqual([6, 60_000, 5]);
      expect(Buffer.from(rig.messages[1]?.text ?? '', 'latin1').equals(long)).toBe(true);
    },
  );

  test.skipIf(missing)('messages of the host arrive in order and are acked', async () => {
    const { rig, client } = await connected();

    for (let index = 0; index < 200; index += 1) {
      expect(rig.host.send(1, 0, Buffer.from(`${index}`), 'reliable', nowMs())).toBe(true);
      rig.host.send(1, 0, Buffer.from('loose'), 'unsequenced', nowMs());
      if (index % 50 === 0) await pump(client, () => rig.host.isDelivered(1));
    }
    await pump(client, () => rig.host.isDelivered(1));

    const received = client.events.filter((event) => event.type === 'receive');
    const texts = received.map(({ bytes }) => bytes.toString());
    expect(texts.filter((text) => text !== 'loose')).toEqual(
      Array.from({ length: 200 }, (_, index) => `${index}`),
    );
    expect(texts.filter((text) => text === 'loose').length).toBeGreaterThan(0);
  });

  test.skipIf(missing)('an idle connection lives through its pings', async () => {
    const { rig, client } = await connected();
    const endMs = nowMs() + 1300;

    await pump(client, () => nowMs() > endMs);

    expect(rig.events.length).toBe(1);
    expect(client.kinds).toEqual(['connect']);
  });

  test.skipIf(missing).each(['after-ack', 'now'] as const)(
    'its goodbye (%s) is heard and acked',
    async (order) => {
      const { rig, client } = await connected();

      client.disconnect(order);
      await pump(client, () => rig.events.length === 2);

      expect(rig.events[1]).toBe('disconnected peer');
      if (order === 'now') return;
      await pump(client, () => client.kinds.length === 2);
      expect(client.kinds[1]).toBe('disconnect');
    },
  );

  test.skipIf(missing)('the host’s goodbye after its last message is heard and acked', async () => {
    const { rig, client } = await connected();

    rig.host.send(1, 0, Buffer.from('bye'), 'reliable', nowMs());
    rig.host.disconnect(1, nowMs());
    await pump(client, () => rig.events.length === 2);

    expect(client.kinds).toEqual(['connect', 'receive', 'disconnect']);
    expect(rig.events[1]).toBe('disconnected local');
  });

  test.skipIf(missing)('the immediate goodbye of the host is heard', async () => {
    const { rig, client } = await connected();

    rig.host.drop(1, nowMs());
    await pump(client, () => client.kinds.length === 2);

    expect(client.kinds[1]).toBe('disconnect');
  });
});

interface Rig {
  readonly host: EnetHost;
  readonly socket: EnetSocket;
  readonly messages: { channel: number; text: string }[];
  readonly events: string[];
}

async function openHost(): Promise<Rig> {
  const socket = await EnetSocket.bind({ bindAddress: '127.0.0.1', port: 0, nowMs });
  const messages: Rig['messages'] = [];
  const events: string[] = [];
  const host = new EnetHost({
    transmit: (to, bytes) => socket.transmit(to, bytes),
    accepts: (data) => data === CONNECT_DATA,
    connected: (_peer, data) => events.push(`connected ${data}`),
    message: (_peer, channel, bytes) =>
      messages.push({ channel, text: Buffer.from(bytes).toString('latin1') }),
    opens: () => false,
    isAuthentic: () => false,
    disconnected: (_peer, reason) => events.push(`disconnected ${reason}`),
  });
  socket.drive({
    receive: (bytes, from) => host.receive(bytes, from, nowMs()),
    tick: () => host.tick(nowMs()),
    nextWakeMs: () => host.nextWakeMs(),
  });
  cleanUp.push(() => socket.close());
  return { host, socket, messages, events };
}

function openClient(port: number, connectData: number): LibenetClient {
  const client = new LibenetClient(port, 48, connectData);
  cleanUp.push(() => client.close());
  return client;
}

async function connected(): Promise<{ rig: Rig; client: LibenetClient }> {
  const rig = await openHost();
  const client = openClient(rig.socket.port, CONNECT_DATA);
  await pump(client, () => rig.events.length === 1 && client.kinds.length === 1);
  return { rig, client };
}

async function pump(client: LibenetClient, until: () => boolean): Promise<void> {
  while (!until()) {
    client.service();
    await Bun.sleep(1);
  }
}
