/** The datagram sender port: equal-size datagrams from one piece of memory in few system calls. */

export interface DatagramSender {
  /** Rung in use: `gso`, `sendmmsg` or `send`. */
  readonly rung: string;
  /** Destination of everything sent after; packed sockaddr from net/socket-address.ts. */
  setDestination(sockaddr: Uint8Array): void;
  /**
   * Sends `count` datagrams of `sizeBytes` that lie `strideBytes` apart in the ring, from slot
   * `first`. When `lastSizeBytes` is given the last one is that long.
   * @returns datagrams handed to the kernel; fewer means the rest was dropped (counted).
   */
  send(first: number, count: number, sizeBytes: number, lastSizeBytes?: number): number;
  readonly droppedCount: number;
  /** Why datagrams were dropped last, e.g. `EMSGSIZE`; empty while none were. */
  readonly lastError: string;
  close(): void;
}
