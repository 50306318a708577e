/**
 * The interface record that the mdns-server library hangs its two sockets on. It looks on while they
 * are set: the library joins the IPv4 group by a made-up interface address, which fails or lands on
 * the default interface, so the join is pointed at the interface's own address; and a send socket
 * that it gives up is closed, which it forgets.
 */
import type { Socket } from 'node:dgram';
import type { MdnsServerInterface } from 'mdns-server';
import type { MdnsSocketLink } from './mdns-links.ts';

export class MdnsLinkSocket implements MdnsServerInterface {
  readonly name: string;
  readonly address: string;
  readonly family: 'IPv4' | 'IPv6';
  #send: Socket | null = null;
  #receive: Socket | null = null;

  constructor(link: MdnsSocketLink) {
    this.name = link.interfaceName;
    this.address = link.socketAddress;
    this.family = link.family;
  }

  get socketSend(): Socket | null {
    return this.#send;
  }

  set socketSend(socket: Socket | null) {
    if (socket === null) this.#send?.close();
    this.#send = socket;
  }

  get socketRecv(): Socket | null {
    return this.#receive;
  }

  set socketRecv(socket: Socket | null) {
    this.#receive = socket;
    if (!socket || this.family !== 'IPv4') return;
    const join = socket.addMembership.bind(socket);
    socket.addMembership = (group) => join(group, this.address);
  }
}
