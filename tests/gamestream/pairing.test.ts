import { describe, expect, test } from 'bun:test';
import { sign } from 'node:crypto';
import { WAITING_MAX } from '../../src/gamestream/pairing.ts';
import { ATTEMPT_MS, PHASE_GAP_MS, PIN_ENTRY_MS } from '../../src/gamestream/pairing-attempt.ts';
import { makeDeviceCredentials } from './http-fixture.ts';
import {
  begin,
  bytes,
  clientKey,
  document,
  PEER,
  scriptPairing,
  vectors,
  wish,
} from './pairing-script.ts';

const challenge = bytes(vectors.phase2.clientchallenge);
const response = bytes(vectors.phase3.serverchallengeresp);
const secret = bytes(vectors.phase4.clientpairingsecret);

/** Runs to the phase named and returns the script. */
function runTo(phase: 'pin' | 'challenge' | 'response' | 'secret', pin = vectors.pin) {
  const script = scriptPairing();
  const id = begin(script);
  if (phase === 'pin') return { ...script, id };
  script.attempts.applyPin(id, pin, 0);
  if (phase === 'challenge') return { ...script, id };
  script.attempts.challenge(PEER, challenge, 0);
  if (phase === 'response') return { ...script, id };
  script.attempts.response(PEER, response, 0);
  return { ...script, id };
}

const codeOf = (script: { ends: ReturnType<typeof scriptPairing>['ends'] }) =>
  script.ends.map(({ outcome }) => (outcome.paired ? 'paired' : outcome.code));

describe('a recorded pairing', () => {
  test('is answered byte for byte and stores the certificate after phase 4 only', () => {
    const script = scriptPairing();
    const id = begin(script);

    const applied = script.attempts.applyPin(id, vectors.pin, 0);
    expect(applied.ok && document(applied.reply)).toBe(vectors.phase1.responseBody);
    expect(document(script.attempts.challenge(PEER, challenge, 0))).toBe(
      vectors.phase2.responseBody,
    );
    expect(document(script.attempts.response(PEER, response, 0))).toBe(vectors.phase3.responseBody);
    expect(script.stored).toEqual([]);
    expect(document(script.attempts.secret(PEER, secret, 0))).toBe(vectors.phase4.responseBody);

    expect(script.stored).toHaveLength(1);
    expect(codeOf(script)).toEqual(['paired']);
    const outcome = script.ends[0]?.outcome;
    expect(outcome?.paired && outcome.device.fingerprint).toBe(vectors.client.certificateDerSha256);
    expect(script.attempts.attemptCount).toBe(0);
  });

  test('with a wrong PIN runs to phase 4 and is refused there', () => {
    const script = scriptPairing();
    const id = begin(script);
    script.attempts.applyPin(id, vectors.wrongPin.hostPin, 0);

    const second = script.attempts.challenge(PEER, challenge, 0);
    expect(second.value?.hex).toBe(vectors.wrongPin.challengeresponse);
    const third = script.attempts.response(PEER, bytes(vectors.wrongPin.serverchallengeresp), 0);
    expect(third.value?.hex).toBe(vectors.phase3.pairingsecret);
    const fourth = script.attempts.secret(PEER, secret, 0);

    expect(document(fourth)).toBe(vectors.wrongPin.finalResponseBody);
    expect(script.stored).toEqual([]);
    expect(codeOf(script)).toEqual(['wrong_pin']);
  });

  test('with the right PIN but a signature of another key is refused', () => {
    const script = runTo('secret');
    const stranger = makeDeviceCredentials();
    const clientSecret = bytes(vectors.phase3.clientSecret);
    const forged = Buffer.concat([clientSecret, sign('sha256', clientSecret, stranger.privateKey)]);

    const reply = script.attempts.secret(PEER, forged, 0);

    expect(reply).toMatchObject({ status: 200, paired: 0 });
    expect(codeOf(script)).toEqual(['bad_exchange']);
    expect(script.stored).toEqual([]);
  });

  test('with a right signature over another secret is a wrong PIN', () => {
    const script = runTo('secret');
    const other = new Uint8Array(16);

    script.attempts.secret(PEER, Buffer.concat([other, sign('sha256', other, clientKey)]), 0);

    expect(codeOf(script)).toEqual(['wrong_pin']);
  });

  test('that cannot be stored is not paired, and says why', () => {
    const script = runTo('secret');
    const full = { ok: false as const, code: 'full' as const, message: '256 devices' };
    const rigged = scriptPairing();
    rigged.storeResult = full;
    const id = begin(rigged);
    rigged.attempts.applyPin(id, vectors.pin, 0);
    rigged.attempts.challenge(PEER, challenge, 0);
    rigged.attempts.response(PEER, response, 0);

    expect(rigged.attempts.secret(PEER, secret, 0).paired).toBe(0);
    expect(rigged.ends[0]?.outcome).toEqual({
      paired: false,
      code: 'not_stored',
      message: '256 devices',
    });
    expect(script.stored).toEqual([]);
  });
});

