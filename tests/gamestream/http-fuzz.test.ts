import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { parseQuery } from '../../src/gamestream/nvhttp-query.ts';
import { NvRoutes } from '../../src/gamestream/nvhttp-routes.ts';
import { seededRandom } from '../support/random.ts';
import { type HttpFixture, makeDeviceCredentials, startHttpFixture } from './http-fixture.ts';
import { exchange, get } from './http-peer.ts';
import { vectors } from './pairing-script.ts';

const PATHS = [
  '/serverinfo',
  '/pair',
  '/unpair',
  '/applist',
  '/appasset',
  '/launch',
  '/resume',
  '/cancel',
  '/',
  '//serverinfo',
];
const PAIRS = [
  'uniqueid=0123456789ABCDEF',
  'uniqueid=',
  'phrase=getservercert',
  'phrase=pairchallenge',
  'phrase=x',
  vectors.phase1.query.slice(vectors.phase1.query.indexOf('salt=')),
  'salt=00',
  `clientchallenge=${vectors.phase2.clientchallenge}`,
  `serverchallengeresp=${vectors.phase3.serverchallengeresp}`,
  `clientpairingsecret=${vectors.phase4.clientpairingsecret}`,
  'clientchallenge=0',
  'appid=1',
  'appid=2',
  'appid=-0',
  'mode=1x1x1',
  'mode=1280x720x60',
  'rikey=00112233445566778899aabbccddeeff',
  'rikeyid=-1',
  'localAudioPlayMode=0',
  'surroundAudioInfo=99999999999',
  'gcmap=%31',
  'a=%ff',
  'corever=1',
];

let fixture: HttpFixture;
beforeAll(async () => {
  fixture = await startHttpFixture();
});
afterAll(() => fixture.stop());

describe('hostile HTTP', () => {
  test('100000 random requests are answered or held, with no fault and no growth', async () => {
    const random = seededRandom('nvhttp routes');
    const { host, pairing, roster, faults } = fixture;
    const { certificateDer } = makeDeviceCredentials();
    const added = roster.add({ certificateDer, name: 'fuzz', plane: 'gamestream' }, 0);
    const device = added.ok ? added.device : null;
    const onFault = (_path: string, error: unknown) => faults.push(error);
    const routes = new NvRoutes({ host, pairing, macOfAddress: () => null, onFault });
    const held = new Set<Promise<unknown>>();
    let heldMax = 0;
    for (let round = 0; round < 100_000; round += 1) {
      const count = Math.min(round, random.int(0, 8));
      const texts = Array.from({ length: count }, () => PAIRS[random.int(0, PAIRS.length - 1)]);
      const parsed = parseQuery(texts.join('&'));
      if (!parsed.ok) continue;
      const closed = new AbortController();
      const reply = routes.answer({
        path: PATHS[random.int(0, PATHS.length - 1)] ?? '',
        query: parsed.query,
        isTls: random.int(0, 1) === 1,
        device: random.int(0, 1) === 1 ? device : null,
        localAddress: '192.0.2.1',
        peerAddress: `192.0.2.${random.int(2, 9)}`,
        closed: closed.signal,
      });
      held.add(reply);
      void reply.then((answer) => {
        held.delete(reply);
        if (answer.httpStatus !== 200) expect(answer.httpStatus).toBe(404);
      });
      if (round % 64 === 0) await Bun.sleep(0);
      heldMax = Math.max(heldMax, round % 64 === 0 ? held.size : 0);
      if (random.int(0, 1) === 1) closed.abort();
      host.launched.length = 0;
    }
    await Bun.sleep(0);

    expect(faults).toEqual([]);
    expect(heldMax).toBeLessThanOrEqual(4);
    expect(pairing.pending().length).toBeLessThanOrEqual(4);
    expect(roster.count).toBe(1);
  }, 60_000);

  test('400 random byte strings on the sockets leave both ports answering', async () => {
    const random = seededRandom('nvhttp sockets');
    const starts = [
      '',
      'GET ',
      'GET /pair?',
      'GET /serverinfo HTTP/1.1\r\n',
      '\x16\x03\x01',
      'POST / ',
    ];
    const device = makeDeviceCredentials();
    const { certificateDer } = device;
    fixture.roster.add({ certificateDer, name: 'kept', plane: 'gamestream' }, 0);
    for (let round = 0; round < 100; round += 1) {
      const sends = Array.from({ length: 4 }, () => {
        const start = Buffer.from(starts[random.int(0, starts.length - 1)] ?? '', 'latin1');
        const tail = random.bytes(random.int(1, 600));
        const port = random.int(0, 1) === 0 ? fixture.server.httpPort : fixture.server.httpsPort;
        return exchange(port, Buffer.concat([start, tail]), 5);
      });
      await Promise.all(sends);
    }

    expect((await get(fixture, '/serverinfo')).status).toBe(200);
    expect((await get(fixture, '/serverinfo', { device })).text).toContain('<PairStatus>1<');
    expect(fixture.faults).toEqual([]);
  }, 60_000);
});
