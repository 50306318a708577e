import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const has = (...programs: string[]) => programs.every((program) => Bun.which(program) !== null);

/** Namespaces need root, or user namespaces that are allowed. */
const UNSHARE = [
  ['unshare', '--net', '--mount'],
  ['unshare', '-r', '--net', '--mount'],
].find(
  (command) =>
    has('unshare', 'nsenter', 'ip') &&
    Bun.spawnSync([...command, 'ip', 'link', 'add', 'x', 'type', 'veth', 'peer', 'name', 'y'], {
      stderr: 'ignore',
    }).exitCode === 0,
);
const canUseAvahi = has('avahi-daemon', 'avahi-browse', 'avahi-publish', 'dbus-daemon');

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'punktfunk-mdns-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function stage(...extra: string[]): Promise<string> {
  const script = join(import.meta.dir, 'mdns-live.sh');
  const child = Bun.spawn(
    [...(UNSHARE ?? []), 'bash', script, folder, process.execPath, import.meta.dir, ...extra],
    { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' },
  );
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0) throw new Error(`the stage failed:\n${out}\n${err}`);
  return out;
}

const read = (name: string) => readFileSync(join(folder, name), 'utf8');

interface SeenAnswer {
  readonly from: string;
  readonly port: number;
  readonly id: number;
  readonly flags: number;
  readonly questions: unknown[];
  readonly answers: { name: string; type: string; ttl: number; flush: boolean; data: unknown }[];
  readonly additionals: { name: string; type: string; data: unknown }[];
}

describe('mDNS on a link', () => {
  test.skipIf(!UNSHARE)(
    'a peer of plain sockets is answered on each link (needs network namespaces)',
    async () => {
      const out = await stage();
      const seen = new Map<string, SeenAnswer | null>();
      for (const [, ask = '', json = ''] of out.matchAll(/^answer (\S+) (.*)$/gm)) {
        seen.set(ask, JSON.parse(json) as SeenAnswer | null);
      }

      const legacy = seen.get('legacy,PTR,_nvstream._tcp.local');
      expect(legacy).toMatchObject({ from: '10.99.1.1', port: 5353, id: 77, flags: 1024 });
      expect(legacy?.questions).toHaveLength(1);
      expect(legacy?.answers[0]).toMatchObject({ data: 'den._nvstream._tcp.local', ttl: 10 });
      const address = seen.get('legacy,A,punktfunk-0123456789ab.local');
      expect(address?.answers.map(({ data, flush }) => [data, flush])).toEqual([
        ['10.99.1.1', false],
      ]);

      const full = seen.get('full,PTR,_nvstream._tcp.local');
      expect(full).toMatchObject({ from: '10.99.1.1', port: 5353, id: 0, flags: 1024 });
      expect(full?.answers[0]).toMatchObject({ ttl: 4500, flush: false });
      expect(full?.additionals.map(({ type }) => type).sort()).toEqual(['A', 'AAAA', 'SRV', 'TXT']);
      expect(seen.get('full,PTR,_nvstream._tcp.local,den._nvstream._tcp.local')).toBeNull();
      expect(seen.get('full,PTR,_services._dns-sd._udp.local')?.answers).toHaveLength(2);
      expect(seen.get('full,TXT,den._example._udp.local')?.answers[0]).toMatchObject({
        flush: true,
      });
      expect(seen.get('full,PTR,_other._tcp.local')).toBeNull();
      const other = seen.get('full,A,punktfunk-0123456789ab.local');
      expect(other?.answers.map(({ data, flush }) => [data, flush])).toEqual([['10.99.0.1', true]]);
    },
    30_000,
  );

  test.skipIf(!UNSHARE || !canUseAvahi)(
    'avahi finds, resolves, yields to and forgets us (needs network namespaces and avahi)',
    async () => {
      await stage('avahi');

      const browse = read('browse');
      expect(browse).toMatch(
        /^=;b0;IPv4;den;_nvstream\._tcp;local;punktfunk-0123456789ab\.local;10\.99\.0\.1;47989;$/m,
      );
      expect(browse).toMatch(
        /^=;b1;IPv4;den;_nvstream\._tcp;local;punktfunk-0123456789ab\.local;10\.99\.1\.1;47989;$/m,
      );
      expect(browse).toMatch(/^-;b0;IPv4;den;/m);
      expect(read('example')).toContain('"b=2" "a=1"');
      expect(read('resolve')).toMatch(/10\.99\.[01]\.1$/m);
      expect(read('publish')).toMatch(/collision|den #2/i);
      expect(read('host.1')).toContain('names den den\n');
      expect(read('host.2')).toContain('names den-2 den-2\n');
    },
    60_000,
  );
});
