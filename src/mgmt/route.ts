/**
 * One row of the route table. Router, lanes, request checks, OpenAPI document and tests are driven
 * by rows; a route without a row cannot exist.
 */
import type * as v from 'valibot';
import type { ManagedHost } from './host-port.ts';
import type { Caller, Lane } from './lanes.ts';

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';
export type SuccessStatus = 200 | 202 | 204;
export type RefusalStatus = 404 | 409 | 500;

type Schema = v.GenericSchema<unknown, unknown>;
type OutputOf<S> = S extends v.GenericSchema<unknown, infer T> ? T : undefined;

/** What a handler gets; it knows nothing of HTTP. */
export interface RouteCall<P, Q, B> {
  readonly host: ManagedHost;
  readonly caller: Caller;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
}

export type RouteReply =
  | { readonly status: SuccessStatus; readonly body?: unknown }
  | { readonly status: RefusalStatus; readonly error: string; readonly code?: string };

interface RouteFacts {
  readonly method: Method;
  /** Below `/api/v1`, parameters in braces: `/devices/{fingerprint}`. */
  readonly path: string;
  readonly operationId: string;
  readonly tag: 'host' | 'devices' | 'pairing' | 'sessions';
  readonly summary: string;
  /** Lanes that may call it; `open` stands for everybody. */
  readonly lanes: readonly Lane[];
  readonly success: { readonly status: SuccessStatus; readonly description: string };
  /** Refusals of the handler itself; those of the door are added for every route. */
  readonly refusals: readonly { readonly status: RefusalStatus; readonly description: string }[];
}

export interface RouteDefinition<
  P extends Schema | undefined,
  Q extends Schema | undefined,
  B extends Schema | undefined,
> extends RouteFacts {
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly reply?: Schema;
  handle(call: RouteCall<OutputOf<P>, OutputOf<Q>, OutputOf<B>>): RouteReply | Promise<RouteReply>;
}

export interface Route extends RouteFacts {
  readonly params: Schema | null;
  readonly query: Schema | null;
  readonly body: Schema | null;
  readonly reply: Schema | null;
  readonly handle: (call: RouteCall<unknown, unknown, unknown>) => RouteReply | Promise<RouteReply>;
}

/** Checks that a row's handler fits its schemas and forgets their types. */
export function route<
  P extends Schema | undefined = undefined,
  Q extends Schema | undefined = undefined,
  B extends Schema | undefined = undefined,
>(definition: RouteDefinition<P, Q, B>): Route {
  const { params, query, body, reply, handle, ...facts } = definition;
  return {
    ...facts,
    params: params ?? null,
    query: query ?? null,
    body: body ?? null,
    reply: reply ?? null,
    // The door has checked each part with the schema that the types come from.
    handle: handle as Route['handle'],
  };
}

/** A refusal that the caller can act on. */
export function refuse(status: RefusalStatus, error: string, code?: string): RouteReply {
  return code === undefined ? { status, error } : { status, error, code };
}
