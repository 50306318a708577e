import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openApiDocument, openApiText } from '../../src/mgmt/openapi.ts';
import { API_BASE, ROUTES } from '../../src/mgmt/route-table.ts';

const ROOT = join(import.meta.dir, '..', '..');

interface Operation {
  operationId: string;
  security: Record<string, unknown>[];
  parameters?: { name: string; in: string; required: boolean }[];
  requestBody?: { required: boolean; content: Record<string, { schema: unknown }> };
  responses: Record<string, { description: string; content?: unknown }>;
}

interface Document {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown>; securitySchemes: Record<string, unknown> };
}

const document = (await openApiDocument()) as unknown as Document;

function operations(): { path: string; method: string; operation: Operation }[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
}

function visit(value: unknown, see: (record: Record<string, unknown>) => void): void {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) see(value as Record<string, unknown>);
  for (const inner of Object.values(value)) visit(inner, see);
}

describe('the OpenAPI document', () => {
  test('api/openapi.json is what the route table says (punktfunk openapi > api/openapi.json)', async () => {
    const checkedIn = readFileSync(join(ROOT, 'api', 'openapi.json'), 'utf8');

    expect(checkedIn).toBe(await openApiText());
  });

  test('it is OpenAPI 3.1 with every route and nothing else', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(
      operations()
        .map(({ path, method }) => `${method.toUpperCase()} ${path}`)
        .sort(),
    ).toEqual(ROUTES.map((row) => `${row.method} ${API_BASE}${row.path}`).sort());
  });

  test('operation ids are unique and every response has a description', () => {
    const ids = operations().map(({ operation }) => operation.operationId);

    expect(new Set(ids).size).toBe(ROUTES.length);
    for (const { operation } of operations()) {
      for (const [status, { description }] of Object.entries(operation.responses)) {
        expect(status).toMatch(/^[2-5]\d\d$/);
        expect(description).not.toBe('');
      }
    }
  });

  test('every parameter in a path is declared and required', () => {
    for (const { path, operation } of operations()) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path');

      expect(declared.map(({ name }) => name)).toEqual(named as string[]);
      for (const { required } of declared) expect(required).toBe(true);
    }
  });

  test('every reference resolves and no draft-07 form is left', () => {
    visit(document, (record) => {
      const reference = record['$ref'];
      if (typeof reference === 'string') {
        const name = /^#\/components\/schemas\/(\w+)$/.exec(reference)?.[1] ?? '';
        expect(Object.keys(document.components.schemas)).toContain(name);
      }
      expect(Array.isArray(record['items'])).toBe(false);
      expect(record['$schema']).toBeUndefined();
      expect(record['$defs']).toBeUndefined();
    });
  });

  test('every route says how its lanes are proven', () => {
    const schemes = Object.keys(document.components.securitySchemes);
    for (const { operation } of operations()) {
      const row = ROUTES.find(({ operationId }) => operationId === operation.operationId);
      const expected = row?.lanes.includes('open')
        ? []
        : row?.lanes.map(
            (lane) => ({ admin: 'adminToken', device: 'deviceCertificate' })[lane as 'admin'],
          );
      const named = operation.security.flatMap((entry) => Object.keys(entry));

      expect(named).toEqual(expected as string[]);
      for (const name of named) expect(schemes).toContain(name);
    }
  });

  test('requests are strict: no schema of a body lets unknown fields through', () => {
    for (const { operation } of operations()) {
      const schema = operation.requestBody?.content['application/json']?.schema as
        | { $ref?: string }
        | undefined;
      const name = schema?.$ref?.split('/').at(-1);
      if (name === undefined) continue;
      expect(document.components.schemas[name]).toMatchObject({ additionalProperties: false });
    }
  });

  test('its keys are sorted, so that two texts differ only where the API does', () => {
    visit(document, (record) => {
      const keys = Object.keys(record);
      // Whole numbers come first in every object, as the language orders them.
      const sorted = [...keys].sort((a, b) =>
        /^\d+$/.test(a) && /^\d+$/.test(b) ? Number(a) - Number(b) : a < b ? -1 : 1,
      );
      expect(keys).toEqual(sorted);
    });
  });
});
