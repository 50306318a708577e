import { describe, expect, test } from 'bun:test';
import { GOODBYE_DOUBT_MS } from '../../../src/gamestream/enet/goodbye.ts';
import { ENET_PEERS_MAX, EnetHost } from '../../../src/gamestream/enet/host.ts';
import { COMMAND, decodeDatagram } from '../../../src/gamestream/enet/wire.ts';
import { EnetClient } from '../../peers/moonlight/enet-client.ts';
import { seededRandom } from '../../support/random.ts';
import { CONNECT_DATA, GOOD_LINK, SimulatedLink } from './simulated-link.ts';

const random = seededRandom('ENet host');

describe('connecting', () => {
  test('a connect is answered by a verify connect and completed by its ack', () => {
    const link = new SimulatedLink(random, GOOD_LINK);

    link.connect();

    expect(link.client.state).toBe('connected');
    expect(link.hostEvents).toEqual(['connected 10.0.0.2|50000']);
    expect(link.client.hasUnacked).toBe(false);
    expect(link.host.rttMs(link.peerNumber)).toBe(2);
  });

  test('the verify connect carries what the host settled on', () => {
    const sent: Uint8Array[] = [];
    const { host } = bareHost((bytes) => sent.push(bytes));
    const client = clientOf(host, CONNECT_DATA, 'a|1');

    client.connect(100);

    const verify = decodeDatagram(sent[0] ?? new Uint8Array());
    expect(verify?.peerIndex).toBe(0);
    expect(verify?.sentTime).toBe(100);
    const [command] = verify?.commands ?? [];
    expect(command?.number).toBe(COMMAND.verifyConnect);
    expect(command?.wantsAck).toBe(true);
    expect(command?.channel).toBe(0xff);
    expect(command?.sequence).toBe(1);
    expect(command?.fields.getUint16(4)).toBe(0);
    expect(command?.fields.getUint8(6)).toBe(0);
    expect(command?.fields.getUint8(7)).toBe(0);
    expect(command?.fields.getUint32(8)).toBe(900);
    expect(command?.fields.getUint32(12)).toBe(65_536);
    expect(command?.fields.getUint32(16)).toBe(48);
    expect(command?.fields.getUint32(28)).toBe(5000);
    expect(command?.fields.getUint32(40, true)).toBe(7);
  });

  test('a repeated connect of the same connection makes no second peer', () => {
    const { host } = bareHost();
    const client = clientOf(host, CONNECT_DATA, 'a|1');

    client.connect(0);
    client.tick(600);
    client.tick(1700);

    expect(host.peerCount).toBe(1);
  });

  test('a connect with data that nobody expects is met with silence', () => {
    const sent: Uint8Array[] = [];
    const { host } = bareHost((bytes) => sent.push(bytes));

    clientOf(host, 1, 'a|1').connect(0);

    expect(sent).toEqual([]);
    expect(host.peerCount).toBe(0);
    expect(host.counters.refusedConnects).toBe(1);
  });

  test('33 unfinished connects keep 32 peers and the newest is among them', () => {
    const { host, connectedFrom } = bareHost();
    let last: EnetClient | null = null;
    for (let index = 0; index <= ENET_PEERS_MAX; index += 1) {
      last = clientOf(host, CONNECT_DATA, `a|${index}`, index);
      last.connect(0);
    }

    expect(host.peerCount).toBe(ENET_PEERS_MAX);
    expect(connectedFrom).toEqual([]);
    expect(last?.state).toBe('connecting');
  });

  test('32 finished connections that said nothing genuine keep a 33rd not out', () => {
    const { host, deliverTo, connectedFrom } = bareHost();
    fill(host, deliverTo);

    const late = clientOf(host, CONNECT_DATA, 'b|1', 99);
    deliverTo('b|1', late);
    late.connect(0);

    expect(host.peerCount).toBe(ENET_PEERS_MAX);
    expect(connectedFrom.at(-1)).toBe('b|1');
  });

  test('32 connections whose messages were opened keep a 33rd out', () => {
    const { host, deliverTo } = bareHost(undefined, true);
    for (const client of fill(host, deliverTo)) client.sendReliable(0, Buffer.from('x'), 0);

    clientOf(host, CONNECT_DATA, 'b|1', 99).connect(0);

    expect(host.peerCount).toBe(ENET_PEERS_MAX);
    expect(host.counters.refusedConnects).toBe(1);
  });

  test('an unverified peer is forgotten after 10 s', () => {
    const { host } = bareHost();
    clientOf(host, CONNECT_DATA, 'a|1').connect(0);

    for (let nowMs = 0; nowMs <= 10_000; nowMs += 100) host.tick(nowMs);

    expect(host.peerCount).toBe(0);
  });

  test('a slot that is used again has another session, so old datagrams are strays', () => {
    const { host, deliverTo } = bareHost();
    const first = clientOf(host, CONNECT_DATA, 'a|1', 1);
    deliverTo('a|1', first);
    first.connect(0);
    first.disconnectNow(5);
    const second = clientOf(host, CONNECT_DATA, 'a|2', 2);
    deliverTo('a|2', second);
    second.connect(10);

    expect(second.hostPeerIndex).toBe(first.hostPeerIndex);
    expect(second.outgoingSession).not.toBe(first.outgoingSession);
  });
});

