import { describe, expect, test } from 'bun:test';
import { EnetHost } from '../../../src/gamestream/enet/host.ts';
import { SlidingWindow } from '../../../src/gamestream/enet/sliding-window.ts';
import { decodeDatagram } from '../../../src/gamestream/enet/wire.ts';
import { seededRandom } from '../../support/random.ts';
import { GOOD_LINK, SimulatedLink } from './simulated-link.ts';

const random = seededRandom('ENet wire');
const FUZZ_COUNT = 120_000;

describe('decodeDatagram', () => {
  test.each([
    ['empty', []],
    ['one byte', [0x8f]],
    ['a time that is cut off', [0x8f, 0xff, 0]],
    ['compressed', [0x40, 0, 0, 0]],
  ])('a datagram that is %s is none', (_name, bytes) => {
    expect(decodeDatagram(Uint8Array.from(bytes))).toBeNull();
  });

  test('reading stops at the first command that is not whole', () => {
    const ack = [0x01, 0, 0, 1, 0, 1, 0, 0];
    const cut = decodeDatagram(Uint8Array.from([0, 0, ...ack, 0x06, 0, 0, 1, 0, 9, 1]));
    const unknown = decodeDatagram(Uint8Array.from([0, 0, 0x0d, 0, 0, 0, ...ack]));

    expect(cut?.commands.length).toBe(1);
    expect(cut?.isCutShort).toBe(true);
    expect(unknown?.commands.length).toBe(0);
  });

  test('at most 32 commands are read', () => {
    const bytes = new Uint8Array(2 + 40 * 8);
    for (let index = 0; index < 40; index += 1) bytes[2 + index * 8] = 1;

    expect(decodeDatagram(bytes)?.commands.length).toBe(32);
  });
});

describe('SlidingWindow', () => {
  test('each number is accepted once within the last 1024, older ones never', () => {
    const window = new SlidingWindow();

    expect(window.accept(5)).toBe(true);
    expect(window.accept(5)).toBe(false);
    expect(window.accept(3)).toBe(true);
    expect(window.accept(1028)).toBe(true);
    expect(window.isFresh(4)).toBe(false);
    expect(window.accept(6)).toBe(true);
    expect(window.accept(1029)).toBe(true);
    expect(window.isFresh(5)).toBe(false);
    expect(window.accept(0xffff_ffff)).toBe(true);
    expect(window.accept(0xffff_fffe)).toBe(true);
    expect(window.accept(0xffff_ffff)).toBe(false);
  });

  test('agrees with a plain set over 100000 random steps', () => {
    const window = new SlidingWindow();
    const seen = new Set<number>();
    let highest = -1;
    for (let step = 0; step < 100_000; step += 1) {
      const sequence = Math.max(0, highest + random.int(-1100, 40));
      const wanted = sequence > highest - 1024 && !seen.has(sequence);
      if (window.accept(sequence) !== wanted) throw new Error(`step ${step}: ${sequence}`);
      if (wanted) seen.add(sequence);
      highest = Math.max(highest, wanted ? sequence : highest);
    }
  });
});

describe('hostile datagrams', () => {
  test(`${FUZZ_COUNT} random and damaged datagrams raise nothing and leave bounded state`, () => {
    const link = new SimulatedLink(random, GOOD_LINK);
    link.connect();
    const samples = realDatagrams();
    let handed = 0;
    const host = link.host;

    for (let index = 0; index < FUZZ_COUNT; index += 1) {
      const from = index % 3 === 0 ? '198.51.100.7|9' : link.clientAddress;
      host.receive(fuzzInput(index, samples), from, link.nowMs + index / 100);
      if (index % 1000 === 0) host.tick(link.nowMs + index / 100);
      handed += 1;
    }

    expect(handed).toBe(FUZZ_COUNT);
    expect(host.peerCount).toBeLessThanOrEqual(32);
    // Nothing that was buffered survives the peers.
    for (let nowMs = 0; nowMs < 40_000; nowMs += 500) host.tick(link.nowMs + 2000 + nowMs);
    expect(host.peerCount).toBe(0);
  });

  test('a peer that sends only gaps is held to 512 KiB', () => {
    const sent: Uint8Array[] = [];
    const host = new EnetHost({
      transmit: (_to, bytes) => sent.push(bytes),
      accepts: () => true,
      connected: () => undefined,
      message: () => undefined,
      opens: () => false,
      isAuthentic: () => false,
      disconnected: () => undefined,
    });
    const [connect] = realDatagrams();
    host.receive(connect ?? new Uint8Array(), 'a|1', 0);
    host.receive(Uint8Array.from([0, 0, 0x01, 0xff, 0, 1, 0, 1, 0, 0]), 'a|1', 1);
    sent.length = 0;
    let acked = 0;
    for (let sequence = 2; sequence < 3000; sequence += 1) {
      const bytes = new Uint8Array(10 + 1200);
      const view = new DataView(bytes.buffer);
      view.setUint16(0, 0x8000);
      view.setUint8(4, 0x86);
      view.setUint8(5, sequence % 48);
      view.setUint16(6, 2 + Math.floor(sequence / 48));
      view.setUint16(8, 1200);
      host.receive(bytes, 'a|1', 2);
      acked = sent.length;
    }

    expect(acked).toBe(Math.floor((512 * 1024) / 1200));
  });
});

function realDatagrams(): Uint8Array[] {
  const datagrams: Uint8Array[] = [];
  const link = new SimulatedLink(random, GOOD_LINK);
  const receive = link.host.receive.bind(link.host);
  link.host.receive = (bytes, from, nowMs) => {
    datagrams.push(Uint8Array.from(bytes));
    receive(bytes, from, nowMs);
  };
  link.connect();
  link.sendToHost(0, 'reliable');
  link.client.sendUnreliable(4, Buffer.from('unreliable'), link.nowMs);
  link.client.sendUnsequenced(0, Buffer.from('unsequenced'), link.nowMs);
  link.client.sendFragmented(0, Buffer.alloc(3000, 7), link.nowMs);
  link.run(600);
  link.client.disconnect(link.nowMs);
  link.run(5);
  return datagrams;
}

function fuzzInput(index: number, samples: readonly Uint8Array[]): Uint8Array {
  if (index % 2 === 0) {
    const bytes = random.bytes(Math.min(index >> 4, random.int(0, 1500)));
    // Half of the noise claims to be a datagram of the first peer.
    if (index % 4 === 0 && bytes.length > 2) {
      bytes[0] = (bytes[0] ?? 0) & 0xb0;
      bytes[1] = 0;
    }
    return bytes;
  }
  const sample = samples[random.int(0, samples.length - 1)] ?? new Uint8Array();
  const bytes = sample.slice(0, random.int(0, 9) === 0 ? random.int(0, sample.length) : undefined);
  for (let damage = random.int(0, 4); damage > 0 && bytes.length > 0; damage -= 1) {
    bytes[random.int(0, bytes.length - 1)] = random.int(0, 255);
  }
  return bytes;
}
