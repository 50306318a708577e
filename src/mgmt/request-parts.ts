/**
 * Reading and checking what a request carries. A body is looked at only when it says that it is
 * JSON, is never larger than the limit, and every complaint is one sentence.
 */
import * as v from 'valibot';
import { didYouMean } from '../config/nearest.ts';
import type { Route } from './route.ts';

/** The largest legal body is a few hundred bytes. */
export const BODY_BYTES_MAX = 16_384;
const SENTENCES_MAX = 5;

export type PartResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly status: 400 | 413 | 415 | 422; readonly error: string };

type Schema = v.GenericSchema<unknown, unknown>;

/** The checked body of a request for `row`; rows without a body accept none or `{}`. */
export async function readJsonBody(request: Request, row: Route): Promise<PartResult> {
  if (row.method === 'GET') return { ok: true, value: undefined };
  const bytes = await readBytes(request);
  if (bytes === null) {
    return problem(413, `The body is larger than ${BODY_BYTES_MAX} bytes.`);
  }
  const type = request.headers.get('content-type');
  if (bytes.length === 0 && !row.body) {
    return type === null || isJson(type) ? { ok: true, value: undefined } : wrongType(type);
  }
  if (type === null || !isJson(type)) return wrongType(type);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return problem(400, 'The body is not valid JSON.');
  }
  // valibot takes a list for an object without fields.
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return problem(422, 'The body must be a JSON object.');
  }
  const checked = v.safeParse(row.body ?? v.strictObject({}), value);
  if (!checked.success) return problem(422, sentences(checked.issues, row.body));
  return { ok: true, value: row.body ? checked.output : undefined };
}

/** Checks path parameters or the query; rows without a query schema accept no query. */
export function checkPart(
  schema: Schema | null,
  value: Record<string, string>,
  place: 'path' | 'query',
): PartResult {
  const checked = v.safeParse(schema ?? v.strictObject({}), value);
  if (checked.success) return { ok: true, value: checked.output };
  return problem(400, `In the ${place}: ${sentences(checked.issues, schema)}`);
}

function problem(status: 400 | 413 | 415 | 422, error: string): PartResult {
  return { ok: false, status, error };
}

function wrongType(type: string | null): PartResult {
  const shown = type === null ? 'no content type' : JSON.stringify(type.slice(0, 60));
  return problem(415, `The body has ${shown}; send application/json.`);
}

function isJson(type: string): boolean {
  return /^application\/json\s*(?:;|$)/i.test(type);
}

/** The whole body, null when it is larger than the limit. */
async function readBytes(request: Request): Promise<Uint8Array | null> {
  const announced = Number(request.headers.get('content-length') ?? 0);
  if (announced > BODY_BYTES_MAX) return null;
  if (!request.body) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** One sentence per problem, the field first; the schemas carry the words after it. */
function sentences(issues: readonly v.BaseIssue<unknown>[], schema: Schema | null): string {
  const known = entryNames(schema);
  const lines = issues.slice(0, SENTENCES_MAX).map((issue) => {
    const field = v.getDotPath(issue as v.BaseIssue<unknown>) ?? '';
    if (issue.type === 'strict_object' && issue.expected === 'never') {
      return `${field} is not known here.${didYouMean(field, known)}`;
    }
    if (issue.type === 'strict_object' && issue.received === 'undefined') {
      return `${field} is missing.`;
    }
    return `${field === '' ? 'The body' : field} ${issue.message}.`;
  });
  // One field may break several rules that read the same.
  return [...new Set(lines)].join(' ');
}

function entryNames(schema: Schema | null): string[] {
  let inner: unknown = schema;
  while (inner !== null && typeof inner === 'object') {
    if ('entries' in inner) return Object.keys((inner as { entries: object }).entries);
    inner = 'pipe' in inner ? (inner as { pipe: readonly unknown[] }).pipe[0] : null;
    if (inner === schema) return [];
  }
  return [];
}
