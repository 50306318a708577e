import { describe, expect, test } from 'bun:test';
import { createPrivateKey, sign, verify, X509Certificate } from 'node:crypto';
import vectors from '../fixtures/gamestream-pairing.json';
import { type HttpFixture, startHttpFixture } from '../gamestream/http-fixture.ts';
import { bytesOfHex, hexOf } from './moonlight/bytes.ts';
import { certificatePem, certificateSignature, derOfPem } from './moonlight/certificate.ts';
import { MoonlightDevice } from './moonlight/client.ts';
import { createIdentity } from './moonlight/identity.ts';
import type { PairingOptions } from './moonlight/pair.ts';
import {
  answerHostChallenge,
  decryptBlocks,
  encryptBlocks,
  isHostHashRight,
  pairingKey,
  readChallengeResponse,
} from './moonlight/pairing-math.ts';

const bytes = (hex: string): Uint8Array => bytesOfHex(hex) ?? new Uint8Array();
const salt = bytes(vectors.salt);
const key = pairingKey(salt, vectors.pin);
const deviceSignature = bytes(vectors.client.certificateSignature);
const hostSignature = bytes(vectors.host.certificateSignature);

describe('what the device computes, against the recorded pairing', () => {
  test('the key comes from salt and PIN', () => {
    expect(hexOf(key)).toBe(vectors.aesKey);
  });

  test('the signature octets are cut out of both certificates', () => {
    for (const side of [vectors.host, vectors.client]) {
      const der = derOfPem(side.certificatePem) ?? new Uint8Array();
      expect(hexOf(certificateSignature(der) ?? new Uint8Array())).toBe(side.certificateSignature);
      expect(certificatePem(der).trim()).toBe(side.certificatePem.trim());
    }
  });

  test('a truncated certificate has no signature and raises nothing', () => {
    const der = derOfPem(vectors.client.certificatePem) ?? new Uint8Array();
    for (let length = 0; length < der.length; length += 1) {
      expect(certificateSignature(der.subarray(0, length))).toBeNull();
    }
  });

  test('phase 2 and 3 carry the recorded bytes', () => {
    const challenge = bytes(vectors.phase2.clientChallengePlain);
    expect(hexOf(encryptBlocks(key, challenge))).toBe(vectors.phase2.clientchallenge);
    const opened = readChallengeResponse(key, bytes(vectors.phase2.challengeresponse));
    expect(hexOf(opened?.hostHash ?? new Uint8Array())).toBe(vectors.phase2.hash);
    const hostChallenge = opened?.hostChallenge ?? new Uint8Array();
    expect(hexOf(hostChallenge)).toBe(vectors.phase2.serverChallenge);
    const secret = bytes(vectors.phase3.clientSecret);
    expect(hexOf(answerHostChallenge(key, hostChallenge, deviceSignature, secret))).toBe(
      vectors.phase3.serverchallengeresp,
    );
  });

  test('the host is believed for the right PIN and not for another', () => {
    const challenge = bytes(vectors.phase2.clientChallengePlain);
    const secret = bytes(vectors.phase2.serverSecret);
    const right = bytes(vectors.phase2.hash);
    expect(isHostHashRight(right, challenge, hostSignature, secret)).toBe(true);
    const opened = readChallengeResponse(key, bytes(vectors.wrongPin.challengeresponse));
    const wrong = opened?.hostHash ?? new Uint8Array();
    expect(hexOf(wrong)).toBe(vectors.wrongPin.clientDecrypted48.slice(0, 64));
    expect(isHostHashRight(wrong, challenge, hostSignature, secret)).toBe(false);
  });

  test('with a wrong PIN the answer is the recorded one, which the host cannot accept', () => {
    const opened = readChallengeResponse(key, bytes(vectors.wrongPin.challengeresponse));
    const answer = answerHostChallenge(
      key,
      opened?.hostChallenge ?? new Uint8Array(),
      deviceSignature,
      bytes(vectors.phase3.clientSecret),
    );
    expect(hexOf(answer)).toBe(vectors.wrongPin.serverchallengeresp);
    expect(hexOf(decryptBlocks(bytes(vectors.wrongPin.hostAesKey), answer))).toBe(
      vectors.wrongPin.hostDecryptedHash,
    );
  });

  test('both recorded signatures verify, and signing makes the recorded one', () => {
    const hostKey = new X509Certificate(vectors.host.certificatePem).publicKey;
    const hostSecret = bytes(vectors.phase2.serverSecret);
    const hostProof = bytes(vectors.phase3.serverSecretSignature);
    expect(verify('sha256', hostSecret, hostKey, hostProof)).toBe(true);
    const deviceKey = createPrivateKey({ key: vectors.client.privateKeyJwk, format: 'jwk' });
    const signature = sign('sha256', bytes(vectors.phase3.clientSecret), deviceKey);
    expect(hexOf(signature)).toBe(vectors.phase4.clientSecretSignature);
  });
});

