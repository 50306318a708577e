/** What we use of the untyped libraries mdns-server and dns-packet. */

declare module 'mdns-server' {
  import type { Socket } from 'node:dgram';
  import type { EventEmitter } from 'node:events';

  /** One entry per interface and family; the library adds its sockets to the object it is given. */
  export interface MdnsServerInterface {
    readonly name: string;
    readonly address: string;
    readonly family: 'IPv4' | 'IPv6';
    socketSend: Socket | null;
    socketRecv: Socket | null;
  }

  export interface MdnsServer extends EventEmitter {
    initServer(): void;
    query(packet: object, origin: object, done: () => void): void;
    respond(packet: object, origin: object, done: () => void): void;
    destroy(done: () => void): void;
  }

  const open: (options: {
    interfaces: MdnsServerInterface[];
    srcPort: number;
    ttl: number;
    loopback: boolean;
    reuseAddr: boolean;
    noInit: boolean;
  }) => MdnsServer;
  export = open;
}

declare module 'dns-packet' {
  export function encode(packet: object): Uint8Array;
  export function decode(bytes: Uint8Array): Record<string, unknown>;
}