describe('sending', () => {
  test('reliable messages arrive in order on every channel over a link that loses a fifth', () => {
    const link = new SimulatedLink(random, {
      lossPct: 20,
      duplicatePct: 10,
      minDelayMs: 1,
      maxDelayMs: 40,
    });
    link.client.connect(link.nowMs);
    while (link.client.state === 'connecting' || link.peer === null) link.run(10);

    for (let index = 0; index < 300; index += 1) {
      link.sendToHost(index % 3, String(index));
      if (index % 2 === 0) expect(link.sendToClient(`h${index}`)).toBe(true);
      link.run(10);
    }
    link.run(8000);
    // A ping may be on its way at any moment; without losses it is answered soon.
    link.quality = GOOD_LINK;
    for (let waits = 0; waits < 3000 && !link.host.isDelivered(link.peerNumber); waits += 1) {
      link.run(1);
    }

    for (const channel of [0, 1, 2]) {
      const texts = link.hostMessages.filter((m) => m.channel === channel).map((m) => m.text);
      const wanted = Array.from({ length: 100 }, (_, index) => String(index * 3 + channel));
      expect(texts).toEqual(wanted);
    }
    const expected = Array.from({ length: 150 }, (_, index) => `h${index * 2}`);
    expect(link.clientMessages.map((m) => m.text)).toEqual(expected);
    expect(link.host.isDelivered(link.peerNumber)).toBe(true);
  });

  test('the sequence numbers of 70000 messages wrap without a loss', () => {
    const link = new SimulatedLink(random, GOOD_LINK);
    link.connect();

    for (let index = 0; index < 70_000; index += 1) {
      link.sendToHost(1, String(index));
      if (index % 64 === 0) link.run(2);
    }
    link.run(10);

    expect(link.hostMessages.length).toBe(70_000);
    expect(link.hostMessages.at(-1)?.text).toBe('69999');
  });

  test('unreliable messages never arrive twice and never go back in time', () => {
    const quality = { lossPct: 10, duplicatePct: 30, minDelayMs: 1, maxDelayMs: 30 };
    const link = new SimulatedLink(random, GOOD_LINK);
    link.connect();
    link.quality = quality;

    for (let index = 0; index < 500; index += 1) {
      link.client.sendUnreliable(4, Buffer.from(String(index)), link.nowMs);
      link.run(3);
    }
    link.run(100);

    const numbers = link.hostMessages.map((message) => Number(message.text));
    expect(numbers.length).toBeGreaterThan(50);
    expect(numbers).toEqual([...new Set(numbers)].sort((left, right) => left - right));
  });

  test('an unreliable message waits for nothing: without its reliable predecessor it is dropped', () => {
    const link = new SimulatedLink(random, GOOD_LINK);
    link.connect();
    link.quality = { ...GOOD_LINK, lossPct: 100 };
    link.sendToHost(4, 'lost for now');
    link.quality = GOOD_LINK;

    link.client.sendUnreliable(4, Buffer.from('too early'), link.nowMs);
    link.run(1200);
    expect(link.hostMessages.map((m) => m.text)).toEqual(['lost for now']);
    link.client.sendUnreliable(4, Buffer.from('in time'), link.nowMs);
    link.run(5);

    expect(link.hostMessages.map((m) => m.text)).toEqual(['lost for now', 'in time']);
  });

  test('unsequenced messages arrive once each, in any order', () => {
    const link = new SimulatedLink(random, GOOD_LINK);
    link.connect();
    link.quality = { lossPct: 0, duplicatePct: 60, minDelayMs: 1, maxDelayMs: 50 };

    for (let index = 0; index < 400; index += 1) {
      link.client.sendUnsequenced(0, Buffer.from(String(index)), link.nowMs);
      link.run(1);
    }
    link.run(100);

    const numbers = link.hostMessages.map((message) => Number(message.text));
    expect(numbers.length).toBe(400);
    expect(new Set(numbers).size).toBe(400);
    expect(numbers).not.toEqual([...numbers].sort((left, right) => left - right));
  });

  test('fragments of 64 KiB are put together over a bad link, in order with whole messages', () => {
    const link = new SimulatedLink(random, GOOD_LINK);
    link.connect();
    link.quality = { lossPct: 10, duplicatePct: 10, minDelayMs: 1, maxDelayMs: 20 };
    const long = Buffer.from(random.bytes(64 * 1024));

    link.sendToHost(0, 'before');
    link.client.sendFragmented(0, long, link.nowMs);
    link.sendToHost(0, 'after');
    link.run(9000);

    expect(link.hostMessages.map((m) => m.text.length)).toEqual([6, 65_536, 5]);
    expect(Buffer.from(link.hostMessages[1]?.text ?? '', 'latin1').equals(long)).toBe(true);
  });

  test('a fragmented message of 64 KiB and one byte is refused', () => {
    const link = new SimulatedLink(random, GOOD_LINK);
    link.connect();

    link.client.sendFragmented(0, Buffer.alloc(64 * 1024 + 1), link.nowMs);
    link.run(20);

    expect(link.hostMessages).toEqual([]);
    expect(link.host.counters.malformed).toBeGreaterThan(0);
  });

  test('a message longer than one datagram, or to a peer that is gone, is refused', () => {
    const link = new SimulatedLink(random, GOOD_LINK);
    link.connect();
    const peer = link.peerNumber;

    expect(link.host.send(peer, 0, new Uint8Array(872), 'reliable', link.nowMs)).toBe(true);
    expect(link.host.send(peer, 0, new Uint8Array(873), 'reliable', link.nowMs)).toBe(false);
    expect(link.host.send(peer + 1, 0, new Uint8Array(1), 'reliable', link.nowMs)).toBe(false);
  });

  test('the send queue ends at 256 messages and takes more once they are acked', () => {
    const link = new SimulatedLink(random, GOOD_LINK);
    link.connect();
    link.quality = { ...GOOD_LINK, lossPct: 100 };
    let sent = 0;
    while (sent < 1000 && link.sendToClient(String(sent))) sent += 1;

    expect(sent).toBe(256);
    link.quality = GOOD_LINK;
    link.run(3000);
    expect(link.clientMessages.length).toBe(256);
    expect(link.sendToClient('more')).toBe(true);
  });

  test('a peer with two channels hears the host on channel 0 whatever channel is named', () => {
    const link = new SimulatedLink(random, GOOD_LINK, 2);
    link.connect();

    link.host.send(link.peerNumber, 5, Buffer.from('x'), 'reliable', link.nowMs);
    link.run(5);

    expect(link.clientMessages).toEqual([{ channel: 0, text: 'x' }]);
  });

  test('unreliable and unsequenced messages of the host arrive', () => {
    const link = new SimulatedLink(random, GOOD_LINK);
    link.connect();

    link.host.send(link.peerNumber, 0, Buffer.from('u'), 'unreliable', link.nowMs);
    link.host.send(link.peerNumber, 0, Buffer.from('s'), 'unsequenced', link.nowMs);
    link.run(5);

    expect(link.clientMessages.map((m) => m.text)).toEqual(['u', 's']);
  });

  test('a gap of 256 waiting messages is the most that is buffered, and it still closes', () => {
    const link = new SimulatedLink(random, GOOD_LINK);
    link.connect();
    link.quality = { ...GOOD_LINK, lossPct: 100 };
    link.sendToHost(0, 'first');
    link.quality = GOOD_LINK;
    for (let index = 0; index < 400; index += 1) link.sendToHost(0, String(index));
    link.run(2);
    expect(link.hostMessages.length).toBe(0);

    link.run(4000);

    expect(link.hostMessages.length).toBe(401);
    expect(link.hostMessages.at(-1)?.text).toBe('399');
  });
});