test('a device certificate is version 3, serial 0, self-signed, with the name devices carry', () => {
  const identity = createIdentity();
  const certificate = new X509Certificate(identity.certificateDer);
  expect(certificate.subject).toBe('CN=NVIDIA GameStream Client');
  expect(certificate.issuer).toBe('CN=NVIDIA GameStream Client');
  expect(Number.parseInt(certificate.serialNumber, 16)).toBe(0);
  expect(certificate.publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(Date.parse(certificate.validTo)).toBeGreaterThan(Date.parse('2044-12-31'));
});

describe('a device against the host side of pairing', () => {
  const identity = createIdentity();
  const stranger = createIdentity();

  async function withHost(act: (fixture: HttpFixture) => Promise<void>): Promise<void> {
    const fixture = await startHttpFixture();
    try {
      await act(fixture);
      expect(fixture.faults).toEqual([]);
    } finally {
      await fixture.stop();
    }
  }

  /** Pairs while the operator types `typed`. */
  function attempt(
    fixture: HttpFixture,
    options: Partial<PairingOptions> & { typed?: string } = {},
  ) {
    const device = new MoonlightDevice(
      { address: '127.0.0.1', httpPort: fixture.server.httpPort },
      identity,
    );
    const { typed = '1234', ...pairing } = options;
    const type = async (): Promise<void> => {
      for (let tries = 0; tries < 400; tries += 1) {
        const [waiting] = fixture.pairing.pending();
        if (waiting) {
          void fixture.pairing.submitPin(waiting.id, typed);
          return;
        }
        await Bun.sleep(5);
      }
    };
    const outcome = device.pair({ pin: '1234', onWaiting: () => void type(), ...pairing });
    return { device, outcome };
  }

  test('five phases pair, and then the host knows the device over TLS alone', async () => {
    await withHost(async (fixture) => {
      const { device, outcome } = attempt(fixture);
      expect(await outcome).toEqual({ kind: 'paired' });
      expect(fixture.roster.list()).toHaveLength(1);
      expect((await device.serverInfo()).isPaired).toBe(true);
      const apps = await device.apps();
      expect(apps.map((app) => app.title)).toEqual(['Desktop', 'Tom & Jerry <"1">']);
      const plain = await device.http.plain('/serverinfo');
      expect(plain.document).toContain('<PairStatus>0</PairStatus>');
      expect(plain.reply.isClosedByHost).toBe(true);
    });
  });

  test('a wrong PIN is seen by the device, and by the host when the device looks away', async () => {
    await withHost(async (fixture) => {
      expect(await attempt(fixture, { typed: '4321' }).outcome).toEqual({ kind: 'wrong-pin' });
      const blind = { typed: '4321', sins: { ignoreHostProof: true } };
      expect(await attempt(fixture, blind).outcome).toMatchObject({ kind: 'refused', phase: 4 });
      expect(fixture.roster.list()).toHaveLength(0);
    });
  });

  test('skipped phases and a swapped certificate are refused and store nothing', async () => {
    await withHost(async (fixture) => {
      const sins = [
        { skipPhase: 2 },
        { skipPhase: 3 },
        { swapIdentityAtPhase4: stranger },
      ] as const;
      for (const sin of sins) {
        expect(await attempt(fixture, { sins: sin }).outcome).toMatchObject({ kind: 'refused' });
        expect(fixture.roster.list()).toHaveLength(0);
      }
    });
  });

  test('a host with another certificate than the pinned one is not talked to', async () => {
    await withHost(async (fixture) => {
      const { device, outcome } = attempt(fixture);
      await outcome;
      device.http.pins.write(stranger.certificateDer);
      expect(device.apps()).rejects.toThrow('another certificate');
    });
  });
});