describe('the order of the phases', () => {
  const steps = {
    challenge: (script: ReturnType<typeof runTo>) => script.attempts.challenge(PEER, challenge, 0),
    response: (script: ReturnType<typeof runTo>) => script.attempts.response(PEER, response, 0),
    secret: (script: ReturnType<typeof runTo>) => script.attempts.secret(PEER, secret, 0),
  };
  const phases = ['pin', 'challenge', 'response', 'secret'] as const;
  const wrong = phases.flatMap((phase) =>
    (['challenge', 'response', 'secret'] as const)
      .filter((step) => step !== phase)
      .map((step) => [step, phase] as const),
  );

  test.each(wrong)('a %s request while %s is due ends the attempt', (step, phase) => {
    const script = runTo(phase);

    const reply = steps[step](script);

    expect(reply).toMatchObject({ status: 400, paired: 0 });
    expect(codeOf(script)).toEqual(['bad_exchange']);
    expect(script.attempts.attemptCount).toBe(0);
    expect(script.stored).toEqual([]);
    for (const again of Object.values(steps)) expect(again(script).status).toBe(400);
    expect(script.stored).toEqual([]);
  });

  test('no phase is answered twice: a repeated response would show the secret to a guesser', () => {
    const script = runTo('secret');

    expect(script.attempts.response(PEER, response, 0).value).toBeUndefined();
    expect(script.attempts.secret(PEER, secret, 0).paired).toBe(0);
  });

  test.each([
    ['another address', { address: '192.0.2.8', uniqueId: PEER.uniqueId }],
    ['another unique id', { address: PEER.address, uniqueId: 'ABCDEF' }],
  ])('a request from %s does not touch the attempt', (_name, stranger) => {
    const script = runTo('secret');

    expect(script.attempts.secret(stranger, secret, 0).status).toBe(400);
    expect(script.attempts.attemptCount).toBe(1);
    expect(script.attempts.secret(PEER, secret, 0).paired).toBe(1);
  });

  test.each([0, 1, 15, 17, 32])('a challenge of %d bytes ends the attempt', (size) => {
    const script = runTo('challenge');
    expect(script.attempts.challenge(PEER, new Uint8Array(size), 0).status).toBe(400);
    expect(codeOf(script)).toEqual(['bad_exchange']);
  });

  test.each([0, 31, 33, 48])('a response of %d bytes ends the attempt', (size) => {
    const script = runTo('response');
    expect(script.attempts.response(PEER, new Uint8Array(size), 0).status).toBe(400);
    expect(codeOf(script)).toEqual(['bad_exchange']);
  });

  test.each([0, 16, 529, 4096])('a secret of %d bytes ends the attempt', (size) => {
    const script = runTo('secret');
    expect(script.attempts.secret(PEER, new Uint8Array(size), 0).status).toBe(400);
    expect(codeOf(script)).toEqual(['bad_exchange']);
  });
});

