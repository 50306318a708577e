import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { removeEndpoint, writeEndpoint } from '../../src/mgmt/endpoint-file.ts';
import { type Management, startManagement } from '../../src/mgmt/server.ts';
import type { HostIdentity } from '../../src/trust/identity.ts';
import { makeIdentity } from '../mgmt/identity-fixture.ts';
import {
  FINGERPRINT_A,
  FINGERPRINT_B,
  requestRow,
  type ScriptedHost,
  scriptedHost,
  sessionRow,
} from '../mgmt/scripted-host.ts';
import { run } from './terminal.ts';

let dir = '';
let identity: HostIdentity;
let other: HostIdentity;
let host: ScriptedHost;
let management: Management;
const env = { HOME: '/nonexistent' };

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'pf-ctl-'));
  identity = makeIdentity(dir, 'host');
  other = makeIdentity(dir, 'other');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));
beforeEach(async () => {
  host = scriptedHost();
  management = await startManagement({
    host,
    certificatePem: identity.certificatePem,
    privateKeyPem: identity.privateKeyPem,
    stateDir: dir,
    bind: '127.0.0.1',
    port: 0,
    hostName: 'pc',
  });
});
afterEach(async () => {
  await management.close();
});

const ctl = (...argv: string[]) => run(['ctl', ...argv, `--state-dir=${dir}`], { env });

async function json(...argv: string[]) {
  const { code, out, err } = await ctl(...argv, '--json');
  expect(err).toBe('');
  expect(out.endsWith('\n')).toBe(true);
  return { code, document: JSON.parse(out) as { v: 1; data?: unknown; error?: unknown } };
}

describe('ctl with a running host exits with 0', () => {
  test('status says what runs, with which rungs and why no better one', async () => {
    const { code, out } = await ctl('status');

    expect(code).toBe(0);
    expect(out).toContain('2 paired devices, 2 sessions');
    expect(out).toContain(
      'Encoder: addon-x264, H.264 in software; not x264: libx264 is not installed',
    );
    expect(out).toContain('punktfunk ctl pair');
    expect(out).toContain('HDR was asked for; this machine has no 10-bit encoder.');
  });

  test('every list verb prints the rows of the API as {"v":1,"data":…}', async () => {
    expect(await json('status')).toEqual({ code: 0, document: { v: 1, data: host.status() } });
    expect(await json('sessions')).toEqual({ code: 0, document: { v: 1, data: host.sessionRows } });
    expect(await json('devices')).toEqual({ code: 0, document: { v: 1, data: host.deviceRows } });
    expect(await json('pair')).toEqual({ code: 0, document: { v: 1, data: host.requestRows } });
  });

  test('empty lists say so in words', async () => {
    host.sessionRows = [];
    host.deviceRows = [];
    host.requestRows = [];

    expect((await ctl('sessions')).out).toBe('Nothing streams.\n');
    expect((await ctl('devices')).out).toContain('No device is paired.');
    expect((await ctl('pair')).out).toContain('No device waits for a PIN.');
  });

  test('rename takes the beginning of a fingerprint', async () => {
    const { code, out } = await ctl('rename', 'AAAAAAAA', 'Big TV');

    expect({ code, out }).toEqual({ code: 0, out: 'aaaaaaaa is now Big TV.\n' });
    expect(host.calls).toEqual([`rename ${FINGERPRINT_A} Big TV`]);
  });

  test('unpair names the device that it removed', async () => {
    const { code, out } = await ctl('unpair', FINGERPRINT_B);

    expect({ code, out }).toEqual({ code: 0, out: 'Unpaired Phone (bbbbbbbb).\n' });
    expect(host.calls).toEqual([`unpair ${FINGERPRINT_B}`]);
  });

  test('stop-session takes an id, or the only session there is', async () => {
    expect((await json('stop-session', 's2', '--how=drop')).document.data).toEqual({
      id: 's2',
      how: 'drop',
    });
    expect((await ctl('stop-session')).code).toBe(0);
    expect(host.calls).toEqual(['stop s2 drop', 'stop s1 quit']);
  });

  test('names that steer a terminal are shown without it', async () => {
    host.sessionRows = [{ ...sessionRow('s1', FINGERPRINT_A), client_name: '\u001b[2Jevil\u202e' }];

    expect((await ctl('sessions')).out).toContain('[2Jevil  ');
  });
});

