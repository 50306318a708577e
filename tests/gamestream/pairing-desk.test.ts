import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { certificateSignature } from '../../src/trust/der.ts';
import { type HttpFixture, makeDeviceCredentials, startHttpFixture } from './http-fixture.ts';
import { get } from './http-peer.ts';
import { PairingClient, readReply } from './pairing-client.ts';

const COMMON = 'uniqueid=0123456789ABCDEF&uuid=1&devicename=roth&updateState=1';

let fixture: HttpFixture;
beforeEach(async () => {
  fixture = await startHttpFixture();
});
afterEach(() => fixture.stop());

function makeClient(pin: string, device = makeDeviceCredentials()) {
  const client = new PairingClient({
    certificatePem: device.certificatePem,
    certificateSignature: certificateSignature(device.certificateDer) ?? new Uint8Array(0),
    privateKey: device.privateKey,
    pin,
    salt: randomBytes(16),
    challenge: randomBytes(16),
    secret: randomBytes(16),
  });
  return { client, device };
}

const ask = async (query: string, signal?: AbortSignal) =>
  readReply((await get(fixture, `/pair?${COMMON}&${query}`, signal ? { signal } : {})).text);

async function firstPending() {
  for (;;) {
    const [pending] = fixture.pairing.pending();
    if (pending) return pending;
    await Bun.sleep(2);
  }
}

async function runPhases(client: PairingClient, plaincert: Buffer) {
  const second = await ask(client.phase2(plaincert, fixture.identity.certificateSignature));
  const third = await ask(client.phase3(second.value ?? Buffer.alloc(48)));
  const proof = client.isHostProven(third.value ?? Buffer.alloc(272));
  const fourth = await ask(client.phase4);
  return { proof, paired: fourth.paired };
}

describe('pairing over the network', () => {
  test('holds the first answer until the PIN, then pairs, and the next TLS request is let in', async () => {
    const { client, device } = makeClient('0815');
    let isAnswered = false;
    const first = ask(client.phase1).then((reply) => {
      isAnswered = true;
      return reply;
    });
    const pending = await firstPending();
    expect(pending).toMatchObject({ peerAddress: '127.0.0.1', uniqueId: '0123456789ABCDEF' });
    expect((await get(fixture, '/serverinfo')).status).toBe(200);
    expect(isAnswered).toBe(false);

    const result = fixture.pairing.submitPin(pending.id, '0815', 'Den');
    const { paired, value } = await first;
    expect(paired).toBe(1);
    expect(value?.toString()).toBe(fixture.identity.certificatePem);
    expect(fixture.roster.count).toBe(0);
    expect(await runPhases(client, value ?? Buffer.alloc(0))).toEqual({
      proof: { signature: true, pin: true },
      paired: 1,
    });

    expect(await result).toMatchObject({ paired: true, device: { name: 'Den', enabled: true } });
    const last = await get(fixture, `/pair?${COMMON}&phrase=pairchallenge`, { device });
    expect(readReply(last.text)).toMatchObject({ status: 200, paired: 1 });
    const info = await get(fixture, '/serverinfo', { device });
    expect(info.text).toContain('<PairStatus>1</PairStatus>');
  });

  test('a wrong PIN is told to the operator as such and stores nothing', async () => {
    const { client, device } = makeClient('1111');
    const first = ask(client.phase1);
    const result = fixture.pairing.submitPin((await firstPending()).id, '2222');
    const { value } = await first;

    expect(await runPhases(client, value ?? Buffer.alloc(0))).toEqual({
      proof: { signature: true, pin: false },
      paired: 0,
    });

    expect(await result).toMatchObject({ paired: false, code: 'wrong_pin' });
    expect(fixture.roster.count).toBe(0);
    const last = await get(fixture, `/pair?${COMMON}&phrase=pairchallenge`, { device });
    expect(readReply(last.text)).toMatchObject({ status: 400, paired: 0 });
  });

  test('a device that hangs up before the PIN leaves the list', async () => {
    const { client } = makeClient('1234');
    const hangUp = new AbortController();
    const first = ask(client.phase1, hangUp.signal).catch(() => null);
    const { id } = await firstPending();

    hangUp.abort();
    await first;
    while (fixture.pairing.pending().length > 0) await Bun.sleep(2);

    expect(await fixture.pairing.submitPin(id, '1234')).toMatchObject({ code: 'not_found' });
  });

  test('a denied device gets its answer at once', async () => {
    const { client } = makeClient('1234');
    const first = ask(client.phase1);

    expect(fixture.pairing.deny((await firstPending()).id)).toBe(true);

    expect(await first).toMatchObject({ status: 400, paired: 0 });
  });

  test('unpair over HTTP drops the pending attempt and never a stored pairing', async () => {
    const device = makeDeviceCredentials();
    const { certificateDer } = device;
    fixture.roster.add({ certificateDer, name: 'kept', plane: 'gamestream' }, 0);
    const { client } = makeClient('1234');
    const first = ask(client.phase1);
    await firstPending();

    const reply = await get(fixture, `/unpair?${COMMON}`);

    expect(reply.status).toBe(200);
    expect(await first).toMatchObject({ status: 400, paired: 0 });
    await get(fixture, `/unpair?${COMMON}`, { device });
    expect(fixture.roster.count).toBe(1);
  });

  test('a PIN in a request is not understood, and two phases in one are refused', async () => {
    const { client } = makeClient('1234');
    const first = ask(`${client.phase1}&pin=1234`);
    const { id } = await firstPending();
    expect(fixture.pairing.pending()).toHaveLength(1);
    fixture.pairing.deny(id);
    expect(await first).toMatchObject({ paired: 0 });

    const both = `phrase=pairchallenge&clientchallenge=${'00'.repeat(16)}`;
    expect(await ask(both)).toMatchObject({ status: 400, paired: 0 });
  });

  test('phases 1 to 4 are refused over TLS, and the last one over HTTP', async () => {
    const { client, device } = makeClient('1234');
    for (const query of [client.phase1, client.phase4]) {
      const reply = await get(fixture, `/pair?${COMMON}&${query}`, { device });
      expect(readReply(reply.text)).toMatchObject({ status: 400, paired: 0 });
    }
    expect(await ask('phrase=pairchallenge')).toMatchObject({ status: 400, paired: 0 });
  });

  test.each(['', 'uniqueid=', 'uniqueid=a%20b', `uniqueid=${'a'.repeat(65)}`])(
    'the unique id in %j is refused',
    async (common) => {
      const reply = await get(fixture, `/pair?${common}&phrase=getservercert`);
      expect(readReply(reply.text)).toMatchObject({ status: 400, paired: 0 });
    },
  );

  test('shutting down answers what waits and tells the operator', async () => {
    const { client } = makeClient('1234');
    const first = ask(client.phase1);
    await firstPending();

    fixture.pairing.close();

    expect(await first).toMatchObject({ status: 400, paired: 0 });
    expect(await ask(client.phase1)).toMatchObject({ status: 503, paired: 0 });
  });
});
