/** Routes that describe the host. */
import * as v from 'valibot';
import { BUILD } from '../../config/build-info.ts';
import { type Route, route } from '../route.ts';
import { HealthSchema, HostFactsSchema, StatusDocumentSchema } from '../schemas.ts';

/** Rises with every field that is added to the API. */
export const ABI_VERSION = 1;

export const HOST_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/health',
    operationId: 'getHealth',
    tag: 'host',
    summary: 'Says that the host runs',
    lanes: ['open'],
    reply: HealthSchema,
    success: { status: 200, description: 'The host runs' },
    refusals: [],
    handle: () => ({
      status: 200,
      body: { status: 'ok', version: BUILD.version, abi_version: ABI_VERSION },
    }),
  }),
  route({
    method: 'GET',
    path: '/host',
    operationId: 'getHost',
    tag: 'host',
    summary: 'Identity, versions and ports of the host',
    lanes: ['device', 'admin'],
    reply: HostFactsSchema,
    success: { status: 200, description: 'The host' },
    refusals: [],
    handle: ({ host }) => ({ status: 200, body: host.host() }),
  }),
  route({
    method: 'GET',
    path: '/status',
    operationId: 'getStatus',
    tag: 'host',
    summary: 'What is streaming and with which rungs; a device sees its own sessions only',
    lanes: ['device', 'admin'],
    reply: StatusDocumentSchema,
    success: { status: 200, description: 'The status' },
    refusals: [],
    handle: ({ host, caller }) => {
      const status = host.status();
      if (caller.lane !== 'device') return { status: 200, body: status };
      const sessions = status.sessions.filter((row) => row.fingerprint === caller.fingerprint);
      // The two summaries describe the first session, whoever it belongs to.
      const isOwn = status.sessions[0]?.fingerprint === caller.fingerprint;
      return {
        status: 200,
        body: {
          ...status,
          sessions,
          session: isOwn ? status.session : null,
          stream: isOwn ? status.stream : null,
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/openapi.json',
    operationId: 'getDocument',
    tag: 'host',
    summary: 'This document',
    lanes: ['open'],
    reply: v.record(v.string(), v.unknown()),
    success: { status: 200, description: 'OpenAPI 3.1' },
    refusals: [],
    handle: async () => {
      const { openApiDocument } = await import('../openapi.ts');
      return { status: 200, body: await openApiDocument() };
    },
  }),
];
