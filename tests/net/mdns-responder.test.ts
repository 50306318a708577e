import { describe, expect, test } from 'bun:test';
import {
  answersOf,
  ask,
  HOST,
  INSTANCE,
  LINK,
  message,
  PEER,
  pointer,
  runningResponder,
  SERVICE,
  scriptResponder,
  srv,
  TYPE,
  WIFI,
} from './mdns-script.ts';

describe('claiming names', () => {
  test('three probes 250 ms apart, then two announcements a second apart', () => {
    const { responder, run } = scriptResponder();
    responder.start(0);

    const sent = run(60_000);

    expect(sent.map(({ atMs, action }) => [atMs, action.message.kind])).toEqual([
      [125, 'query'],
      [375, 'query'],
      [625, 'query'],
      [875, 'response'],
      [1_875, 'response'],
    ]);
    expect(responder.state).toBe('running');
  });

  test('a probe asks for every name of ours and proposes its records without the flush bit', () => {
    const { responder, run } = scriptResponder();
    responder.start(0);

    const probe = run(125)[0]?.action.message;

    expect(probe?.questions.map(({ name, type }) => `${name} ${type}`)).toEqual([
      `${HOST} ANY`,
      `${INSTANCE} ANY`,
    ]);
    expect(probe?.authorities.map(({ data }) => data.type)).toEqual(['A', 'SRV', 'TXT']);
    expect(probe?.flush).toBe(false);
  });

  test('an announcement carries everything, with flush, and only the addresses of its link', () => {
    const { responder, run } = scriptResponder([SERVICE], [LINK, WIFI]);
    responder.start(0);

    const announced = run(875).filter(({ atMs }) => atMs === 875);

    expect(announced.map(({ action }) => action.linkKey)).toEqual([LINK.key, WIFI.key]);
    const [wired, wireless] = announced.map(({ action }) => action.message);
    expect(wired?.flush).toBe(true);
    expect(wired && answersOf(wired)).toEqual([
      '_services._dns-sd._udp.local PTR',
      `${TYPE} PTR`,
      `${INSTANCE} SRV`,
      `${INSTANCE} TXT`,
      `${HOST} A`,
    ]);
    expect(wired?.answers.map(({ ttlS }) => ttlS)).toEqual([4_500, 4_500, 120, 4_500, 120]);
    expect(wireless?.answers.slice(4).map(({ data }) => data)).toEqual([
      { type: 'A', address: '198.51.100.1' },
      { type: 'AAAA', address: 'fe80::1' },
    ]);
  });

  test('nothing is answered before the names are ours', () => {
    const { responder, run } = scriptResponder();
    responder.start(0);
    run(375);

    expect(responder.query(ask(TYPE, 'PTR'), LINK.key, { ...PEER, port: 999 }, 400)).toEqual([]);
    expect(responder.query(ask(HOST, 'A'), LINK.key, PEER, 400)).toEqual([]);
    expect(run(624)).toEqual([]);
  });

  test('a name that another host has is left to it: name-2, name-3', () => {
    const { responder, zone, run } = scriptResponder();
    responder.start(0);
    run(300);

    responder.response(message({ answers: [srv(1)] }), LINK.key, 300);
    run(700);
    expect(zone.instanceLabels).toEqual(['den-2']);
    responder.response(
      message({ answers: [srv(1, 'x.local', 'DEN-2._nvstream._tcp.local')] }),
      LINK.key,
      700,
    );
    const sent = run(10_000);

    expect(zone.instanceLabels).toEqual(['den-3']);
    expect(zone.hostName).toBe(HOST);
    expect(sent.filter(({ action }) => action.message.kind === 'query')).toHaveLength(3);
    expect(responder.state).toBe('running');
  });

  test('a record of any type under the name is a conflict while probing', () => {
    const { responder, zone, run } = scriptResponder();
    responder.start(0);
    run(300);
    const address = { name: INSTANCE, ttlS: 1, data: { type: 'A' as const, address: '10.0.0.1' } };

    responder.response(message({ additionals: [address] }), LINK.key, 300);

    expect(zone.instanceLabels).toEqual(['den-2']);
  });

  test('what comes back of our own words is no conflict, from another link either', () => {
    const { responder, zone, run } = scriptResponder([SERVICE], [LINK, WIFI]);
    responder.start(0);
    const probes = run(125);
    for (const { action } of probes) {
      const heard = message({ ...action.message, answers: action.message.authorities });
      responder.response(heard, LINK.key, 130);
      responder.query(message(action.message), WIFI.key, PEER, 130);
    }

    expect(zone.instanceLabels).toEqual(['den']);
    expect(run(875).at(-1)?.action.message.kind).toBe('response');
  });

  test('fifteen conflicts within ten seconds make the next probe wait five seconds', () => {
    const { responder, zone, run } = scriptResponder();
    responder.start(0);
    for (let round = 0; round < 15; round += 1) {
      const taken = srv(1, 'x.local', `${zone.instanceLabels[0]}.${TYPE}`);
      responder.response(message({ answers: [taken] }), LINK.key, round);
    }

    expect(zone.instanceLabels).toEqual(['den-16']);
    expect(run(5_013)).toEqual([]);
    expect(run(5_014)).toHaveLength(1);
  });
});

