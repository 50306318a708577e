import { describe, expect, jest, test } from 'bun:test';
import * as v from 'valibot';
import { buildApp } from '../../src/mgmt/app.ts';
import type { Lane, Peer } from '../../src/mgmt/lanes.ts';
import { BODY_BYTES_MAX } from '../../src/mgmt/request-parts.ts';
import type { Route } from '../../src/mgmt/route.ts';
import { API_BASE, honoPath, ROUTES } from '../../src/mgmt/route-table.ts';
import { ApiErrorSchema } from '../../src/mgmt/schemas.ts';
import { tokenMatcher } from '../../src/mgmt/token.ts';
import { seededRandom } from '../support/random.ts';
import { digest, FINGERPRINT_A, FINGERPRINT_B, scriptedHost } from './scripted-host.ts';

const TOKEN = 'ab'.repeat(32);
const CERTIFICATE = Uint8Array.of(1, 2, 3);
const LANES: readonly Lane[] = ['open', 'device', 'admin'];

/** Example parts of each route that has any. */
const PARAMS: Readonly<Record<string, string>> = { fingerprint: FINGERPRINT_A, id: 's1' };
const BODIES: Readonly<Record<string, unknown>> = {
  changeDevice: { name: 'TV', enabled: true },
  submitPin: { pin: '1234' },
};

function start() {
  const host = scriptedHost();
  host.certificates.set(digest(CERTIFICATE), FINGERPRINT_A);
  host.requestRows = host.requestRows.map((row) => ({ ...row, id: 's1' }));
  const app = buildApp({ host, isAdminToken: tokenMatcher(TOKEN), hostNames: ['gaming-pc'] });
  const send = async (
    method: string,
    path: string,
    options: {
      lane?: Lane;
      peer?: Partial<Peer>;
      body?: string;
      type?: string;
      headers?: Record<string, string>;
    } = {},
  ) => {
    const lane = options.lane ?? 'admin';
    const headers = new Headers({ host: '127.0.0.1:47990', ...options.headers });
    if (lane === 'admin') headers.set('authorization', `Bearer ${TOKEN}`);
    if (options.body !== undefined) headers.set('content-type', options.type ?? 'application/json');
    const request = new Request(`https://localhost${API_BASE}${path}`, {
      method,
      headers,
      ...(options.body !== undefined && { body: options.body }),
    });
    const peer: Peer = {
      address: '127.0.0.1',
      certificateDer: lane === 'device' ? CERTIFICATE : null,
      ...options.peer,
    };
    return await app.fetch(request, { peer });
  };
  return { host, app, send };
}

function example(row: Route): [method: string, path: string, body?: string] {
  const path = row.path.replace(/\{(\w+)\}/g, (_, name: string) => PARAMS[name] ?? '');
  const body = BODIES[row.operationId];
  return body === undefined ? [row.method, path] : [row.method, path, JSON.stringify(body)];
}

async function errorOf(response: Response): Promise<string> {
  const parsed = v.parse(ApiErrorSchema, await response.json());
  return parsed.error;
}

const rows = ROUTES.map((row) => [`${row.method} ${row.path}`, row] as const);

