/** The recorded pairing run, and a state machine with the recorded host in it. */
import { createPrivateKey, sign } from 'node:crypto';
import { renderPairReply } from '../../src/gamestream/nvhttp-routes.ts';
import { PairingAttempts } from '../../src/gamestream/pairing.ts';
import type { PairingEnd, PairWish } from '../../src/gamestream/pairing-attempt.ts';
import type { PairReply } from '../../src/gamestream/pairing-reply.ts';
import type { AddResult } from '../../src/trust/devices.ts';
import { certificateFingerprint } from '../../src/trust/identity.ts';
import vectors from '../fixtures/gamestream-pairing.json';

export { vectors };
export const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'hex'));
export const hostKey = createPrivateKey({ key: vectors.host.privateKeyJwk, format: 'jwk' });
export const clientKey = createPrivateKey({ key: vectors.client.privateKeyJwk, format: 'jwk' });
export const PEER = { address: '192.0.2.7', uniqueId: '0123456789ABCDEF' };

export interface ScriptedPairing {
  readonly attempts: PairingAttempts;
  readonly ends: PairingEnd[];
  readonly stored: { certificateDer: Uint8Array; name: string }[];
  storeResult: AddResult | null;
}

/** Randomness: attempt ids count up, secret and challenge are the recorded ones. */
export function scriptPairing(): ScriptedPairing {
  const ends: PairingEnd[] = [];
  const stored: ScriptedPairing['stored'] = [];
  let ids = 0;
  let draws = 0;
  const script: ScriptedPairing = {
    ends,
    stored,
    storeResult: null,
    attempts: new PairingAttempts({
      certificatePem: vectors.host.certificatePem,
      certificateSignature: bytes(vectors.host.certificateSignature),
      sign: (content) => sign('sha256', content, hostKey),
      randomBytes: (count) => {
        if (count === 6) {
          ids += 1;
          return Uint8Array.of(0, 0, 0, 0, ids >> 8, ids & 0xff);
        }
        draws += 1;
        return bytes(
          draws % 2 === 1 ? vectors.phase2.serverSecret : vectors.phase2.serverChallenge,
        );
      },
      store: (certificateDer, name) => {
        if (script.storeResult) return script.storeResult;
        stored.push({ certificateDer, name });
        const device = {
          fingerprint: certificateFingerprint(certificateDer),
          name,
          plane: 'gamestream' as const,
          certificate: Buffer.from(certificateDer).toString('base64'),
          enabled: true,
          pairedAtMs: 0,
          lastSeenAtMs: null,
        };
        return { ok: true, device };
      },
      onEnd: (end) => ends.push(end),
    }),
  };
  return script;
}

export function wish(peer = PEER, pem = vectors.client.certificatePem): PairWish {
  return {
    ...peer,
    deviceName: 'roth',
    salt: bytes(vectors.salt),
    clientCertificatePem: Buffer.from(pem),
  };
}

/** Starts an attempt and returns its id. */
export function begin(script: ScriptedPairing, nowMs = 0, peer = PEER): string {
  const begun = script.attempts.begin(wish(peer), nowMs);
  if (begun.kind !== 'waiting') throw new Error(`refused: ${document(begun.reply)}`);
  return begun.id;
}

export const document = (reply: PairReply) => String(renderPairReply(reply).body);