describe('two hosts that probe at once', () => {
  const probe = (port: number, target = HOST) =>
    message({
      questions: [{ name: INSTANCE, type: 'ANY', wantsUnicast: false }],
      authorities: [
        { name: INSTANCE, ttlS: 4_500, data: { type: 'TXT', entries: [] } },
        srv(port, target),
      ],
    });

  test('the one with the lower records waits a second and asks again', () => {
    const { responder, run } = scriptResponder();
    responder.start(0);
    run(125);

    responder.query(probe(47_990), LINK.key, PEER, 130);

    expect(responder.nextWakeMs()).toBe(1_130);
    expect(run(1_900).map(({ atMs }) => atMs)).toEqual([1_130, 1_380, 1_630, 1_880]);
  });

  test('the one with the higher records goes on', () => {
    const { responder, run } = scriptResponder();
    responder.start(0);
    run(125);

    responder.query(probe(47_988), LINK.key, PEER, 130);

    expect(responder.nextWakeMs()).toBe(375);
  });

  test('the same records are our own', () => {
    const { responder, run } = scriptResponder();
    responder.start(0);
    run(125);

    responder.query(probe(47_989), LINK.key, PEER, 130);

    expect(responder.nextWakeMs()).toBe(375);
  });

  test('more records win over fewer when the fewer are the same', () => {
    const { responder, run } = scriptResponder();
    responder.start(0);
    run(125);
    const fuller = probe(47_989);
    const extra = srv(50_000);

    responder.query(
      message({ ...fuller, authorities: [...fuller.authorities, extra] }),
      LINK.key,
      PEER,
      130,
    );

    expect(responder.nextWakeMs()).toBe(1_130);
  });
});