describe('every route', () => {
  test('is in the table and every row is registered', () => {
    const { app } = start();
    const registered = app.routes
      .filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => `${method} ${path}`);

    expect(registered.sort()).toEqual(
      ROUTES.map(({ method, path }) => `${method} ${honoPath(path)}`).sort(),
    );
  });

  test.each(rows)('%s lets exactly its lanes in', async (_, row) => {
    const [method, path, body] = example(row);
    for (const lane of LANES) {
      const { send } = start();
      const response = await send(method, path, { lane, ...(body !== undefined && { body }) });
      const isAllowed = row.lanes.includes('open') || row.lanes.includes(lane);
      if (isAllowed) expect(response.status).toBe(row.success.status);
      else expect(response.status).toBe(lane === 'open' ? 401 : 403);
      if (!isAllowed) expect(await errorOf(response)).toMatch(/^[A-Z].+\.$/);
    }
  });

  test.each(rows)('%s answers what its schema says', async (_, row) => {
    const [method, path, body] = example(row);

    const response = await start().send(method, path, body === undefined ? {} : { body });

    const text = await response.text();
    if (!row.reply) {
      expect(text).toBe('');
      return;
    }
    const value: unknown = JSON.parse(text);
    // Equal also means that nothing is sent which the schema does not name.
    expect(v.parse(row.reply, value)).toEqual(value as object);
  });

  test.each(rows)(
    '%s refuses a wrong token and a token from elsewhere with 401',
    async (_, row) => {
      const [method, path, body] = example(row);
      const parts = body === undefined ? {} : { body };
      const headers = { authorization: 'Bearer 00' };
      const { send } = start();

      expect((await send(method, path, { ...parts, lane: 'open', headers })).status).toBe(401);
      const far = { address: '192.168.1.9' };
      expect((await send(method, path, { ...parts, peer: far })).status).toBe(401);
      const mapped = { address: '::ffff:192.168.1.9' };
      expect((await send(method, path, { ...parts, peer: mapped })).status).toBe(401);
    },
  );

  test.each(rows)('%s carries the security headers and no CORS header', async (_, row) => {
    const [method, path] = example(row);

    const { headers } = await start().send(method, path, { headers: { origin: 'https://a.b' } });

    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('access-control-allow-origin')).toBeNull();
  });

  test.each(rows.filter(([, row]) => row.method !== 'GET'))(
    '%s checks type, size, JSON and fields of its body',
    async (_, row) => {
      const [method, path] = example(row);
      const { send, host } = start();
      const answer = async (body: string, type?: string) => {
        const response = await send(method, path, { body, ...(type && { type }) });
        return { status: response.status, error: await errorOf(response) };
      };

      expect((await answer('{}', 'text/plain')).status).toBe(415);
      expect((await answer('{}', 'application/jsonx')).status).toBe(415);
      expect((await answer('{', undefined)).status).toBe(400);
      expect((await answer(' '.repeat(BODY_BYTES_MAX + 1))).status).toBe(413);
      const unknown = await answer('{"nane":"x"}');
      expect(unknown.status).toBe(422);
      expect(unknown.error).toContain('nane is not known here.');
      expect((await answer('[]')).status).toBe(422);
      expect((await answer('null')).status).toBe(422);
      expect((await answer('7')).status).toBe(422);
      expect(host.calls).toEqual([]);
    },
  );

  test.each(rows)('%s refuses a query it does not know', async (_, row) => {
    const [method, path, body] = example(row);

    const response = await start().send(method, `${path}?zz=1`, body === undefined ? {} : { body });

    expect(response.status).toBe(400);
    expect(await errorOf(response)).toContain('zz is not known here');
  });
});

describe('the door', () => {
  test.each([
    ['PUT', '/devices', 'GET, HEAD'],
    ['POST', `/devices/${FINGERPRINT_A}`, 'PATCH, DELETE'],
    ['OPTIONS', '/session/idr', 'POST'],
    ['DELETE', '/openapi.json', 'GET, HEAD'],
  ])('%s %s is 405 with the methods that exist', async (method, path, allow) => {
    const response = await start().send(method, path);

    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe(allow);
    expect(await errorOf(response)).toContain(allow);
  });

  test.each(['/nope', '/devices/', '/sessions/a/b', '/openapixjson'])('%s is 404', async (path) => {
    const response = await start().send('GET', path);

    expect(response.status).toBe(404);
    expect(await errorOf(response)).toContain('/api/v1/openapi.json');
  });

  test('HEAD answers like GET without a body', async () => {
    const response = await start().send('HEAD', '/health', { lane: 'open' });

    expect(response.status).toBe(200);
    expect(await response.text()).toBe('');
  });

  test.each(['evil.example', 'gaming-pc.evil.example', '', 'a b', 'localhost.evil'])(
    'the Host %p is refused',
    async (host) => {
      const response = await start().send('GET', '/health', { headers: { host } });

      expect(response.status).toBe(421);
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    },
  );

  test.each(['localhost', '127.0.0.1:47990', '[::1]:47990', '192.168.1.5', 'GAMING-PC:1'])(
    'the Host %p is accepted',
    async (host) => {
      const response = await start().send('GET', '/health', { lane: 'open', headers: { host } });

      expect(response.status).toBe(200);
    },
  );

  test('a fault of the host is 500 with a sentence and without a stack', async () => {
    const { host, send } = start();
    host.devices = () => {
      throw new Error('the list is gone');
    };

    const response = await send('GET', '/devices');

    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({
      error: 'The host could not do this: the list is gone.',
    });
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });

  test('100000 random bodies never reach the host and never fail', async () => {
    const { host, send } = start();
    const random = seededRandom('management body');
    const pieces = ['{', '}', '"name"', '"enabled"', ':', ',', '"x"', 'true', '[', ']', '1', '\\'];
    const statuses = new Set<number>();
    for (let round = 0; round < 100_000; round += 1) {
      let body = '';
      const count = random.int(0, 8);
      for (let piece = 0; piece < count; piece += 1) {
        body +=
          random.int(0, 5) === 0
            ? String.fromCharCode(random.int(0, 0xffff))
            : pieces[random.int(0, pieces.length - 1)];
      }
      const { status } = await send('PATCH', `/devices/${FINGERPRINT_A}`, { body });
      statuses.add(status);
      if (![200, 400, 422].includes(status)) throw new Error(`${status} for ${body}`);
    }
    expect([...statuses]).toContain(400);
    for (const call of host.calls) expect(call).toMatch(/^(?:rename|enabled) a{64} /);
  }, 120_000);
});