describe('ctl pin', () => {
  test('without --request takes the only request and says whose it was', async () => {
    const { code, out } = await ctl('pin', '0042', '--name=Den');

    expect({ code, out }).toEqual({ code: 0, out: 'Paired Tablet at 192.168.1.7 (bbbbbbbb).\n' });
    expect(host.calls).toEqual(['pin r1 0042 Den']);
  });

  test('with several requests it refuses, lists them and gives the PIN to none', async () => {
    host.requestRows.push(requestRow('r2', 'Other', '192.168.1.8'));

    const { code, err } = await ctl('pin', '0042');

    expect(code).toBe(1);
    expect(err).toContain('r1 is Tablet at 192.168.1.7, r2 is Other at 192.168.1.8');
    expect(err).toContain('--request=ID');
    expect(host.calls).toEqual([]);
  });

  test('with --request it goes to exactly that one', async () => {
    host.requestRows.push(requestRow('r2', 'Other', '192.168.1.8'));

    expect((await ctl('pin', '0042', '--request=r2')).out).toContain('at 192.168.1.8');
    expect(host.calls).toEqual(['pin r2 0042']);
  });

  test('a request that is over takes no PIN, and neither does another one', async () => {
    const { code, err } = await ctl('pin', '0042', '--request=r9');

    expect(code).toBe(1);
    expect(err).toContain('No request r9 waits. Waiting: r1 is Tablet');
    expect(host.calls).toEqual([]);
    host.requestRows = [];
    expect((await ctl('pin', '0042')).err).toContain('Start pairing on the device first');
  });

  test('the real result of the ceremony is the exit code and the error code', async () => {
    host.pinOutcome = async () => ({ outcome: 'refused', code: 'wrong_pin' });

    const { code, document } = await json('pin', '0042');

    expect(code).toBe(1);
    expect(document).toEqual({
      v: 1,
      error: { code: 'wrong_pin', message: expect.stringContaining('shows another PIN') },
    });
  });

  test('pair --deny refuses a request', async () => {
    expect((await ctl('pair', '--deny=r1')).out).toBe('Refused request r1.\n');
    expect((await ctl('pair', '--deny=r9')).code).toBe(1);
  });
});

describe('ctl exits with 1 when the host refuses', () => {
  test.each([
    [['rename', '0'.repeat(64), 'x'], 'not_found', 'No paired device has a fingerprint'],
    [['unpair', 'cccccccc'], 'not_found', 'No paired device has a fingerprint'],
    [['stop-session', 's9'], 'not_found', 'No session has this id'],
    [['stop-session'], 'ambiguous', 'Several sessions run: s1 (Living room), s2 (Living room).'],
    [['rename', 'aaaaaaaa', '\u202e'], 'refused', 'name must be 1 to 64 characters'],
  ] as const)('%j', async (argv, code, message) => {
    const human = await ctl(...argv);
    const machine = await json(...argv);

    expect(human).toMatchObject({ code: 1, out: '' });
    expect(human.err).toContain(message);
    expect(machine.code).toBe(1);
    expect(machine.document).toMatchObject({ error: { code } });
  });

  test('a prefix that fits two devices is ambiguous', async () => {
    host.deviceRows = host.deviceRows.map((row, index) => ({
      ...row,
      fingerprint: `${'a'.repeat(63)}${index}`,
    }));

    expect((await json('unpair', 'aaaaaaaa')).document).toMatchObject({
      error: { code: 'ambiguous' },
    });
    expect(host.calls).toEqual([]);
  });

  test('a token that is not the one of the host is refused', async () => {
    writeFileSync(join(dir, 'mgmt-token'), `PUNKTFUNK_MGMT_TOKEN=${'0'.repeat(64)}\n`);

    expect((await json('status')).document).toMatchObject({ error: { code: 'not_allowed' } });

    rmSync(join(dir, 'mgmt-token'));
  });
});

describe('ctl exits with 2 for usage, also as JSON', () => {
  test('a bad PIN', async () => {
    expect(await json('pin', 'abcd')).toEqual({
      code: 2,
      document: { v: 1, error: { code: 'usage', message: 'A PIN is 1 to 16 digits.' } },
    });
  });
});

describe('ctl exits with 3 without a host', () => {
  test('when none has announced itself', async () => {
    removeEndpoint(dir);

    const { code, err } = await ctl('status');

    expect(code).toBe(3);
    expect(err).toBe(
      `punktfunk: No host runs with the folder ${dir}.\n` +
        'Start it with "punktfunk serve", or name its folder with --state-dir.\n',
    );
  });

  test('when nothing listens where the last one was', async () => {
    await management.close();
    announce(management.port, identity);

    const { code, document } = await json('status');

    expect(code).toBe(3);
    expect(document).toMatchObject({ error: { code: 'no_host' } });
  });

  test.each([
    ['closes without a word', ''],
    ['does not speak HTTP', 'SSH-2.0-x\r\n\r\n'],
    ['stops in the middle', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{'],
    ['sends what is no JSON', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx'],
  ])('when what answers %s', async (_, answer) => {
    const squatter = await listen(identity, (socket) =>
      socket.once('data', () => socket.end(answer)),
    );
    announce(squatter.port, identity);

    expect((await ctl('status')).code).toBe(3);

    squatter.server.close();
  });
});

describe('ctl exits with 4 when another program answers', () => {
  test('and sends it nothing, least of all the token', async () => {
    let received = 0;
    const squatter = await listen(other, (socket) =>
      socket.on('data', (chunk: Buffer) => {
        received += chunk.length;
      }),
    );
    announce(squatter.port, identity);

    const human = await ctl('status');
    const machine = await json('pin', '1234');

    expect(human.code).toBe(4);
    expect(human.err).toContain('does not hold the certificate of this host');
    expect(machine.code).toBe(4);
    expect(machine.document).toMatchObject({ error: { code: 'certificate_mismatch' } });
    await Bun.sleep(20);
    expect(received).toBe(0);

    squatter.server.close();
  });
});

function announce(port: number, { fingerprint }: HostIdentity): void {
  writeEndpoint(dir, { address: '127.0.0.1', port, certificateSha256: fingerprint });
}

async function listen(
  { certificatePem, privateKeyPem }: HostIdentity,
  onConnection: (socket: TLSSocket) => void,
): Promise<{ server: Server; port: number }> {
  const server = createServer({ cert: certificatePem, key: privateKeyPem }, (socket) => {
    socket.on('error', () => {});
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as { port: number }).port };
}