describe('answering', () => {
  test('the type is answered after 20 to 120 ms with everything needed to connect', () => {
    for (const [random, delayMs] of [
      [0, 20],
      [0.999, 119],
    ] as const) {
      const { responder, run } = runningResponder([SERVICE], [LINK], () => random);
      responder.query(ask(TYPE, 'PTR'), LINK.key, PEER, 10_000);

      const [sent] = run(20_000);

      expect(Math.floor((sent?.atMs ?? 0) - 10_000)).toBe(delayMs);
      expect(sent?.action.to).toBeUndefined();
      expect(sent?.action.message.answers).toEqual([pointer(TYPE, INSTANCE)]);
      expect(sent?.action.message.additionals.map(({ data }) => data.type)).toEqual([
        'SRV',
        'TXT',
        'A',
      ]);
    }
  });

  test('names that are ours alone are answered at once', () => {
    const { responder, run } = runningResponder();
    responder.query(ask(INSTANCE.toUpperCase(), 'SRV'), LINK.key, PEER, 10_000);
    responder.query(ask(HOST, 'A'), LINK.key, PEER, 10_000);

    const sent = run(10_000);

    expect(sent).toHaveLength(1);
    expect(sent[0] && answersOf(sent[0].action.message)).toEqual([`${INSTANCE} SRV`, `${HOST} A`]);
    expect(sent[0]?.action.message.additionals).toEqual([]);
  });

  test('the meta query names each type once', () => {
    const native = { instance: 'den', type: '_punktfunk._udp', port: 9, txt: ['v=1'] };
    const second = { ...SERVICE, instance: 'other' };
    const { responder, run } = runningResponder([SERVICE, second, native]);
    responder.query(ask('_services._dns-sd._udp.local', 'PTR'), LINK.key, PEER, 10_000);

    expect(run(20_000)[0]?.action.message.answers.map(({ data }) => data)).toEqual([
      { type: 'PTR', target: TYPE },
      { type: 'PTR', target: '_punktfunk._udp.local' },
    ]);
  });

  test.each([
    [4_500, 0],
    [2_250, 0],
    [2_249, 1],
  ])('an answer the asker knows for another %d s is sent %d times', (ttlS, count) => {
    const { responder, run } = runningResponder();
    const question = ask(TYPE, 'PTR');
    responder.query(
      message({ ...question, answers: [pointer(TYPE, INSTANCE, ttlS)] }),
      LINK.key,
      PEER,
      10_000,
    );
    expect(run(20_000)).toHaveLength(count);
  });

  test('after a truncated query we wait for what else the asker knows', () => {
    const { responder, run } = runningResponder();
    const truncated = { ...ask(TYPE, 'PTR'), isTruncated: true };
    responder.query(truncated, LINK.key, PEER, 10_000);
    expect(run(10_399)).toEqual([]);

    responder.query(message({ answers: [pointer(TYPE, INSTANCE)] }), LINK.key, PEER, 10_399);

    expect(run(20_000)).toEqual([]);
  });

  test('another host that asked as well still gets its answer', () => {
    const { responder, run } = runningResponder();
    const truncated = { ...ask(TYPE, 'PTR'), isTruncated: true };
    responder.query(truncated, LINK.key, PEER, 10_000);
    responder.query(truncated, LINK.key, { ...PEER, address: '192.0.2.8' }, 10_000);
    responder.query(message({ answers: [pointer(TYPE, INSTANCE)] }), LINK.key, PEER, 10_100);

    expect(run(20_000)).toHaveLength(1);
  });

  test('an answer that another host has just given is not repeated', () => {
    const { responder, run } = runningResponder();
    responder.query(ask(TYPE, 'PTR'), LINK.key, PEER, 10_000);
    responder.response(message({ answers: [pointer(TYPE, INSTANCE)] }), LINK.key, 10_005);
    expect(run(20_000)).toEqual([]);
  });

  test('a record is multicast once a second however often it is asked for', () => {
    const { responder, run } = runningResponder();
    const sent: number[] = [];
    for (let atMs = 10_000; atMs < 12_000; atMs += 10) {
      responder.query(ask(HOST, 'A'), LINK.key, PEER, atMs);
      sent.push(...run(atMs).map((entry) => entry.atMs));
    }
    expect(sent).toEqual([10_000, 11_000]);
  });

  test('a name under attack is defended within 250 ms', () => {
    const { responder, run } = runningResponder();
    responder.query(ask(INSTANCE, 'SRV'), LINK.key, PEER, 10_000);
    run(10_000);
    const probe = { ...ask(INSTANCE), authorities: [srv(1)] };

    responder.query(probe, LINK.key, PEER, 10_100);

    const sent = run(20_000).map(({ atMs, action }) => [atMs, answersOf(action.message)]);
    expect(sent).toEqual([
      [10_100, [`${INSTANCE} TXT`]],
      [10_250, [`${INSTANCE} SRV`]],
    ]);
  });

  test('a question for a type we lack is answered with what there is', () => {
    const { responder, run } = runningResponder();
    responder.query(ask(HOST, 'AAAA'), LINK.key, PEER, 10_000);

    expect(run(10_000)[0]?.action.message).toMatchObject({
      answers: [],
      negatives: [{ name: HOST, ttlS: 120, types: ['A'] }],
    });
  });

  test('what is not ours is not answered', () => {
    const { responder, run } = runningResponder();
    for (const name of ['other.local', '_other._tcp.local', 'local', '', `x.${INSTANCE}`]) {
      for (const type of ['ANY', 'PTR', 'A', 'TXT', 'UNKNOWN_65']) {
        responder.query(ask(name, type), LINK.key, PEER, 10_000);
      }
    }
    responder.query(ask(HOST, 'A'), 'no such link', PEER, 10_000);
    expect(run(20_000)).toEqual([]);
  });

  test('who may be answered alone is, while everybody has the record fresh', () => {
    const { responder, run } = runningResponder();

    const [direct] = responder.query(ask(HOST, 'A', true), LINK.key, PEER, 10_000);
    expect(direct?.to).toEqual(PEER);
    expect(run(10_000)).toEqual([]);

    // A quarter of 120 s after the announcement at 1875 ms.
    expect(responder.query(ask(HOST, 'A', true), LINK.key, PEER, 31_875)).toEqual([]);
    expect(run(31_875)).toHaveLength(1);
  });
});

