/** What an ENet host dropped and why; for status and tests. */

export interface EnetCounters {
  malformed: number;
  /** Wrong peer index, session or state. */
  stray: number;
  /** Datagrams that nothing authenticated: from another address, or forged in the peer's name. */
  unproven: number;
  /** Goodbyes that the peer's own messages contradicted. */
  forgedGoodbyes: number;
  refusedConnects: number;
  roamed: number;
}

export function newCounters(): EnetCounters {
  return {
    malformed: 0,
    stray: 0,
    unproven: 0,
    forgedGoodbyes: 0,
    refusedConnects: 0,
    roamed: 0,
  };
}
