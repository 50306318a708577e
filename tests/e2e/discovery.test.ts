/** A device finds the host by itself, and sees it leave (GameStream §1.2). */
import { describe, expect, test } from 'bun:test';
import { networkInterfaces } from 'node:os';
import { MoonlightDevice } from '../peers/moonlight/client.ts';
import { discoverHosts, type FoundHost } from '../peers/moonlight/discover.ts';
import { HostProcess } from './host-process.ts';

const address = Object.values(networkInterfaces())
  .flatMap((entries) => entries ?? [])
  .find((entry) => entry.family === 'IPv4' && !entry.internal)?.address;
const REASON = address ? '' : ' (skipped: this machine has no network interface but loopback)';

function find(isWanted: (host: FoundHost) => boolean, timeoutMs: number): Promise<FoundHost[]> {
  return discoverHosts({ interfaceAddress: address ?? '', timeoutMs, isWanted });
}

describe.skipIf(!address)(`a host that announces itself${REASON}`, () => {
  test('is found with its port and answers there, and is gone after its goodbye', async () => {
    const host = await HostProcess.start({ isAnnounced: true, flags: ['--host-name', 'Den PC'] });
    const isOurs = (found: FoundHost) => found.port === host.portBase;
    try {
      const found = (await find(isOurs, 8000)).find(isOurs);
      expect(found?.instance).toMatch(/^Den-?PC.*\._nvstream\._tcp\.local$/);
      expect(found?.addresses).toContain(address ?? '');
      const device = new MoonlightDevice({
        address: found?.addresses[0] ?? '',
        httpPort: found?.port ?? 0,
      });
      const info = await device.serverInfo();
      expect(info).toMatchObject({ hostname: 'Den PC', isPaired: false });
      expect(info.localIp).toBe(address ?? '');
    } finally {
      await host.dispose();
    }
    expect((await find(isOurs, 1500)).filter(isOurs)).toEqual([]);
  });
});
