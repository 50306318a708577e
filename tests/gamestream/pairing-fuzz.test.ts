import { describe, expect, test } from 'bun:test';
import { sign } from 'node:crypto';
import type { PairReply } from '../../src/gamestream/pairing-reply.ts';
import { seededRandom } from '../support/random.ts';
import { PairingClient } from './pairing-client.ts';
import { bytes, clientKey, PEER, scriptPairing, vectors, wish } from './pairing-script.ts';

const PEERS = [PEER, { ...PEER, uniqueId: 'B' }, { ...PEER, address: '192.0.2.8' }];
const HOST_SIGNATURE = bytes(vectors.host.certificateSignature);

function makeClient(random: ReturnType<typeof seededRandom>, pin: string) {
  const salt = random.bytes(16);
  const client = new PairingClient({
    certificatePem: vectors.client.certificatePem,
    certificateSignature: bytes(vectors.client.certificateSignature),
    privateKey: clientKey,
    pin,
    salt,
    challenge: random.bytes(16),
    secret: random.bytes(16),
  });
  return { client, salt };
}

/** The value of a phase as the wire carries it. */
const value = (query: string) => bytes(query.slice(query.lastIndexOf('=') + 1));
const answer = (reply: PairReply) => Buffer.from(reply.value?.hex ?? '', 'hex');

describe('pairing with random values', () => {
  test('every PIN pairs with itself and with no other', () => {
    const random = seededRandom('pairing pins');
    for (let round = 0; round < 60; round += 1) {
      const pin = String(random.int(0, 9999)).padStart(4, '0');
      const typed =
        round % 2 === 0
          ? pin
          : String((Number(pin) + random.int(1, 9998)) % 10_000).padStart(4, '0');
      const script = scriptPairing();
      const { client, salt } = makeClient(random, pin);
      const begun = script.attempts.begin({ ...wish(), salt }, 0);
      const id = begun.kind === 'waiting' ? begun.id : '';
      const applied = script.attempts.applyPin(id, typed, 0);
      const plaincert = applied.ok ? answer(applied.reply) : Buffer.alloc(0);

      const second = script.attempts.challenge(
        PEER,
        value(client.phase2(plaincert, HOST_SIGNATURE)),
        0,
      );
      const third = script.attempts.response(PEER, value(client.phase3(answer(second))), 0);
      const fourth = script.attempts.secret(PEER, value(client.phase4), 0);

      expect(client.isHostProven(answer(third))).toEqual({ signature: true, pin: pin === typed });
      expect(fourth.paired).toBe(pin === typed ? 1 : 0);
      expect(script.stored).toHaveLength(pin === typed ? 1 : 0);
    }
  });
});

describe('hostile pairing', () => {
  test('100000 random requests in random order store nothing, throw nothing and leave nothing', () => {
    const random = seededRandom('pairing phases');
    const script = scriptPairing();
    const pems = [vectors.client.certificatePem, vectors.host.certificatePem, '', '-----BEGIN'];
    const sizes = [0, 1, 15, 16, 17, 31, 32, 33, 48, 272, 528, 529];
    let nowMs = 0;
    let ids: string[] = [];
    const reached = { challenge: 0, response: 0 };

    /** Mostly the step that is due, so that every phase is reached; now and then any step. */
    let due = 0;
    for (let round = 0; round < 100_000; round += 1) {
      const isDue = random.int(0, 9) < 8;
      const step = isDue ? due : random.int(0, 6);
      const peer = isDue ? PEER : (PEERS[random.int(0, PEERS.length - 1)] ?? PEER);
      const rightSize = [0, 0, 16, 32, 272][step] ?? 0;
      const size = isDue ? rightSize : (sizes[random.int(0, sizes.length - 1)] ?? 0);
      const content = random.bytes(size);
      due = isDue ? (due + 1) % 5 : due;
      nowMs += random.int(0, 3) === 0 ? random.int(0, 9_000) : 0;
      if (step === 0) {
        const pem = isDue ? vectors.client.certificatePem : (pems[random.int(0, 3)] ?? '');
        const begun = script.attempts.begin(wish(peer, pem), nowMs);
        if (begun.kind === 'waiting') ids = [begun.id, ...ids.slice(0, 3)];
      } else if (step === 1) {
        script.attempts.applyPin(ids[isDue ? 0 : random.int(0, 4)] ?? 'none', vectors.pin, nowMs);
      } else if (step === 2) {
        reached.challenge += script.attempts.challenge(peer, content, nowMs).paired;
      } else if (step === 3) {
        reached.response += script.attempts.response(peer, content, nowMs).paired;
      } else if (step === 4) {
        script.attempts.secret(peer, content, nowMs);
      } else if (step === 5) {
        script.attempts.unpair(peer, nowMs);
      } else {
        script.attempts.vanished(ids[random.int(0, 4)] ?? '', nowMs);
      }
      expect(script.attempts.attemptCount).toBeLessThanOrEqual(2);
      script.ends.length = Math.min(script.ends.length, 16);
    }

    expect(reached.challenge).toBeGreaterThan(100);
    expect(reached.response).toBeGreaterThan(10);
    expect(script.stored).toEqual([]);
    script.attempts.expire(nowMs + 1_000_000);
    expect(script.attempts.attemptCount).toBe(0);
  }, 60_000);

  test('a right run in the middle of the noise of another address still pairs', () => {
    const random = seededRandom('pairing noise');
    const script = scriptPairing();
    const stranger = { ...PEER, address: '192.0.2.66' };
    const noise = () => {
      script.attempts.begin(wish(stranger), 0);
      script.attempts.challenge(stranger, random.bytes(16), 0);
      script.attempts.response(stranger, random.bytes(32), 0);
      script.attempts.secret(stranger, random.bytes(272), 0);
      script.attempts.unpair(stranger, 0);
    };
    const { client, salt } = makeClient(random, '0000');
    const begun = script.attempts.begin({ ...wish(), salt }, 0);
    noise();
    const applied = script.attempts.applyPin(begun.kind === 'waiting' ? begun.id : '', '0000', 0);
    noise();
    const plaincert = applied.ok ? answer(applied.reply) : Buffer.alloc(0);
    const second = script.attempts.challenge(
      PEER,
      value(client.phase2(plaincert, HOST_SIGNATURE)),
      0,
    );
    noise();
    script.attempts.response(PEER, value(client.phase3(answer(second))), 0);
    noise();
    expect(script.attempts.secret(PEER, value(client.phase4), 0).paired).toBe(1);
    expect(script.stored).toHaveLength(1);
  });

  test('a guesser who commits before it knows the key is refused for each of 100 keys', () => {
    const random = seededRandom('pairing guess');
    for (let round = 0; round < 100; round += 1) {
      const script = scriptPairing();
      const begun = script.attempts.begin(wish(), 0);
      script.attempts.applyPin(begun.kind === 'waiting' ? begun.id : '', vectors.pin, 0);
      script.attempts.challenge(PEER, random.bytes(16), 0);
      script.attempts.response(PEER, random.bytes(32), 0);
      const secret = random.bytes(16);
      const opened = Buffer.concat([secret, sign('sha256', secret, clientKey)]);
      expect(script.attempts.secret(PEER, opened, 0).paired).toBe(0);
    }
  });
});
