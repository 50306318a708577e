/**
 * The control server: one ENet host, and which of its peers belongs to which expected session.
 * Without I/O but for the functions passed in; `openControlPlane` puts it on a socket.
 *
 * A connect is accepted when its data is the connect data of an expected session, or when it comes
 * from the address of a session whose device knows no session ids. Everything else is met with
 * silence. Source: GameStream §6.2, §7.
 */
import { normaliseAddress } from '../../net/interfaces.ts';
import { endpointOf } from '../enet/endpoint.ts';
import { EnetHost } from '../enet/host.ts';
import { type ControlEvent, type ControlExpectation, ControlSession } from './session.ts';

/** Sessions expected or running at the same time. */
export const CONTROL_SESSIONS_MAX = 16;

export interface ControlServerParts {
  readonly nowMs: () => number;
  readonly transmit: (to: string, bytes: Uint8Array) => void;
  /** A deadline changed outside of receive and tick. */
  readonly wake: () => void;
}

export class ControlServer {
  readonly enet: EnetHost;
  readonly #parts: ControlServerParts;
  readonly #sessions: ControlSession[] = [];
  readonly #byPeer = new Map<number, ControlSession>();

  constructor(parts: ControlServerParts) {
    this.#parts = parts;
    this.enet = new EnetHost({
      transmit: parts.transmit,
      accepts: (connectData, from) => this.#find(connectData, from) !== null,
      connected: (peer, connectData, from) => {
        const session = this.#find(connectData, from);
        if (session) this.#byPeer.set(peer, session);
        else this.enet.drop(peer, parts.nowMs());
      },
      message: (peer, _channel, bytes) => this.#byPeer.get(peer)?.receive(peer, bytes),
      opens: (peer, bytes) => this.#byPeer.get(peer)?.opens(bytes) ?? false,
      isAuthentic: (peer, bytes) => this.#byPeer.get(peer)?.isAuthentic(bytes) ?? false,
      disconnected: (peer, reason) => {
        const session = this.#byPeer.get(peer);
        this.#byPeer.delete(peer);
        session?.disconnected(peer, reason);
      },
    });
  }

  get sessionCount(): number {
    return this.#sessions.length;
  }

  /**
   * From now on the device of this launch may connect. An earlier expectation of the same launch,
   * or the oldest one when {@link CONTROL_SESSIONS_MAX} wait, is closed.
   */
  expect(expectation: ControlExpectation, onEvent: (event: ControlEvent) => void): ControlSession {
    const same = this.#sessions.find((s) => s.expectation.launchId === expectation.launchId);
    if (same) this.forget(same);
    const oldest = this.#sessions[0];
    if (oldest && this.#sessions.length >= CONTROL_SESSIONS_MAX) this.forget(oldest);
    const session = new ControlSession({
      expectation: { ...expectation, peerAddress: normaliseAddress(expectation.peerAddress) },
      enet: this.enet,
      nowMs: this.#parts.nowMs,
      wake: this.#parts.wake,
      onEvent,
    });
    this.#sessions.push(session);
    return session;
  }

  /** The session is over: its peers are dropped and its device may not connect any more. */
  forget(session: ControlSession): void {
    const index = this.#sessions.indexOf(session);
    if (index < 0) return;
    this.#sessions.splice(index, 1);
    const peers = [...this.#byPeer].filter(([, owner]) => owner === session);
    session.close();
    for (const [peer] of peers) {
      this.#byPeer.delete(peer);
      // A peer that waits for the ack of its goodbye does so by itself.
      this.enet.dropUnlessEnding(peer, this.#parts.nowMs());
    }
  }

  receive(bytes: Uint8Array, from: string): void {
    this.enet.receive(bytes, from, this.#parts.nowMs());
    // An ack may be what a terminating session waits for.
    for (const session of [...this.#sessions]) session.tick();
  }

  tick(): void {
    this.enet.tick(this.#parts.nowMs());
    for (const session of [...this.#sessions]) session.tick();
  }

  nextWakeMs(): number {
    let wakeMs = this.enet.nextWakeMs();
    for (const session of this.#sessions) wakeMs = Math.min(wakeMs, session.nextWakeMs());
    return wakeMs;
  }

  /** Drops everybody at once, without waiting for anything. */
  close(): void {
    for (const session of [...this.#sessions]) this.forget(session);
    this.enet.dropAll(this.#parts.nowMs());
  }

  #find(connectData: number, from: string): ControlSession | null {
    const address = normaliseAddress(endpointOf(from).address);
    // The newest first: a device that launched twice means its latest launch.
    const newest = this.#sessions.toReversed();
    return (
      newest.find(
        ({ expectation }) => expectation.usesSessionIds && expectation.connectData === connectData,
      ) ??
      newest.find(
        ({ expectation }) => !expectation.usesSessionIds && expectation.peerAddress === address,
      ) ??
      null
    );
  }
}
