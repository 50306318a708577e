/**
 * Who may hold a TCP connection open, and for how long. A connection has a deadline from its first
 * moment on. A full house makes room: the address that holds the most gives up its oldest connection
 * that we owe no answer, so a stranger who holds hundreds, from many addresses, keeps nobody out.
 */
import type { Socket } from 'node:net';
import { normaliseAddress } from './interfaces.ts';

export interface DoorLimits {
  /** From the connection to its first whole request, TLS handshake included. */
  readonly requestMs: number;
  readonly connectionsPerAddress: number;
  readonly connections: number;
}

interface Held {
  readonly address: string;
  timer: ReturnType<typeof setTimeout>;
  isAnswered: boolean;
}

export class ConnectionDoor {
  readonly #limits: DoorLimits;
  /** Oldest first. */
  readonly #open = new Map<Socket, Held>();
  readonly #perAddress = new Map<string, number>();
  #refusedCount = 0;

  constructor(limits: DoorLimits) {
    this.#limits = limits;
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** Connections that were refused or gave up their place because there were too many. */
  get refusedCount(): number {
    return this.#refusedCount;
  }

  /** False: one too many, and closed already. */
  admit(socket: Socket): boolean {
    const address = normaliseAddress(socket.remoteAddress ?? '');
    socket.on('error', () => socket.destroy());
    if (!this.#hasRoomFor(address)) {
      this.#refusedCount += 1;
      socket.destroy();
      return false;
    }
    this.#perAddress.set(address, this.#countOf(address) + 1);
    const timer = this.#deadline(socket, this.#limits.requestMs);
    this.#open.set(socket, { address, timer, isAnswered: false });
    socket.once('close', () => this.#leave(socket));
    return true;
  }

  /** A whole request is here: the connection keeps its place for `budgetMs` while we work on it. */
  answering(socket: Socket, budgetMs: number): void {
    this.#extend(socket, budgetMs, true);
  }

  /** Nothing of ours is owed any more: `budgetMs` to be gone, or to ask again. */
  waiting(socket: Socket, budgetMs: number): void {
    this.#extend(socket, budgetMs, false);
  }

  destroyAll(): void {
    for (const socket of [...this.#open.keys()]) socket.destroy();
  }

  #extend(socket: Socket, budgetMs: number, isAnswered: boolean): void {
    const held = this.#open.get(socket);
    if (!held) return;
    clearTimeout(held.timer);
    held.timer = this.#deadline(socket, budgetMs);
    held.isAnswered = isAnswered;
  }

  #hasRoomFor(address: string): boolean {
    const { connections, connectionsPerAddress } = this.#limits;
    if (this.#countOf(address) >= connectionsPerAddress) {
      return this.#giveUp(this.#oldestIdle(address));
    }
    return this.#open.size < connections || this.#giveUp(this.#oldestOfTheMost(address));
  }

  #oldestIdle(address: string): Socket | null {
    for (const [socket, held] of this.#open) {
      if (!held.isAnswered && held.address === address) return socket;
    }
    return null;
  }

  /** Of the address that holds more than any other, and more than `address`. */
  #oldestOfTheMost(address: string): Socket | null {
    let most = this.#countOf(address);
    let oldest: Socket | null = null;
    for (const [socket, held] of this.#open) {
      const count = this.#countOf(held.address);
      if (held.isAnswered || count <= most) continue;
      most = count;
      oldest = socket;
    }
    return oldest;
  }

  #giveUp(victim: Socket | null): boolean {
    if (!victim) return false;
    this.#refusedCount += 1;
    this.#leave(victim);
    victim.destroy();
    return true;
  }

  #countOf(address: string): number {
    return this.#perAddress.get(address) ?? 0;
  }

  #deadline(socket: Socket, budgetMs: number): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => socket.destroy(), budgetMs);
    timer.unref();
    return timer;
  }

  #leave(socket: Socket): void {
    const held = this.#open.get(socket);
    if (!held) return;
    clearTimeout(held.timer);
    this.#open.delete(socket);
    const remaining = this.#countOf(held.address) - 1;
    if (remaining > 0) this.#perAddress.set(held.address, remaining);
    else this.#perAddress.delete(held.address);
  }
}
