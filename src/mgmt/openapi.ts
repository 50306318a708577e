/**
 * The OpenAPI 3.1 document, made from the very rows that serve. Keys are sorted, so the text is the
 * same on every machine and in every build.
 */
import { toJsonSchema } from '@valibot/to-json-schema';
import { Hono } from 'hono';
import { type DescribeRouteOptions, describeRoute, generateSpecs, resolver } from 'hono-openapi';
import type * as v from 'valibot';
import packageJson from '../../package.json' with { type: 'json' };
import type { Lane } from './lanes.ts';
import type { Route } from './route.ts';
import { honoPath, ROUTES } from './route-table.ts';
import { ApiErrorSchema } from './schemas.ts';

type Schema = v.GenericSchema<unknown, unknown>;
type Parameters = NonNullable<DescribeRouteOptions['parameters']>;
type Responses = NonNullable<DescribeRouteOptions['responses']>;

/** How each lane is proven, by name of the security scheme. */
const LANE_SCHEMES: Readonly<Record<Exclude<Lane, 'open'>, string>> = {
  admin: 'adminToken',
  device: 'deviceCertificate',
};

const TAGS = [
  { name: 'host', description: 'The host itself' },
  { name: 'devices', description: 'Paired devices' },
  { name: 'pairing', description: 'Devices that want to pair' },
  { name: 'sessions', description: 'Running streams' },
];

/** OpenAPI 3.1 §4.8.27. */
const SECURITY_SCHEMES = {
  adminToken: {
    type: 'http',
    scheme: 'bearer',
    description: 'PUNKTFUNK_MGMT_TOKEN of the file mgmt-token, from this machine only',
  },
  deviceCertificate: {
    type: 'mutualTLS',
    description: 'The certificate that the device was paired with',
  },
};

let cached: Promise<object> | undefined;

/** The document as an object with sorted keys; made once. */
export function openApiDocument(): Promise<object> {
  cached ??= makeDocument();
  return cached;
}

/** The document as `punktfunk openapi` prints it. */
export async function openApiText(): Promise<string> {
  return `${JSON.stringify(await openApiDocument(), null, 2)}\n`;
}

async function makeDocument(): Promise<object> {
  const app = new Hono();
  for (const row of ROUTES) {
    app.on(row.method, honoPath(row.path), describeRoute(description(row)), (context) =>
      context.body(null),
    );
  }
  const document = await generateSpecs(app, {
    excludeStaticFile: false,
    defaultValidationErrorResponse: false,
    documentation: {
      openapi: '3.1.0',
      info: {
        title: 'punktfunk management API',
        version: packageJson.version,
        description:
          'Served over HTTPS with the certificate of the host. Administration needs the token of ' +
          'the state folder and works from the same machine only. Every body that is not a success ' +
          'is an ApiError.',
        license: { name: packageJson.license, identifier: packageJson.license },
      },
      servers: [{ url: 'https://127.0.0.1:47990' }],
      tags: TAGS,
      components: {
        // The type package describes the schemes of OpenAPI 3.0, which lack mutualTLS.
        securitySchemes: SECURITY_SCHEMES as never,
      },
    },
  });
  return sorted(document) as object;
}

/** What the door itself answers, in front of the handler. */
export function doorRefusals(row: Route): { status: number; description: string }[] {
  const isOpen = row.lanes.includes('open');
  return [
    { status: 400, description: 'The request cannot be read: bad JSON, path or query' },
    {
      status: 401,
      description: isOpen ? 'A wrong token was sent' : 'No credential, or a wrong one',
    },
    ...(isOpen || row.lanes.includes('device')
      ? []
      : [{ status: 403, description: 'A paired device may not do this' }]),
    ...(row.method === 'GET'
      ? []
      : [
          { status: 413, description: 'The body is too large' },
          { status: 415, description: 'The body is not application/json' },
          { status: 422, description: 'The body does not fit; error says what' },
        ]),
    { status: 421, description: 'The Host header does not name this host' },
    { status: 500, description: 'A fault of the host, or the change could not be saved' },
  ];
}

function description(row: Route): DescribeRouteOptions {
  const { success, reply } = row;
  const responses: Responses = {
    [success.status]: reply
      ? {
          description: success.description,
          content: { 'application/json': { schema: resolver(reply) } },
        }
      : { description: success.description },
  };
  for (const { status, description: text } of [...doorRefusals(row), ...row.refusals]) {
    responses[status] = {
      description: text,
      content: { 'application/json': { schema: resolver(ApiErrorSchema) } },
    };
  }
  return {
    operationId: row.operationId,
    summary: row.summary,
    tags: [row.tag],
    security: row.lanes.includes('open')
      ? []
      : row.lanes.flatMap((lane) => (lane === 'open' ? [] : [{ [LANE_SCHEMES[lane]]: [] }])),
    parameters: [...parameters('path', row.params), ...parameters('query', row.query)],
    ...(row.body && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: resolver(row.body) } },
      },
    }),
    responses,
  };
}

/** The entries of an object schema as OpenAPI parameters. */
function parameters(place: 'path' | 'query', schema: Schema | null): Parameters {
  if (!schema) return [];
  const { properties = {}, required = [] } = toJsonSchema(schema, {
    typeMode: 'input',
    ignoreActions: ['to_lower_case'],
  });
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: property as Extract<Parameters[number], { schema?: unknown }>['schema'],
  })) as Parameters;
}

/** Copies `value` with the keys of every object in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, entry]) => [key, sorted(entry)]));
}
