import { describe, expect, test } from 'bun:test';
import { decode, encode } from 'dns-packet';
import { MdnsAnnouncement } from '../../src/net/mdns.ts';
import { readMessage, writeMessage } from '../../src/net/mdns-message.ts';
import { seededRandom } from '../support/random.ts';
import {
  HOST,
  INSTANCE,
  LINK,
  PEER,
  runningResponder,
  SERVICE,
  scriptResponder,
  TYPE,
  WIFI,
} from './mdns-script.ts';

const read = (bytes: Uint8Array) => readMessage(decode(bytes));

/** Everything the responder says in its life, as bytes. */
function spokenBytes(): Uint8Array[] {
  const { responder, run } = scriptResponder([SERVICE], [LINK, WIFI]);
  responder.start(0);
  const sent = [...run(5_000).map(({ action }) => action), ...responder.stop()];
  return sent.map(({ message }) => Uint8Array.from(encode(writeMessage(message))));
}

describe('messages on the wire', () => {
  test('what we say is read back as what we meant', () => {
    const { responder, run } = scriptResponder([{ ...SERVICE, txt: ['a=1', 'b'] }], [WIFI]);
    responder.start(0);
    for (const { action } of run(5_000)) {
      const heard = read(encode(writeMessage(action.message)));
      expect(heard?.answers).toEqual([...action.message.answers]);
      expect(heard?.authorities).toEqual([...action.message.authorities]);
      expect(heard?.questions.map(({ name }) => name)).toEqual(
        action.message.questions.map(({ name }) => name),
      );
    }
  });

  test('a response is authoritative, flushes what is ours alone, and has an empty TXT', () => {
    const { responder, run } = scriptResponder();
    responder.start(0);
    const announcement = run(5_000).find(({ action }) => action.message.kind === 'response');
    const packet = decode(encode(writeMessage(announcement?.action.message ?? EMPTY)));

    expect(packet).toMatchObject({ type: 'response', flag_aa: true, id: 0 });
    const answers = packet['answers'] as { type: string; flush: boolean; data: unknown }[];
    expect(answers.map(({ type, flush }) => [type, flush])).toEqual([
      ['PTR', false],
      ['PTR', false],
      ['SRV', true],
      ['TXT', true],
      ['A', true],
    ]);
    expect(answers[3]?.data).toEqual([Buffer.alloc(0)]);
  });

  test('a question that welcomes unicast is understood', () => {
    const bytes = Buffer.from(
      encode({ type: 'query', questions: [{ name: HOST, type: 'A', class: 'IN' }] }),
    );
    bytes.writeUInt16BE(0x8001, bytes.length - 2);
    expect(read(bytes)?.questions).toEqual([{ name: HOST, type: 'A', wantsUnicast: true }]);
    bytes.writeUInt16BE(3, bytes.length - 2);
    expect(read(bytes)?.questions).toEqual([]);
  });

  test('a truncated query is known as one, and at most 32 questions are looked at', () => {
    const questions = Array.from({ length: 200 }, () => ({ name: 'a', type: 'A', class: 'IN' }));
    const heard = read(encode({ type: 'query', flags: 1 << 9, questions }));
    expect(heard?.isTruncated).toBe(true);
    expect(heard?.questions).toHaveLength(32);
  });

  test.each([null, undefined, 1, 'x', {}, { questions: 1, answers: [null, 1, {}] }])(
    '%j is no reason for an exception',
    (value) => {
      const heard = readMessage(value);
      expect(heard === null || heard.answers.length === 0).toBe(true);
    },
  );

  test('100000 random and damaged datagrams are answered or ignored, with nothing piling up', () => {
    const random = seededRandom('mdns datagrams');
    const samples = [
      ...spokenBytes(),
      encode({
        type: 'query',
        questions: [
          { name: TYPE, type: 'PTR', class: 'IN' },
          { name: INSTANCE, type: 'ANY', class: 'IN' },
        ],
        answers: [{ name: TYPE, type: 'PTR', ttl: 4_500, data: INSTANCE }],
      }),
    ];
    const { responder, run } = runningResponder([SERVICE], [LINK, WIFI]);
    let nowMs = 10_000;
    let readCount = 0;
    for (let round = 0; round < 100_000; round += 1) {
      const sample = samples[random.int(0, samples.length - 1)] ?? new Uint8Array(0);
      const bytes =
        round % 4 === 0
          ? random.bytes(Math.min(round, random.int(0, 80)))
          : Uint8Array.from(sample);
      for (let hits = random.int(0, 3); hits > 0 && bytes.length > 0; hits -= 1) {
        bytes[random.int(0, bytes.length - 1)] = random.int(0, 255);
      }
      nowMs += random.int(0, 40);
      let packet: Record<string, unknown> | null = null;
      try {
        packet = decode(Buffer.from(bytes));
      } catch {
        // The library refuses it; the socket reports a warning.
      }
      const message = readMessage(packet);
      if (!message) continue;
      readCount += 1;
      const link = random.int(0, 1) === 0 ? LINK : WIFI;
      const peer = { ...PEER, port: random.int(0, 1) === 0 ? 5353 : 9 };
      const actions = responder.query(message, link.key, peer, nowMs);
      expect(actions.length).toBeLessThanOrEqual(1);
      if (random.int(0, 3) === 0) responder.response(message, link.key, nowMs);
      for (const { action } of run(nowMs)) {
        expect(encode(writeMessage(action.message)).length).toBeLessThan(1_400);
      }
      if (responder.state === 'probing' && random.int(0, 9) === 0) nowMs += 3_000;
    }
    expect(readCount).toBeGreaterThan(10_000);
    expect(run(nowMs + 20_000).length).toBeLessThan(40);
    expect(responder.state).toBe('running');
    expect(responder.nextWakeMs()).toBeNull();
  }, 60_000);
});

describe('an announcement without a usable port', () => {
  test('is one sentence with the next step, and nothing else', async () => {
    const warnings: string[] = [];
    const announcement = await MdnsAnnouncement.open({
      hostLabel: 'punktfunk-1',
      services: [SERVICE],
      onWarning: (sentence) => warnings.push(sentence),
      interfaces: () => [
        {
          interfaceName: 'nowhere0',
          address: '203.0.113.77',
          family: 'IPv4',
          prefixLength: 24,
          mac: '02:00:00:00:00:01',
          isInternal: false,
        },
      ],
    });

    expect(announcement.isOpen).toBe(false);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/5353.*; add the host on the device by its address$/);
    expect(announcement.instanceLabels).toEqual(['den']);
    await announcement.close();
    await announcement.close();
  });

  test('without any interface there is nothing to say', async () => {
    const warnings: string[] = [];
    const announcement = await MdnsAnnouncement.open({
      hostLabel: 'punktfunk-1',
      services: [SERVICE],
      onWarning: (sentence) => warnings.push(sentence),
      interfaces: () => [],
    });
    expect([announcement.isOpen, warnings]).toEqual([false, []]);
    await announcement.close();
  });
});

const EMPTY = {
  kind: 'response' as const,
  id: 0,
  questions: [],
  answers: [],
  authorities: [],
  additionals: [],
  negatives: [],
  flush: true,
};
