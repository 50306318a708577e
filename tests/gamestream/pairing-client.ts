/**
 * The device's side of pairing, written from the protocol with its own arithmetic, so that a mistake
 * in the host's is not repeated here.
 */

import type { KeyObject } from 'node:crypto';
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  sign,
  verify,
  X509Certificate,
} from 'node:crypto';

export interface PairingClientOptions {
  readonly certificatePem: string;
  /** Signature octets of {@link certificatePem}. */
  readonly certificateSignature: Uint8Array;
  readonly privateKey: KeyObject;
  readonly pin: string;
  readonly salt: Uint8Array;
  readonly challenge: Uint8Array;
  readonly secret: Uint8Array;
}

const sha256 = (...parts: Uint8Array[]) =>
  createHash('sha256').update(Buffer.concat(parts)).digest();
const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** The `paired` number and the other hex values of a reply document. */
export function readReply(xml: string): { status: number; paired: number; value: Buffer | null } {
  const status = Number(/status_code="(\d+)"/.exec(xml)?.[1] ?? Number.NaN);
  const paired = Number(/<paired>(\d+)<\/paired>/.exec(xml)?.[1] ?? Number.NaN);
  const value = /<(plaincert|challengeresponse|pairingsecret)>([0-9a-f]*)</.exec(xml)?.[2];
  return { status, paired, value: value === undefined ? null : Buffer.from(value, 'hex') };
}

export class PairingClient {
  readonly #options: PairingClientOptions;
  readonly #key: Buffer;
  #hostCertificate: X509Certificate | null = null;
  #hostSignature: Uint8Array = new Uint8Array(0);
  #answer: Buffer = Buffer.alloc(0);

  constructor(options: PairingClientOptions) {
    this.#options = options;
    this.#key = sha256(options.salt, Buffer.from(options.pin)).subarray(0, 16);
  }

  get phase1(): string {
    const { salt, certificatePem } = this.#options;
    return `phrase=getservercert&salt=${toHex(salt)}&clientcert=${toHex(Buffer.from(certificatePem))}`;
  }

  /** @param hostSignature signature octets of the host's certificate */
  phase2(plaincert: Buffer, hostSignature: Uint8Array): string {
    this.#hostCertificate = new X509Certificate(plaincert);
    this.#hostSignature = hostSignature;
    return `clientchallenge=${toHex(this.#encrypt(this.#options.challenge))}`;
  }

  phase3(challengeResponse: Buffer): string {
    this.#answer = this.#decrypt(challengeResponse);
    const serverChallenge = this.#answer.subarray(32, 48);
    const { certificateSignature, secret } = this.#options;
    const hash = sha256(serverChallenge, certificateSignature, secret);
    return `serverchallengeresp=${toHex(this.#encrypt(hash))}`;
  }

  /** What a careful device checks before phase 4: the host's signature and its commitment. */
  isHostProven(pairingSecret: Buffer): { signature: boolean; pin: boolean } {
    const serverSecret = pairingSecret.subarray(0, 16);
    const key = this.#hostCertificate?.publicKey;
    const expected = sha256(this.#options.challenge, this.#hostSignature, serverSecret);
    return {
      signature: !!key && verify('sha256', serverSecret, key, pairingSecret.subarray(16)),
      pin: expected.equals(this.#answer.subarray(0, 32)),
    };
  }

  get phase4(): string {
    const { secret, privateKey } = this.#options;
    const signature = sign('sha256', secret, privateKey);
    return `clientpairingsecret=${toHex(Buffer.concat([secret, signature]))}`;
  }

  #encrypt(plain: Uint8Array): Buffer {
    const cipher = createCipheriv('aes-128-ecb', this.#key, null).setAutoPadding(false);
    return Buffer.concat([cipher.update(plain), cipher.final()]);
  }

  #decrypt(sealed: Uint8Array): Buffer {
    const decipher = createDecipheriv('aes-128-ecb', this.#key, null).setAutoPadding(false);
    return Buffer.concat([decipher.update(sealed), decipher.final()]);
  }
}
