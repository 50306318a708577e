/** What a pairing request is answered with, before it becomes XML. */

export interface PairReply {
  /** Status in the XML root; the HTTP status is always 200. */
  readonly status: 200 | 400 | 503;
  readonly message?: string;
  /** 1 also means "go on to the next phase". */
  readonly paired: 0 | 1;
  /** The one value of this phase, e.g. `plaincert`, as lower-case hex. */
  readonly value?: { readonly name: string; readonly hex: string };
}

export function goOn(name: string, bytes: Uint8Array): PairReply {
  return { status: 200, paired: 1, value: { name, hex: Buffer.from(bytes).toString('hex') } };
}

/** Devices read an empty certificate as "another pairing is in progress". */
export const PAIRING_BUSY: PairReply = goOn('plaincert', new Uint8Array(0));
export const PAIRING_DONE: PairReply = { status: 200, paired: 1 };
export const PAIRING_FAILED: PairReply = { status: 200, paired: 0 };

export function pairingRefused(message: string, status: 400 | 503 = 400): PairReply {
  return { status, message, paired: 0 };
}
