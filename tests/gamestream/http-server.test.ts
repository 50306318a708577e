import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type DeviceCredentials,
  type HttpFixture,
  makeDeviceCredentials,
  OWN_PICTURE,
  startHttpFixture,
} from './http-fixture.ts';
import { exchange, get } from './http-peer.ts';

const LAUNCH =
  '/launch?uniqueid=1&appid=2&mode=1280x720x60&rikey=00112233445566778899aabbccddeeff' +
  '&rikeyid=-2&localAudioPlayMode=0&surroundAudioInfo=196610&corever=1';

let fixture: HttpFixture;
let known: DeviceCredentials;
let unknown: DeviceCredentials;

beforeAll(async () => {
  fixture = await startHttpFixture();
  known = makeDeviceCredentials();
  unknown = makeDeviceCredentials();
  fixture.roster.add(
    { certificateDer: known.certificateDer, name: 'known', plane: 'gamestream' },
    Date.now(),
  );
});
afterAll(() => fixture.stop());
beforeEach(() => {
  fixture.host.launched.length = 0;
  fixture.host.running = 0;
  fixture.host.outcome = { ok: true, rtspPort: 48010, rtspSealed: true };
});

describe('every answer', () => {
  test('is complete XML with its length, and closes the connection', async () => {
    const reply = await get(fixture, '/serverinfo?uniqueid=1');

    expect(reply.httpStatus).toBe(200);
    expect(reply.headers.get('content-type')).toBe('application/xml');
    expect(reply.headers.get('content-length')).toBe(String(reply.body.length));
    expect(reply.headers.get('connection')).toBe('close');
    expect(reply.text.startsWith('<?xml version="1.0" encoding="utf-8"?>\n<root ')).toBe(true);
  });

  test('is the only one of its connection, whatever keep-alive and pipelining ask for', async () => {
    const ask = 'GET /serverinfo HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n';

    const text = await exchange(fixture.server.httpPort, ask + ask);

    expect(text.match(/<root /g)).toHaveLength(1);
    expect(text.toLowerCase()).toContain('connection: close');
  });

  test('to an unknown path is 404, also as HTTP status', async () => {
    for (const path of ['/', '/nope', '/serverinfo/', '/../serverinfo2', '/%2e%2e/etc/passwd']) {
      expect(await get(fixture, path)).toMatchObject({ httpStatus: 404, status: 404 });
    }
  });
});

describe('serverinfo', () => {
  test('over HTTP shows an unpaired view without the MAC', async () => {
    const { text } = await get(fixture, '/serverinfo?uniqueid=1');

    expect(text).toContain('<hostname>Test &amp; &lt;host&gt;</hostname>');
    expect(text).toContain(`<uniqueid>${fixture.identity.uniqueId}</uniqueid>`);
    expect(text).toContain(`<HttpsPort>${fixture.server.httpsPort}</HttpsPort>`);
    expect(text).toContain('<LocalIP>127.0.0.1</LocalIP>');
    expect(text).toContain('<mac>00:00:00:00:00:00</mac><');
    expect(text).toContain('<PairStatus>0</PairStatus><currentgame>0</currentgame>');
    expect(text).toContain('<state>SUNSHINE_SERVER_FREE</state>');
  });

  test('over TLS shows a known device that it is paired, the MAC, and what runs', async () => {
    fixture.host.running = 2;

    const { text } = await get(fixture, '/serverinfo?uniqueid=1', { device: known });

    expect(text).toContain('<mac>02:00:00:00:00:01</mac>');
    expect(text).toContain('<PairStatus>1</PairStatus><currentgame>2</currentgame>');
    expect(text).toContain('<state>SUNSHINE_SERVER_BUSY</state>');
  });
});

