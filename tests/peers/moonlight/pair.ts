/**
 * Pairing as a device does it: five requests, the checks on the way, and the ways a device may
 * misbehave in it (GameStream §3).
 */
import { randomBytes, sign, verify, X509Certificate } from 'node:crypto';
import { bytesOfHex, concatBytes, hexOf } from './bytes.ts';
import { certificateSignature, derOfPem } from './certificate.ts';
import type { DeviceIdentity } from './identity.ts';
import type { Answer, NvHttp } from './nvhttp.ts';
import {
  answerHostChallenge,
  encryptBlocks,
  isHostHashRight,
  pairingKey,
  readChallengeResponse,
} from './pairing-math.ts';
import { elementText } from './xml.ts';

/** One switch per sin. */
export interface PairingSins {
  /** Leaves out this phase and goes on. */
  readonly skipPhase?: 2 | 3;
  /** Signs phase 4 with the key of another certificate than phase 1 named. */
  readonly swapIdentityAtPhase4?: DeviceIdentity;
  /** Sends phase 4 twice. */
  readonly repeatPhase4?: boolean;
  /** Does not look at the host's proof, as some programs. */
  readonly ignoreHostProof?: boolean;
  /** Stops for ever after this phase. */
  readonly vanishAfterPhase?: 1 | 2 | 3;
}

export interface PairingOptions {
  /** What the device shows its user. */
  readonly pin: string;
  /** Phase 1 is on its way: now the operator may type. */
  readonly onWaiting?: () => void;
  readonly sins?: PairingSins;
  /** Closes the connection that waits for the PIN. */
  readonly signal?: AbortSignal;
  readonly pinTimeoutMs?: number;
}

export type PairingOutcome =
  | { readonly kind: 'paired' }
  | { readonly kind: 'busy' }
  | { readonly kind: 'vanished'; readonly phase: number }
  /** The host's proof does not fit the PIN shown. */
  | { readonly kind: 'wrong-pin' }
  /** Somebody else answers for the host. */
  | { readonly kind: 'host-unproven' }
  | {
      readonly kind: 'refused';
      readonly phase: number;
      readonly code: number;
      readonly message: string;
    };

const PIN_TIMEOUT_MS = 300_000;

export async function pair(nvhttp: NvHttp, options: PairingOptions): Promise<PairingOutcome> {
  const sins = options.sins ?? {};
  const { identity } = nvhttp;
  const salt = randomBytes(16);
  const key = pairingKey(salt, options.pin);
  const ask = (parameters: Readonly<Record<string, string>>) =>
    nvhttp.plain('/pair', { devicename: 'roth', updateState: '1', ...parameters });
  const giveUp = async (outcome: PairingOutcome): Promise<PairingOutcome> => {
    await nvhttp.unpair();
    return outcome;
  };

  const first = await nvhttp.plain(
    '/pair',
    {
      devicename: 'roth',
      updateState: '1',
      phrase: 'getservercert',
      salt: hexOf(salt),
      clientcert: hexOf(new TextEncoder().encode(identity.certificatePem)),
    },
    {
      timeoutMs: options.pinTimeoutMs ?? PIN_TIMEOUT_MS,
      ...(options.signal ? { signal: options.signal } : {}),
      ...(options.onWaiting ? { onSent: options.onWaiting } : {}),
    },
  );
  if (!isAccepted(first)) return giveUp(refused(1, first));
  const plainCertificate = bytesOfHex(elementText(first.document, 'plaincert') ?? '');
  if (!plainCertificate || plainCertificate.length === 0) return { kind: 'busy' };
  const hostCertificate = derOfPem(new TextDecoder().decode(plainCertificate));
  const hostSignature = hostCertificate && certificateSignature(hostCertificate);
  if (!hostCertificate || !hostSignature) return giveUp({ kind: 'host-unproven' });
  if (sins.vanishAfterPhase === 1) return { kind: 'vanished', phase: 1 };

  const deviceChallenge = randomBytes(16);
  let hostHash: Uint8Array = new Uint8Array(32);
  let hostChallenge: Uint8Array = new Uint8Array(16);
  if (sins.skipPhase !== 2) {
    const second = await ask({ clientchallenge: hexOf(encryptBlocks(key, deviceChallenge)) });
    if (!isAccepted(second)) return giveUp(refused(2, second));
    const sealed = bytesOfHex(elementText(second.document, 'challengeresponse') ?? '');
    const opened = sealed && readChallengeResponse(key, sealed);
    if (!opened) return giveUp({ kind: 'host-unproven' });
    ({ hostHash, hostChallenge } = opened);
    if (sins.vanishAfterPhase === 2) return { kind: 'vanished', phase: 2 };
  }

  const deviceSecret = randomBytes(16);
  if (sins.skipPhase !== 3) {
    const deviceSignature = certificateSignature(identity.certificateDer) ?? new Uint8Array();
    const proof = answerHostChallenge(key, hostChallenge, deviceSignature, deviceSecret);
    const third = await ask({ serverchallengeresp: hexOf(proof) });
    if (!isAccepted(third)) return giveUp(refused(3, third));
    const secret = bytesOfHex(elementText(third.document, 'pairingsecret') ?? '');
    if (!secret || secret.length <= 16) return giveUp({ kind: 'host-unproven' });
    const [hostSecret, signature] = [secret.slice(0, 16), secret.slice(16)];
    const hostKey = new X509Certificate(hostCertificate).publicKey;
    if (!verify('sha256', hostSecret, hostKey, signature)) {
      return giveUp({ kind: 'host-unproven' });
    }
    const isProven = isHostHashRight(hostHash, deviceChallenge, hostSignature, hostSecret);
    if (!isProven && !sins.ignoreHostProof) return giveUp({ kind: 'wrong-pin' });
    if (sins.vanishAfterPhase === 3) return { kind: 'vanished', phase: 3 };
  }

  const signer = sins.swapIdentityAtPhase4 ?? identity;
  const secretAndSignature = concatBytes(
    deviceSecret,
    sign('sha256', deviceSecret, signer.privateKey),
  );
  const fourth = await ask({ clientpairingsecret: hexOf(secretAndSignature) });
  if (!isAccepted(fourth)) return giveUp(refused(4, fourth));
  if (sins.repeatPhase4) {
    const again = await ask({ clientpairingsecret: hexOf(secretAndSignature) });
    if (!isAccepted(again)) return refused(4, again);
  }

  nvhttp.pins.write(hostCertificate);
  const fifth = await nvhttp.secure('/pair', {
    devicename: 'roth',
    updateState: '1',
    phrase: 'pairchallenge',
  });
  return isAccepted(fifth) ? { kind: 'paired' } : giveUp(refused(5, fifth));
}

function isAccepted(answer: Answer): boolean {
  return answer.status.code === 200 && elementText(answer.document, 'paired') === '1';
}

function refused(phase: number, answer: Answer): PairingOutcome {
  return { kind: 'refused', phase, code: answer.status.code, message: answer.status.message };
}
