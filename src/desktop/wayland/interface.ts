/** How a Wayland interface is described: names in opcode order, each with its argument signature. */

export interface InterfaceSpec<R extends string = string, E extends string = string> {
  readonly name: string;
  /** Highest version these tables describe. */
  readonly version: number;
  /**
   * Request name → signature, in opcode order. Leading digits: the version that brought it.
   * `destroy` and `release` end the object.
   */
  readonly requests: Readonly<Record<R, string>>;
  /** Event name → signature, in opcode order. */
  readonly events: Readonly<Record<E, string>>;
}

export interface CompiledRequest {
  readonly opcode: number;
  readonly signature: string;
  readonly sinceVersion: number;
  /** Index of the new id among the arguments, -1 without one. */
  readonly newIdIndex: number;
}

/** A spec with its opcodes looked up once. */
export interface CompiledInterface {
  readonly name: string;
  readonly requests: ReadonlyMap<string, CompiledRequest>;
  readonly events: readonly { readonly name: string; readonly signature: string }[];
}

const compiledInterfaces = new WeakMap<InterfaceSpec, CompiledInterface>();

/** Names the parts of a table so that misspelled requests and events do not compile. */
export function defineInterface<const R extends string, const E extends string>(
  name: string,
  version: number,
  requests: Readonly<Record<R, string>>,
  events: Readonly<Record<E, string>>,
): InterfaceSpec<R, E> {
  return { name, version, requests, events };
}

/** Opcodes of a spec; computed at its first use. */
export function compileInterface(spec: InterfaceSpec): CompiledInterface {
  let compiled = compiledInterfaces.get(spec);
  if (!compiled) {
    compiled = {
      name: spec.name,
      requests: new Map(
        Object.entries(spec.requests).map(([name, text], opcode) => [
          name,
          compileRequest(text, opcode),
        ]),
      ),
      events: Object.entries(spec.events).map(([name, signature]) => ({ name, signature })),
    };
    compiledInterfaces.set(spec, compiled);
  }
  return compiled;
}

function compileRequest(text: string, opcode: number): CompiledRequest {
  const digits = /^\d*/.exec(text)?.[0] ?? '';
  const signature = text.slice(digits.length);
  return {
    opcode,
    signature,
    sinceVersion: digits === '' ? 1 : Number(digits),
    newIdIndex: signature.replaceAll('?', '').indexOf('n'),
  };
}