describe('the door', () => {
  const guarded = [
    '/applist',
    '/appasset?appid=1',
    LAUNCH,
    LAUNCH.replace('launch', 'resume'),
    '/cancel',
  ];

  test.each(['/serverinfo', ...guarded])(
    '%s over TLS is 401 without a known certificate',
    async (path) => {
      for (const device of [undefined, unknown]) {
        const reply = await get(fixture, path, { tls: true, ...(device ? { device } : {}) });
        expect(reply).toMatchObject({ httpStatus: 200, status: 401 });
        expect(reply.text).toContain('status_message="');
      }
      expect(fixture.host.launched).toEqual([]);
    },
  );

  test.each(guarded)('%s over HTTP is 401', async (path) => {
    expect(await get(fixture, path)).toMatchObject({ httpStatus: 200, status: 401 });
    expect(fixture.host.launched).toEqual([]);
  });

  test('an expired certificate is let in when it is known', async () => {
    const expired = makeDeviceCredentials(Date.UTC(1999, 0, 1));
    fixture.roster.add(
      { certificateDer: expired.certificateDer, name: 'old', plane: 'gamestream' },
      Date.now(),
    );

    const reply = await get(fixture, '/serverinfo', { device: expired });

    expect(reply.text).toContain('<PairStatus>1</PairStatus>');
  });

  test('a device that is unpaired or disabled is outside at its next request', async () => {
    const device = makeDeviceCredentials();
    const added = fixture.roster.add(
      { certificateDer: device.certificateDer, name: 'brief', plane: 'gamestream' },
      Date.now(),
    );
    const fingerprint = added.ok ? added.device.fingerprint : '';
    expect((await get(fixture, '/applist', { device })).status).toBe(200);

    fixture.roster.setEnabled(fingerprint, false);
    expect((await get(fixture, '/applist', { device })).status).toBe(401);
    fixture.roster.setEnabled(fingerprint, true);
    expect((await get(fixture, '/applist', { device })).status).toBe(200);
    fixture.roster.unpair(fingerprint);
    expect((await get(fixture, '/applist', { device })).status).toBe(401);
  });
});

describe('apps', () => {
  test('are listed with escaped titles', async () => {
    const { text } = await get(fixture, '/applist', { device: known });

    expect(text).toContain(
      '<App><IsHdrSupported>0</IsHdrSupported><AppTitle>Desktop</AppTitle><ID>1</ID></App>',
    );
    expect(text).toContain('<AppTitle>Tom &amp; Jerry &lt;&quot;1&quot;&gt;</AppTitle>');
  });

  test('have their own picture or a drawn one of 600 x 800', async () => {
    const own = await get(fixture, '/appasset?appid=2&AssetType=2&AssetIdx=0', { device: known });
    expect(own.headers.get('content-type')).toBe('image/png');
    expect([...own.body]).toEqual([...OWN_PICTURE]);

    const drawn = await get(fixture, '/appasset?appid=1', { device: known });
    const header = new DataView(drawn.body.buffer, drawn.body.byteOffset);
    expect([header.getUint32(16), header.getUint32(20)]).toEqual([600, 800]);
  });

  test.each(['', '?appid=3', '?appid=-1', '?appid=../../etc/passwd', '?appid=2%00', '?appid=1e0'])(
    'a picture for %j is refused',
    async (query) => {
      const reply = await get(fixture, `/appasset${query}`, { device: known });
      expect(reply.httpStatus).toBe(200);
      expect(reply.status).toBeGreaterThanOrEqual(400);
    },
  );
});

