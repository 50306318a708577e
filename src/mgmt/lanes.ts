/**
 * Who is calling. A lane is found from a credential alone; being on this machine is a condition of
 * the admin lane and never a credential. Pure.
 */

/** `open` needs nothing, `device` a paired certificate, `admin` the token file of this host. */
export type Lane = 'open' | 'device' | 'admin';

export interface Peer {
  /** Address of the connection; forwarding headers are never looked at. */
  readonly address: string;
  readonly certificateDer: Uint8Array | null;
}

export interface Caller {
  readonly lane: Lane;
  /** The device's fingerprint on the device lane. */
  readonly fingerprint: string | null;
}

export interface LaneKeys {
  isAdminToken(token: string): boolean;
  deviceByCertificate(certificateDer: Uint8Array): string | null;
}

/**
 * The caller of a request, or null when it shows a token that is not accepted (wrong, or from
 * another machine): a bad token is refused even where none is needed.
 */
export function callerOf(
  authorization: string | undefined,
  peer: Peer,
  keys: LaneKeys,
): Caller | null {
  if (authorization !== undefined) {
    const token = /^Bearer ([A-Za-z0-9._~+/=-]{1,256})$/i.exec(authorization)?.[1];
    const isAccepted =
      token !== undefined && isLoopbackAddress(peer.address) && keys.isAdminToken(token);
    return isAccepted ? { lane: 'admin', fingerprint: null } : null;
  }
  if (peer.certificateDer !== null) {
    const fingerprint = keys.deviceByCertificate(peer.certificateDer);
    if (fingerprint !== null) return { lane: 'device', fingerprint };
  }
  return { lane: 'open', fingerprint: null };
}

/** 127.0.0.0/8 and ::1, also IPv4 written inside IPv6 (RFC 4291 §2.5.5.2). */
export function isLoopbackAddress(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  const plain = mapped?.[1] ?? address;
  return plain === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(plain);
}