describe('plain DNS clients', () => {
  const client = { address: '192.0.2.9', port: 40_000 };

  test('get one packet with their id and question, short-lived and without flush', () => {
    const { responder, run } = runningResponder();

    const [sent] = responder.query({ ...ask(TYPE, 'PTR'), id: 77 }, LINK.key, client, 10_000);

    expect(sent?.to).toEqual(client);
    expect(sent?.message).toMatchObject({ id: 77, flush: false, negatives: [] });
    expect(sent?.message.questions).toHaveLength(1);
    const records = [...(sent?.message.answers ?? []), ...(sent?.message.additionals ?? [])];
    expect(records.map(({ ttlS }) => ttlS)).toEqual([10, 10, 10, 10]);
    expect(run(20_000)).toEqual([]);
  });

  test('at port 0, where nobody can be answered, get nothing', () => {
    const { responder } = runningResponder();
    const nowhere = { ...client, port: 0 };

    expect(responder.query(ask(TYPE, 'PTR'), LINK.key, nowhere, 10_000)).toEqual([]);
  });

  test('get at most 50 packets a second', () => {
    const { responder } = runningResponder();
    const count = (nowMs: number) =>
      Array.from({ length: 200 }, () =>
        responder.query(ask(HOST, 'A'), LINK.key, client, nowMs),
      ).flat().length;
    expect(count(10_000)).toBe(50);
    expect(count(11_000)).toBe(50);
  });
});

describe('a conflict in the middle of the day', () => {
  test('makes us claim the name again, and give it up when the other defends it', () => {
    const { responder, zone, run } = runningResponder();
    const other = message({ answers: [srv(1)] });

    responder.response(other, LINK.key, 10_000);
    expect(responder.state).toBe('probing');
    expect(zone.instanceLabels).toEqual(['den']);
    run(10_200);
    responder.response(other, LINK.key, 10_200);
    run(20_000);

    expect(zone.instanceLabels).toEqual(['den-2']);
    expect(responder.state).toBe('running');
  });

  test.each([
    ['a goodbye', { ...srv(1), ttlS: 0 }],
    ['a pointer of another host', pointer(TYPE, 'other._nvstream._tcp.local')],
    ['a record of another name', srv(1, 'x.local', 'other._nvstream._tcp.local')],
    ['our own record', srv(47_989, HOST.toUpperCase())],
    ['another type', { name: INSTANCE, ttlS: 9, data: { type: 'A' as const, address: '1.2.3.4' } }],
  ])('is not %s', (_name, record) => {
    const { responder } = runningResponder();
    responder.response(message({ answers: [record] }), LINK.key, 10_000);
    expect(responder.state).toBe('running');
  });
});

describe('the end and changes', () => {
  test('goodbye is said for every record on every link, once', () => {
    const { responder, run } = runningResponder([SERVICE], [LINK, WIFI]);

    const sent = responder.stop();

    expect(sent.map(({ linkKey }) => linkKey)).toEqual([LINK.key, WIFI.key]);
    for (const { message: goodbye } of sent) {
      expect(goodbye.answers.length).toBeGreaterThan(4);
      expect(goodbye.answers.every(({ ttlS }) => ttlS === 0)).toBe(true);
    }
    expect(responder.stop()).toEqual([]);
    responder.query(ask(HOST), LINK.key, PEER, 10_000);
    responder.response(message({ answers: [srv(1)] }), LINK.key, 10_000);
    expect(run(20_000)).toEqual([]);
  });

  test('nothing is taken back that was never said', () => {
    const { responder, run } = scriptResponder();
    responder.start(0);
    run(700);
    expect(responder.stop()).toEqual([]);
  });

  test('a new link makes us claim and announce again', () => {
    const { responder, run } = runningResponder();

    responder.setLinks([LINK, WIFI], 10_000);
    const sent = run(20_000);

    expect(sent.filter(({ action }) => action.linkKey === WIFI.key)).toHaveLength(5);
    expect(responder.state).toBe('running');
  });

  test('a stopped responder stays stopped when links change', () => {
    const { responder } = runningResponder();
    responder.stop();
    responder.setLinks([WIFI], 10_000);
    expect(responder.state).toBe('stopped');
  });
});