describe('the PIN', () => {
  test.each(['', '123', '12345', '12a4', '１２３４', ' 1234', '-123'])(
    '%j is not one, and does not use up the attempt',
    (pin) => {
      const script = runTo('pin');
      expect(script.attempts.applyPin(script.id, pin, 0)).toEqual({ ok: false, code: 'bad_pin' });
      expect(script.attempts.applyPin(script.id, vectors.pin, 0).ok).toBe(true);
    },
  );

  test('belongs to the attempt the operator saw, not to a later one of the same device', () => {
    const script = scriptPairing();
    const first = begin(script);
    const second = begin(script, 1000);

    expect(codeOf(script)).toEqual(['client_gone']);
    expect(script.attempts.applyPin(first, vectors.pin, 1000)).toEqual({
      ok: false,
      code: 'not_found',
    });
    expect(script.attempts.pending(1000).map((pending) => pending.id)).toEqual([second]);
  });

  test('is taken once', () => {
    const script = runTo('challenge');
    expect(script.attempts.applyPin(script.id, vectors.pin, 0)).toEqual({
      ok: false,
      code: 'not_waiting',
    });
  });

  test('leading zeros count', () => {
    const script = runTo('pin');
    expect(script.attempts.applyPin(script.id, '0042', 0).ok).toBe(true);
  });
});

describe('attempts are bounded', () => {
  const peer = (number: number) => ({ address: `192.0.2.${number}`, uniqueId: 'A' });

  test(`${WAITING_MAX} may wait, the next is told that a pairing is in progress`, () => {
    const script = scriptPairing();
    for (let number = 1; number <= WAITING_MAX; number += 1) begin(script, 0, peer(number));

    const refused = script.attempts.begin(wish(peer(9)), 0);

    expect(refused.kind === 'answered' && document(refused.reply)).toContain(
      '<paired>1</paired><plaincert></plaincert>',
    );
    expect(script.attempts.pending(0)).toHaveLength(WAITING_MAX);
  });

  test('an address has one attempt; another device there is told to wait and its unpair is ignored', () => {
    const script = scriptPairing();
    begin(script);
    const other = wish(PEER, makeDeviceCredentials().certificatePem);

    expect(script.attempts.begin(other, 0).kind).toBe('answered');
    script.attempts.unpair(PEER, 0);
    expect(script.attempts.attemptCount).toBe(1);

    script.attempts.unpair(PEER, 0);
    expect(codeOf(script)).toEqual(['client_gone']);
  });

  test('the PIN may take 120 s and not a millisecond more', () => {
    const script = runTo('pin');
    script.attempts.expire(PIN_ENTRY_MS - 1);
    expect(script.ends).toEqual([]);
    expect(script.attempts.nextDeadlineMs()).toBe(PIN_ENTRY_MS);

    script.attempts.expire(PIN_ENTRY_MS);

    expect(codeOf(script)).toEqual(['expired']);
    expect(script.ends[0]?.reply).toMatchObject({ status: 400, paired: 0 });
    expect(script.attempts.nextDeadlineMs()).toBeNull();
  });

  test('attempts that end together end once each, though a listener looks at the list', () => {
    const script = scriptPairing();
    const push = script.ends.push.bind(script.ends);
    script.ends.push = (...ends) => {
      const length = push(...ends);
      script.attempts.pending(PIN_ENTRY_MS);
      return length;
    };
    for (let number = 1; number <= WAITING_MAX; number += 1) begin(script, 0, peer(number));

    script.attempts.expire(PIN_ENTRY_MS);

    expect(codeOf(script)).toEqual(['expired', 'expired', 'expired', 'expired']);
  });

  test('a device that stops between two phases is gone after 10 s', () => {
    const script = runTo('response');
    expect(script.attempts.response(PEER, response, PHASE_GAP_MS).status).toBe(400);
    expect(codeOf(script)).toEqual(['client_gone']);
    expect(PHASE_GAP_MS * 3 + PIN_ENTRY_MS).toBeLessThan(ATTEMPT_MS);
  });

  test('one address begins ten times in a row and then once in six seconds', () => {
    const script = scriptPairing();
    for (let round = 0; round < 10; round += 1) {
      begin(script);
      script.attempts.unpair(PEER, 0);
    }

    expect(script.attempts.begin(wish(), 5_999)).toMatchObject({
      kind: 'answered',
      reply: { status: 503, paired: 0 },
    });
    expect(script.attempts.begin(wish(), 6_000).kind).toBe('waiting');
  });

  test('two wrong PINs make an address wait', () => {
    const script = scriptPairing();
    for (let round = 0; round < 2; round += 1) {
      const id = begin(script);
      script.attempts.applyPin(id, vectors.wrongPin.hostPin, 0);
      script.attempts.challenge(PEER, challenge, 0);
      script.attempts.response(PEER, response, 0);
      script.attempts.secret(PEER, secret, 0);
    }
    expect(codeOf(script)).toEqual(['wrong_pin', 'wrong_pin']);

    expect(script.attempts.begin(wish(), 0)).toMatchObject({ reply: { status: 503 } });
    expect(script.attempts.begin(wish({ ...PEER, address: '192.0.2.9' }), 0).kind).toBe('waiting');
  });
});