describe('launch, resume and cancel', () => {
  test('launch hands the request over and answers with the sealed session URL', async () => {
    const reply = await get(fixture, LAUNCH, { device: known });

    expect(reply.text).toContain(
      '<root status_code="200"><sessionUrl0>rtspenc://127.0.0.1:48010</sessionUrl0>' +
        '<gamesession>1</gamesession></root>',
    );
    expect(fixture.host.launched).toHaveLength(1);
    expect(fixture.host.launched[0]).toMatchObject({
      kind: 'launch',
      request: { appId: 2, keyId: 0xffff_fffe, speaksSealedRtsp: true },
      context: { localAddress: '127.0.0.1', peerAddress: '127.0.0.1', device: { name: 'known' } },
    });
  });

  test('resume needs no app id and answers in its own words', async () => {
    fixture.host.outcome = { ok: true, rtspPort: 1234, rtspSealed: false };

    const reply = await get(fixture, LAUNCH.replace('launch', 'resume').replace('appid=2&', ''), {
      device: known,
    });

    expect(reply.text).toContain(
      '<sessionUrl0>rtsp://127.0.0.1:1234</sessionUrl0><resume>1</resume>',
    );
  });

  test('a refusal of the host keeps its status and message', async () => {
    fixture.host.outcome = { ok: false, status: 503, message: 'no "display" & no encoder' };

    const reply = await get(fixture, LAUNCH, { device: known });

    expect(reply.httpStatus).toBe(200);
    expect(reply.text).toContain(
      '<root status_code="503" status_message="no &quot;display&quot; &amp; no encoder">' +
        '<gamesession>0</gamesession></root>',
    );
  });

  test.each(['rikey', 'rikeyid', 'appid', 'localAudioPlayMode'])(
    'a launch without %s is 400 and starts nothing',
    async (parameter) => {
      const reply = await get(fixture, LAUNCH.replace(new RegExp(`&${parameter}=[^&]*`), ''), {
        device: known,
      });

      expect(reply).toMatchObject({ httpStatus: 200, status: 400 });
      expect(reply.text).toContain(`status_message="${parameter} is missing or malformed"`);
      expect(fixture.host.launched).toEqual([]);
    },
  );

  test('cancel answers when nothing runs any more', async () => {
    fixture.host.running = 1;

    const reply = await get(fixture, '/cancel', { device: known });

    expect(reply.text).toContain('<cancel>1</cancel>');
    expect((await get(fixture, '/serverinfo')).text).toContain('<currentgame>0</currentgame>');
  });

  test('a fault of the host is 503 and reported', async () => {
    const fault = new Error('broken');
    const { cancel } = fixture.host;
    fixture.host.cancel = () => Promise.reject(fault);

    const reply = await get(fixture, '/cancel', { device: known });
    fixture.host.cancel = cancel;

    expect(reply).toMatchObject({ httpStatus: 200, status: 503 });
    expect(fixture.faults.splice(0)).toEqual([fault]);
  });
});

describe('bad input', () => {
  test.each([
    ['a key twice', '/serverinfo?a=1&a=2'],
    ['a broken escape', '/serverinfo?a=%zz'],
    ['a control character', '/serverinfo?a=%00'],
    [
      'too many parameters',
      `/serverinfo?${Array.from({ length: 65 }, (_, n) => `k${n}=`).join('&')}`,
    ],
    ['a query of 13000 characters', `/serverinfo?a=${'b'.repeat(13_000)}`],
  ])('%s is 400', async (_name, path) => {
    expect(await get(fixture, path)).toMatchObject({ httpStatus: 200, status: 400 });
  });

  test.each([
    ['POST', 'POST /serverinfo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi'],
    ['a GET with a body', 'GET /serverinfo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi'],
    [
      'a chunked GET',
      'GET /serverinfo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n',
    ],
  ])('%s is 400', async (_name, bytes) => {
    expect(await exchange(fixture.server.httpPort, bytes)).toContain('status_code="400"');
  });

  test.each([
    ['nothing', ''],
    ['noise', 'hello\r\n\r\n'],
    ['a header of 40 KB', `GET / HTTP/1.1\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`],
  ])('%s gets no answer and harms nobody', async (_name, bytes) => {
    expect(await exchange(fixture.server.httpPort, bytes)).not.toContain('<root');
    expect(await exchange(fixture.server.httpsPort, bytes)).not.toContain('<root');
    expect((await get(fixture, '/serverinfo')).status).toBe(200);
  });

  test('connections that never finish a request are closed in time, held answers are not', async () => {
    const limits = { requestMs: 60, answerMs: 400 };
    const brief = await startHttpFixture({ http: 0, https: 0 }, limits);
    const fates: Promise<string>[] = [];
    for (const port of [brief.server.httpPort, brief.server.httpsPort]) {
      for (const bytes of ['G', 'GET /serverinfo HTTP/1.1\r\nHost:', '\x16\x03\x01\x02\x00\x01']) {
        fates.push(exchange(port, bytes));
      }
    }
    brief.host.cancel = () => Bun.sleep(150).then(() => true);
    const device = makeDeviceCredentials();
    const { certificateDer } = device;
    brief.roster.add({ certificateDer, name: 'slow', plane: 'gamestream' }, Date.now());

    expect((await get(brief, '/cancel', { device })).text).toContain('<cancel>1</cancel>');
    for (const fate of fates) expect(await fate).not.toContain('<root');
    await brief.stop();
  });

  test('who holds 24 connections open is answered on a 25th, at the cost of the oldest', async () => {
    const sockets = Array.from({ length: 24 }, () =>
      connect({ host: '127.0.0.1', port: fixture.server.httpPort }),
    );
    const ends = sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    await Promise.all(
      sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))),
    );
    for (const socket of sockets) socket.resume();
    const before = fixture.server.refusedCount();

    expect((await get(fixture, '/serverinfo')).status).toBe(200);

    await Promise.race(ends);
    expect(fixture.server.refusedCount()).toBe(before + 1);
    expect(sockets.filter((socket) => !socket.destroyed)).toHaveLength(23);
    for (const socket of sockets) socket.destroy();
  });

  test('a port in use is the system error, and the other port is left closed', async () => {
    const ports = { http: 0, https: fixture.server.httpsPort };
    await expect(startHttpFixture(ports)).rejects.toThrow(/EADDRINUSE/);
  });
});

