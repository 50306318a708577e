/** Routes of running sessions. */
import * as v from 'valibot';
import type { ManagedHost } from '../host-port.ts';
import type { Caller } from '../lanes.ts';
import { type Route, refuse, route } from '../route.ts';
import {
  CountSchema,
  SessionParamSchema,
  type SessionRow,
  SessionRowSchema,
  StopQuerySchema,
} from '../schemas.ts';

const NO_SESSION = 'No session has this id; it may have ended.';

export const SESSION_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/sessions',
    operationId: 'listSessions',
    tag: 'sessions',
    summary: 'Running sessions; a device sees its own only',
    lanes: ['device', 'admin'],
    reply: v.array(SessionRowSchema),
    success: { status: 200, description: 'The sessions' },
    refusals: [],
    handle: ({ host, caller }) => ({ status: 200, body: visibleSessions(host, caller) }),
  }),
  route({
    method: 'GET',
    path: '/sessions/{id}',
    operationId: 'getSession',
    tag: 'sessions',
    summary: 'One running session',
    lanes: ['device', 'admin'],
    params: SessionParamSchema,
    reply: SessionRowSchema,
    success: { status: 200, description: 'The session' },
    refusals: [{ status: 404, description: 'No such session' }],
    handle: ({ host, caller, params }) => {
      const row = visibleSessions(host, caller).find(({ id }) => id === params.id);
      return row ? { status: 200, body: row } : refuse(404, NO_SESSION);
    },
  }),
  route({
    method: 'DELETE',
    path: '/sessions/{id}',
    operationId: 'stopSession',
    tag: 'sessions',
    summary: 'Stops one session: quit also ends its app, drop ends only the stream',
    lanes: ['admin'],
    params: SessionParamSchema,
    query: StopQuerySchema,
    success: { status: 204, description: 'Stopped' },
    refusals: [{ status: 404, description: 'No such session' }],
    handle: async ({ host, params, query }) =>
      (await host.stopSession(params.id, query.how)) ? { status: 204 } : refuse(404, NO_SESSION),
  }),
  route({
    method: 'DELETE',
    path: '/session',
    operationId: 'stopAllSessions',
    tag: 'sessions',
    summary: 'Stops every session',
    lanes: ['admin'],
    success: { status: 204, description: 'Nothing streams any more' },
    refusals: [],
    handle: async ({ host }) => {
      await Promise.all(host.sessions().map(({ id }) => host.stopSession(id, 'quit')));
      return { status: 204 };
    },
  }),
  route({
    method: 'POST',
    path: '/session/idr',
    operationId: 'requestKeyframe',
    tag: 'sessions',
    summary: 'Asks every stream for a keyframe',
    lanes: ['admin'],
    reply: CountSchema,
    success: { status: 202, description: 'Asked; count says how many streams' },
    refusals: [{ status: 409, description: 'Nothing streams' }],
    handle: ({ host }) => {
      const count = host.requestIdr();
      return count > 0
        ? { status: 202, body: { count } }
        : refuse(409, 'Nothing streams, so there is no keyframe to ask for.');
    },
  }),
];

function visibleSessions(host: ManagedHost, caller: Caller): readonly SessionRow[] {
  const rows = host.sessions();
  return caller.lane === 'device'
    ? rows.filter(({ fingerprint }) => fingerprint === caller.fingerprint)
    : rows;
}
