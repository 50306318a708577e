/**
 * The management API as a hono application: for every row of the route table the same steps in the
 * same order (lane, body type, body size, JSON, shapes, handler), one error envelope, one set of
 * headers.
 */
import { type Context, Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { logger } from '../platform/log.ts';
import { acceptsHost } from './host-header.ts';
import type { ManagedHost } from './host-port.ts';
import { type Caller, callerOf, type Peer } from './lanes.ts';
import { checkPart, readJsonBody } from './request-parts.ts';
import type { Route } from './route.ts';
import { API_BASE, honoPath, ROUTES } from './route-table.ts';

const log = logger('mgmt');

/** What the listening side knows of a request besides its bytes. */
export interface AppBindings {
  readonly peer: Peer;
}

export interface AppOptions {
  readonly host: ManagedHost;
  isAdminToken(token: string): boolean;
  /** Names of this machine that a Host header may carry, lower case. */
  readonly hostNames: readonly string[];
}

interface AppEnv {
  Bindings: AppBindings;
}

type Refusal = { readonly status: number; readonly error: string; readonly code?: string };

const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

export function buildApp(options: AppOptions): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.use('*', async (context, next) => {
    if (!acceptsHost(context.req.header('host'), options.hostNames)) {
      context.res = refusal({
        status: 421,
        error: 'The Host header does not name this host; use its address or name.',
      });
    } else await next();
    for (const [name, value] of Object.entries(SECURITY_HEADERS))
      context.res.headers.set(name, value);
  });
  for (const row of ROUTES) {
    app.on(row.method, honoPath(row.path), (context) => serveRow(row, context, options));
  }
  app.notFound((context) => notFound(context.req.method, context.req.path));
  app.onError((error) => {
    if (error instanceof HTTPException) {
      return refusal({
        status: error.status,
        error: `The request cannot be read: ${error.message}.`,
      });
    }
    log.error(`a request ended in a fault: ${error.message}`);
    return refusal({ status: 500, error: `The host could not do this: ${error.message}.` });
  });
  return app;
}

async function serveRow(
  row: Route,
  context: Context<AppEnv>,
  { host, isAdminToken }: AppOptions,
): Promise<Response> {
  const caller = callerOf(context.req.header('authorization'), context.env.peer, {
    isAdminToken,
    deviceByCertificate: (der) => host.deviceByCertificate(der),
  });
  const barred = laneRefusal(row, caller);
  if (barred) return refusal(barred);
  const body = await readJsonBody(context.req.raw, row);
  if (!body.ok) return refusal(body);
  const params = checkPart(row.params, context.req.param(), 'path');
  if (!params.ok) return refusal(params);
  const query = checkPart(row.query, context.req.query(), 'query');
  if (!query.ok) return refusal(query);
  const reply = await row.handle({
    host,
    // laneRefusal has refused null.
    caller: caller ?? { lane: 'open', fingerprint: null },
    params: params.value,
    query: query.value,
    body: body.value,
  });
  if ('error' in reply) return refusal(reply);
  if (reply.body === undefined) return new Response(null, { status: reply.status });
  return Response.json(reply.body, { status: reply.status });
}

function laneRefusal(row: Route, caller: Caller | null): Refusal | null {
  if (caller === null) {
    return {
      status: 401,
      error: 'The token is not the one of this host, or it was sent from another machine.',
    };
  }
  if (row.lanes.includes('open') || row.lanes.includes(caller.lane)) return null;
  return caller.lane === 'open'
    ? {
        status: 401,
        error: 'This needs the token of the host or the certificate of a paired device.',
      }
    : { status: 403, error: 'A paired device may not do this; it needs the token of the host.' };
}

/** 405 with the methods that the path has, 404 for a path that no row has. */
function notFound(method: string, path: string): Response {
  const allowed = ROUTES.filter((row) => pathPattern(row).test(path)).map((row) => row.method);
  if (allowed.length === 0) {
    return refusal({
      status: 404,
      error: `There is nothing at this path; see ${API_BASE}/openapi.json.`,
    });
  }
  const allow = [...allowed, ...(allowed.includes('GET') ? ['HEAD'] : [])].join(', ');
  const response = refusal({ status: 405, error: `${method} is not possible here; use ${allow}.` });
  response.headers.set('Allow', allow);
  return response;
}

function pathPattern(row: Route): RegExp {
  const escaped = (API_BASE + row.path).replaceAll('.', '\\.');
  return new RegExp(`^${escaped.replace(/\{\w+\}/g, '[^/]+')}$`);
}

function refusal({ status, error, code }: Refusal): Response {
  const response = Response.json(code === undefined ? { error } : { error, code }, { status });
  if (status === 401) response.headers.set('WWW-Authenticate', 'Bearer');
  return response;
}
