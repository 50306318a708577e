import { describe, expect, test } from 'bun:test';
import { createServer } from 'node:net';
import { portInUseError, portOwner } from '../../src/platform/linux/port-owner.ts';

describe('who holds a port', () => {
  test.each(['127.0.0.1', '::1'])(
    'a TCP listener on %s is found with its process',
    async (host) => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, host, resolve));
      const { port } = server.address() as { port: number };

      expect(portOwner('TCP', port)?.pid).toBe(process.pid);
      expect(portInUseError('TCP', port, '--port-base').message).toMatch(
        new RegExp(
          `^TCP port ${port} is in use by .+ \\(process ${process.pid}\\)\\. .*--port-base`,
        ),
      );

      server.close();
    },
  );

  test('a UDP socket is found with its process', async () => {
    const socket = await Bun.udpSocket({ hostname: '127.0.0.1' });

    expect(portOwner('UDP', socket.port)?.pid).toBe(process.pid);
    expect(portOwner('TCP', socket.port)).toBeNull();

    socket.close();
  });

  test('a port that nobody visible holds names the command that finds out', () => {
    expect(portInUseError('UDP', 1, '--port-base').message).toContain('sudo ss -lnup sport = :1');
  });
});