describe('the paths', () => {
  test('100000 random requests get an answer of the table and never a fault', async () => {
    const { host, send } = start();
    const random = seededRandom('management path');
    const words = ['health', 'devices', 'sessions', 'session', 'idr', 'pairing', 'requests', 'pin'];
    const pieces = [
      ...words,
      '/',
      '/',
      '..',
      '%2e',
      '%',
      '%00',
      '?how=',
      '&',
      's1',
      '\\',
      'é',
      '#',
    ];
    const methods = ['GET', 'POST', 'PATCH', 'DELETE', 'PUT', 'HEAD', 'OPTIONS'];
    for (let round = 0; round < 100_000; round += 1) {
      let path = '/';
      const count = random.int(0, 8);
      for (let piece = 0; piece < count; piece += 1) {
        path += pieces[random.int(0, pieces.length - 1)];
      }
      const method = methods[random.int(0, methods.length - 1)] ?? 'GET';
      const { status } = await send(method, path, { lane: LANES[random.int(0, 2)] ?? 'open' });
      if (status >= 500) throw new Error(`${status} for ${method} ${path}`);
    }
    expect(host.deviceRows).toHaveLength(2);
  }, 120_000);
});

describe('devices', () => {
  test('a fingerprint may be written in capitals', async () => {
    const { host, send } = start();

    const response = await send('DELETE', `/devices/${FINGERPRINT_B.toUpperCase()}`);

    expect(response.status).toBe(204);
    expect(host.calls).toEqual([`unpair ${FINGERPRINT_B}`]);
  });

  test('an unknown device is 404 and a malformed fingerprint 400', async () => {
    const { send } = start();

    expect((await send('DELETE', `/devices/${'0'.repeat(64)}`)).status).toBe(404);
    expect((await send('DELETE', '/devices/abc')).status).toBe(400);
    const body = '{"name":"x"}';
    expect((await send('PATCH', `/devices/${'0'.repeat(64)}`, { body })).status).toBe(404);
  });

  test.each(['', '   ', 'x'.repeat(65), 'a\u202eb', 'a\nb', 7])(
    'the name %p is refused',
    async (name) => {
      const { host, send } = start();

      const body = JSON.stringify({ name });
      const response = await send('PATCH', `/devices/${FINGERPRINT_A}`, { body });

      expect(response.status).toBe(422);
      expect(await errorOf(response)).toStartWith('name must be');
      expect(host.calls).toEqual([]);
    },
  );

  test('name and enabled change together', async () => {
    const { host, send } = start();

    const body = '{"name":" TV ","enabled":false}';
    const response = await send('PATCH', `/devices/${FINGERPRINT_A}`, { body });

    expect(await response.json()).toMatchObject({ name: 'TV', enabled: false });
    expect(host.calls).toEqual([`rename ${FINGERPRINT_A} TV`, `enabled ${FINGERPRINT_A} false`]);
  });
});