describe('time', () => {
  test('an idle connection lives for a minute by pings of both sides', () => {
    const link = new SimulatedLink(random, GOOD_LINK);
    link.connect();

    link.run(60_000);

    expect(link.client.state).toBe('connected');
    expect(link.hostEvents).toEqual(['connected 10.0.0.2|50000']);
    expect(link.datagramsToHost).toBeLessThan(700);
  });

  test('a peer that falls silent is given up 10 s after the first unanswered ping', () => {
    const link = new SimulatedLink(random, GOOD_LINK);
    link.connect();
    link.quality = { ...GOOD_LINK, lossPct: 100 };

    link.run(9_900);
    expect(link.hostEvents).toHaveLength(1);
    link.run(700);

    expect(link.hostEvents[1]).toBe('disconnected timeout');
    expect(link.host.peerCount).toBe(0);
  });

  test('a lost message is sent again after the measured round trip, then at growing distances', () => {
    const link = new SimulatedLink(random, GOOD_LINK);
    link.connect();
    link.quality = { ...GOOD_LINK, lossPct: 100 };
    link.hostSentAtMs.length = 0;

    link.sendToClient('x');
    link.run(100);

    // Round trip 2 ms, spread at most the same: 4 ms after the first, n times that after the nth.
    const [start = 0, ...later] = link.hostSentAtMs;
    expect(later.map((atMs) => atMs - start)).toEqual([4, 12, 24, 40, 60, 84]);
  });
});