const curl = Bun.which('curl');
const openssl = Bun.which('openssl');

describe('independent TLS peers', () => {
  let folder = '';
  const files = (device: DeviceCredentials, name: string) => {
    writeFileSync(join(folder, `${name}.pem`), device.certificatePem + device.keyPem);
    return join(folder, `${name}.pem`);
  };
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'punktfunk-curl-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function run(command: string[]): Promise<string> {
    const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' });
    const [out, err] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    await child.exited;
    return out + err;
  }
  const url = (path: string) => `https://127.0.0.1:${fixture.server.httpsPort}${path}`;

  test.skipIf(!curl).each(['1.2', '1.3'])('curl over TLS %s (needs curl)', async (version) => {
    const tls = [`--tlsv${version}`, '--tls-max', version];
    const ask = (certificate: string | null, path: string) =>
      run([
        'curl',
        '-ski',
        '--http1.1',
        ...tls,
        ...(certificate ? ['--cert', certificate] : []),
        url(path),
      ]);

    expect(await ask(files(unknown, 'unknown'), '/applist')).toContain('status_code="401"');
    expect(await ask(null, '/serverinfo')).toContain('status_code="401"');
    const paired = await ask(files(known, 'known'), '/serverinfo');
    expect(paired).toContain('HTTP/1.1 200 OK');
    expect(paired).toContain('<PairStatus>1</PairStatus>');
  });

  test.skipIf(!curl)('curl with an expired but known certificate (needs curl)', async () => {
    const expired = makeDeviceCredentials(Date.UTC(1999, 0, 1));
    fixture.roster.add(
      { certificateDer: expired.certificateDer, name: 'old', plane: 'gamestream' },
      Date.now(),
    );
    const reply = await run([
      'curl',
      '-sk',
      '--cert',
      files(expired, 'expired'),
      url('/serverinfo'),
    ]);
    expect(reply).toContain('<PairStatus>1</PairStatus>');
  });

  test.skipIf(!curl)('curl that pins the certificate of the host (needs curl)', async () => {
    const pin = join(folder, 'host.pem');
    writeFileSync(pin, fixture.identity.certificatePem);
    const key = new Bun.CryptoHasher('sha256')
      .update(
        new (await import('node:crypto')).X509Certificate(
          pin && fixture.identity.certificatePem,
        ).publicKey.export({ type: 'spki', format: 'der' }),
      )
      .digest('base64');
    const reply = await run([
      'curl',
      '-sk',
      '--pinnedpubkey',
      `sha256//${key}`,
      url('/serverinfo'),
    ]);
    expect(reply).toContain('status_code="401"');
  });

  test.skipIf(!openssl)(
    'openssl is asked for a certificate and refused below TLS 1.2 (needs openssl)',
    async () => {
      const target = ['-connect', `127.0.0.1:${fixture.server.httpsPort}`];
      const report = await run(['openssl', 's_client', ...target]);
      expect(report).toContain('BEGIN CERTIFICATE');
      expect(report).toMatch(/Client Certificate Types|Requested Signature Algorithms/);
      const old = await run([
        'openssl',
        's_client',
        '-tls1_1',
        '-cipher',
        'ALL@SECLEVEL=0',
        ...target,
      ]);
      expect(old).toMatch(/alert protocol version|no protocols available/);
    },
  );
});