describe('the end of an attempt', () => {
  test('a closed connection ends it only while the PIN is awaited', () => {
    const waiting = runTo('pin');
    waiting.attempts.vanished(waiting.id, 0);
    expect(codeOf(waiting)).toEqual(['client_gone']);

    const running = runTo('challenge');
    running.attempts.vanished(running.id, 0);
    expect(running.ends).toEqual([]);
  });

  test('the operator denies it in any phase', () => {
    for (const phase of ['pin', 'challenge', 'response', 'secret'] as const) {
      const script = runTo(phase);
      expect(script.attempts.deny(script.id, 0)).toBe(true);
      expect(script.attempts.deny(script.id, 0)).toBe(false);
      expect(codeOf(script)).toEqual(['denied']);
    }
  });

  test('unpair after phase 3 is a device that saw a wrong PIN, before that one that gave up', () => {
    const early = runTo('response');
    early.attempts.unpair(PEER, 0);
    expect(codeOf(early)).toEqual(['client_gone']);

    const late = runTo('secret');
    late.attempts.unpair(PEER, 0);
    expect(codeOf(late)).toEqual(['wrong_pin']);
  });

  test('unpair of a stranger ends nothing', () => {
    const script = runTo('pin');
    script.attempts.unpair({ ...PEER, address: '192.0.2.99' }, 0);
    script.attempts.unpair({ ...PEER, uniqueId: 'other' }, 0);
    expect(script.attempts.attemptCount).toBe(1);
  });
});

describe('what the operator sees', () => {
  test('name, address, certificate, age and time left of each waiting attempt', () => {
    const script = runTo('pin');

    expect(script.attempts.pending(30_000)).toEqual([
      {
        id: script.id,
        name: 'Moonlight device',
        peerAddress: PEER.address,
        uniqueId: PEER.uniqueId,
        clientCertFingerprint: vectors.client.certificateDerSha256,
        ageMs: 30_000,
        expiresInMs: 90_000,
      },
    ]);
    script.attempts.applyPin(script.id, vectors.pin, 30_000);
    expect(script.attempts.pending(30_000)).toEqual([]);
  });

  test('the name of the device, or the one the operator gives it', () => {
    const script = scriptPairing();
    script.attempts.begin({ ...wish(), deviceName: 'Pixel\u202e 9' }, 0);
    const [pending] = script.attempts.pending(0);
    expect(pending?.name).toBe('Pixel 9');

    script.attempts.applyPin(pending?.id ?? '', vectors.pin, 0, 'Kitchen');
    script.attempts.challenge(PEER, challenge, 0);
    script.attempts.response(PEER, response, 0);
    script.attempts.secret(PEER, secret, 0);
    expect(script.stored.map(({ name }) => name)).toEqual(['Kitchen']);
  });
});

describe('the certificate of phase 1', () => {
  const refused = (pem: string) => {
    const begun = scriptPairing().attempts.begin(wish(PEER, pem), 0);
    return begun.kind === 'answered' && begun.reply.status === 400;
  };

  test.each([
    ['empty', ''],
    ['not PEM', 'hello'],
    ['a key', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'],
    ['PEM around nonsense', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
    ['two certificates', vectors.client.certificatePem + vectors.host.certificatePem],
    ['too long', vectors.client.certificatePem.replace('\n', `\n${'A'.repeat(4096)}\n`)],
  ])('%s is refused', (_name, pem) => expect(refused(pem)).toBe(true));

  test.each([0, 15, 17])('a salt of %d bytes is refused', (size) => {
    const begun = scriptPairing().attempts.begin({ ...wish(), salt: new Uint8Array(size) }, 0);
    expect(begun).toMatchObject({ kind: 'answered', reply: { status: 400 } });
  });
});