describe('goodbye', () => {
  test('the device says goodbye: it is acked and reported once, also when the ack is lost', () => {
    const link = new SimulatedLink(random, GOOD_LINK);
    link.connect();
    link.client.disconnect(link.nowMs);
    link.quality = { ...GOOD_LINK, lossPct: 100 };
    link.run(2);
    expect(link.client.state).toBe('disconnecting');
    link.quality = GOOD_LINK;
    link.run(1200);

    expect(link.clientEvents).toEqual(['disconnected asked']);
    expect(link.hostEvents).toEqual(['connected 10.0.0.2|50000', 'disconnected peer']);
    link.run(3000);
    expect(link.host.peerCount).toBe(0);
  });

  test('the goodbye without ack ends the peer at once', () => {
    const link = new SimulatedLink(random, GOOD_LINK);
    link.connect();

    link.client.disconnectNow(link.nowMs);
    link.run(2);

    expect(link.host.peerCount).toBe(0);
    expect(link.hostEvents[1]).toBe('disconnected peer');
  });

  test('of a device that was opened before is acked at once and believed after its silence', () => {
    const link = new SimulatedLink(random, GOOD_LINK);
    link.authenticPrefix = 'genuine';
    link.connect();
    link.sendToHost(0, 'genuine');
    link.run(5);

    link.client.disconnect(link.nowMs);
    link.run(5);
    expect(link.clientEvents).toEqual(['disconnected asked']);
    expect(link.hostEvents).toHaveLength(1);
    link.run(GOODBYE_DOUBT_MS);

    expect(link.hostEvents[1]).toBe('disconnected peer');
    link.run(3000);
    expect(link.host.peerCount).toBe(0);
  });

  test('is believed although messages that it overtook arrive behind it', () => {
    const link = new SimulatedLink(random, GOOD_LINK);
    link.authenticPrefix = 'genuine';
    link.connect();
    link.sendToHost(0, 'genuine first');
    link.run(5);

    link.client.disconnectNow(link.nowMs);
    link.run(5);
    const late = Buffer.from('8000000286000002000a', 'hex');
    const overtaken = Buffer.concat([late, Buffer.from('genuine ld')]);
    link.host.receive(overtaken, link.clientAddress, link.nowMs);
    link.run(GOODBYE_DOUBT_MS);

    expect(link.hostMessages.map((m) => m.text)).toEqual(['genuine first', 'genuine ld']);
    expect(link.hostEvents[1]).toBe('disconnected peer');
    expect(link.host.peerCount).toBe(0);
  });

  test('the host says goodbye after what was queued has been acked', () => {
    const link = new SimulatedLink(random, GOOD_LINK);
    link.connect();
    link.sendToClient('last words');

    link.host.disconnect(link.peerNumber, link.nowMs);
    link.run(20);

    expect(link.clientMessages.map((m) => m.text)).toEqual(['last words']);
    expect(link.clientEvents).toEqual(['disconnected host']);
    expect(link.hostEvents[1]).toBe('disconnected local');
    expect(link.host.peerCount).toBe(0);
  });

  test('a goodbye that nobody acks is over after 2 s', () => {
    const link = new SimulatedLink(random, GOOD_LINK);
    link.connect();
    link.quality = { ...GOOD_LINK, lossPct: 100 };

    link.host.disconnect(link.peerNumber, link.nowMs, 'now');
    link.run(2001);

    expect(link.hostEvents[1]).toBe('disconnected local');
  });
});

