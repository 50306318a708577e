/** The control plane on its UDP socket. */
import { EnetSocket, type EnetSocketOptions } from '../enet/socket.ts';
import { ControlServer } from './server.ts';

export interface ControlPlane {
  readonly port: number;
  readonly server: ControlServer;
  close(): void;
}

/** Binds and serves; rejects with the system's error (EADDRINUSE, EACCES). */
export async function openControlPlane(options: EnetSocketOptions): Promise<ControlPlane> {
  const socket = await EnetSocket.bind(options);
  const server = new ControlServer({
    nowMs: options.nowMs,
    transmit: (to, bytes) => socket.transmit(to, bytes),
    wake: () => socket.wake(),
  });
  socket.drive(server);
  return {
    port: socket.port,
    server,
    close() {
      server.close();
      socket.close();
    },
  };
}