describe('pairing', () => {
  test.each([
    ['wrong_pin', 409],
    ['expired', 409],
    ['client_gone', 409],
    ['denied', 409],
    ['bad_exchange', 409],
    ['bad_pin', 409],
    ['already_answered', 409],
    ['not_stored', 500],
  ] as const)('%s is %d with that code', async (code, status) => {
    const { host, send } = start();
    host.pinOutcome = async () => ({ outcome: 'refused', code });

    const response = await send('POST', '/pairing/requests/s1/pin', { body: '{"pin":"1234"}' });

    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code });
  });

  test('the PIN reaches exactly the request of the path', async () => {
    const { host, send } = start();

    const body = '{"pin":"0042","name":"Den"}';
    const response = await send('POST', '/pairing/requests/s1/pin', { body });

    expect(await response.json()).toMatchObject({ paired: true, device: { name: 'Tablet' } });
    expect(host.calls).toEqual(['pin s1 0042 Den']);
    const other = await send('POST', '/pairing/requests/s9/pin', { body });
    expect(other.status).toBe(404);
  });

  test.each(['', '12a4', '1'.repeat(17), 1234])('the PIN %p is refused', async (pin) => {
    const { host, send } = start();

    const body = JSON.stringify({ pin });
    const response = await send('POST', '/pairing/requests/s1/pin', { body });

    expect(response.status).toBe(422);
    expect(host.calls).toEqual([]);
  });

  test('after 15 s without a result the answer is that it is not known yet', async () => {
    const { host, send } = start();
    host.pinOutcome = () => new Promise(() => {});
    jest.useFakeTimers();
    try {
      const answer = send('POST', '/pairing/requests/s1/pin', { body: '{"pin":"1234"}' });
      let isAnswered = false;
      void answer.then(() => {
        isAnswered = true;
      });
      for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
      jest.advanceTimersByTime(14_999);
      for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
      expect(isAnswered).toBe(false);
      jest.advanceTimersByTime(1);

      const response = await answer;

      expect(response.status).toBe(409);
      expect(await response.json()).toMatchObject({ code: 'timeout' });
    } finally {
      jest.useRealTimers();
    }
  });

  test('a missing PIN is named', async () => {
    const { send } = start();

    const empty = await send('POST', '/pairing/requests/s1/pin', { body: '{}' });
    const none = await send('POST', '/pairing/requests/s1/pin');

    expect(await errorOf(empty)).toBe('pin is missing.');
    expect(none.status).toBe(415);
  });

  test('an unknown request cannot be denied', async () => {
    expect((await start().send('POST', '/pairing/requests/zz/deny')).status).toBe(404);
    expect((await start().send('POST', '/pairing/requests/a%20b/deny')).status).toBe(400);
  });
});

describe('sessions', () => {
  test('a device sees its own sessions and no summary of others', async () => {
    const { host, send } = start();
    host.sessionRows.reverse();

    const list = await send('GET', '/sessions', { lane: 'device' });
    const status = await send('GET', '/status', { lane: 'device' });
    const other = await send('GET', '/sessions/s2', { lane: 'device' });

    expect(await list.json()).toMatchObject([{ id: 's1' }]);
    expect(await status.json()).toMatchObject({ sessions: [{ id: 's1' }], session: null });
    expect(other.status).toBe(404);
    expect((await send('GET', '/sessions/s1', { lane: 'device' })).status).toBe(200);
  });

  test.each([
    ['', 'quit'],
    ['?how=quit', 'quit'],
    ['?how=drop', 'drop'],
  ])('DELETE with %p stops by %s', async (query, how) => {
    const { host, send } = start();

    const response = await send('DELETE', `/sessions/s1${query}`);

    expect(response.status).toBe(204);
    expect(host.calls).toEqual([`stop s1 ${how}`]);
  });

  test('a way of stopping that does not exist is 400, a session that does not, 404', async () => {
    const { send } = start();

    expect((await send('DELETE', '/sessions/s1?how=kill')).status).toBe(400);
    expect((await send('DELETE', '/sessions/s9')).status).toBe(404);
    expect((await send('DELETE', '/sessions/..')).status).toBe(404);
  });

  test('all sessions are stopped at once and again without harm', async () => {
    const { host, send } = start();

    expect((await send('DELETE', '/session')).status).toBe(204);
    expect((await send('DELETE', '/session')).status).toBe(204);
    expect(host.sessionRows).toEqual([]);
  });

  test('a keyframe is asked of every stream, and refused without one', async () => {
    const { host, send } = start();

    expect(await (await send('POST', '/session/idr')).json()).toEqual({ count: 2 });
    host.sessionRows = [];
    expect((await send('POST', '/session/idr')).status).toBe(409);
  });
});