describe('another address', () => {
  test('a datagram from elsewhere that nothing authenticates changes nothing', () => {
    const link = new SimulatedLink(random, GOOD_LINK);
    link.connect();
    link.clientAddress = '203.0.113.9|1';

    link.sendToHost(0, 'forged');
    link.client.disconnectNow(link.nowMs);
    link.run(5);

    expect(link.hostMessages).toEqual([]);
    expect(link.host.counters.unproven).toBe(2);
    expect(link.hostEvents).toHaveLength(1);
  });

  test('a message that authenticates moves the peer and what follows is sent there', () => {
    const link = new SimulatedLink(random, GOOD_LINK);
    link.connect();
    link.clientAddress = '10.0.0.2|50001';
    link.authenticPrefix = 'genuine';

    link.sendToHost(0, 'genuine message');
    link.run(5);
    link.sendToClient('welcome');
    link.run(5);

    expect(link.hostMessages.map((m) => m.text)).toEqual(['genuine message']);
    expect(link.clientMessages.map((m) => m.text)).toEqual(['welcome']);
    expect(link.host.counters.roamed).toBe(1);
  });
});

function fill(
  host: EnetHost,
  deliverTo: (address: string, client: EnetClient) => void,
): EnetClient[] {
  return Array.from({ length: ENET_PEERS_MAX }, (_, index) => {
    const client = clientOf(host, CONNECT_DATA, `a|${index}`, index);
    deliverTo(`a|${index}`, client);
    client.connect(0);
    return client;
  });
}

function bareHost(
  onSent: (bytes: Uint8Array) => void = () => undefined,
  opensAll = false,
): {
  host: EnetHost;
  connectedFrom: string[];
  deliverTo: (address: string, client: EnetClient) => void;
} {
  const connectedFrom: string[] = [];
  const clients = new Map<string, EnetClient>();
  const host = new EnetHost({
    transmit: (to, bytes) => {
      onSent(bytes);
      clients.get(to)?.receive(bytes, 0);
    },
    accepts: (data) => data === CONNECT_DATA,
    connected: (_peer, _data, from) => connectedFrom.push(from),
    message: () => undefined,
    opens: () => opensAll,
    isAuthentic: () => false,
    disconnected: () => undefined,
  });
  return { host, connectedFrom, deliverTo: (address, client) => clients.set(address, client) };
}

function clientOf(host: EnetHost, connectData: number, from: string, connectId = 7): EnetClient {
  let nowMs = 0;
  return new EnetClient({
    transmit: (bytes) => {
      nowMs = Buffer.from(bytes).readUInt16BE(2);
      host.receive(bytes, from, nowMs);
    },
    connectData,
    connectId,
  });
}
