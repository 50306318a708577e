/**
 * The only place that opens shared libraries.
 *
 * A bare name handed to Bun's own `dlopen` falls back to a file of that name in the current
 * directory, so libraries are resolved by libc's loader (system search path, never the current
 * directory) and their symbols are linked by address.
 * Source: docs/architecture.md "Native code"; Bun FFI measurements.
 */
import { CFunction, dlopen, linkSymbols } from 'bun:ffi';
import { readFileSync } from 'node:fs';

/** Anything C may receive as a pointer: an address, memory, or NULL. */
export type NativePointer = number | bigint | ArrayBufferView | ArrayBufferLike | null;

interface NativeArguments {
  i8: number;
  u8: number;
  i16: number;
  u16: number;
  i32: number;
  u32: number;
  f32: number;
  f64: number;
  bool: boolean;
  i64: number | bigint;
  u64: number | bigint;
  usize: number | bigint;
  ptr: NativePointer;
  cstring: string;
  function: NativePointer;
}

interface NativeReturns {
  void: undefined;
  i8: number;
  u8: number;
  i16: number;
  u16: number;
  i32: number;
  u32: number;
  f32: number;
  f64: number;
  bool: boolean;
  i64: bigint;
  u64: bigint;
  usize: bigint;
  /** Number while it fits 2^53, so callers compare with plain numbers. */
  i64_fast: number;
  u64_fast: number;
  ptr: number | null;
  cstring: string;
}

/** C type of one native function. */
export interface NativeDeclaration {
  readonly args: readonly (keyof NativeArguments)[];
  readonly returns: keyof NativeReturns;
}

type ArgumentTuple<A extends readonly (keyof NativeArguments)[]> = {
  -readonly [I in keyof A]: NativeArguments[A[I]];
};

export type NativeSymbols<T extends Record<string, NativeDeclaration>> = {
  readonly [K in keyof T]: (...args: ArgumentTuple<T[K]['args']>) => NativeReturns[T[K]['returns']];
};

/** Why a library or one of its symbols cannot be used. */
export type LibraryProblem = {
  readonly kind: 'absent' | 'missing-symbol' | 'wrong-version';
  readonly library: string;
  readonly detail: string;
};

export class LibraryError extends Error {
  readonly problem: LibraryProblem;
  constructor(problem: LibraryProblem) {
    super(`${problem.library}: ${problem.detail}`);
    this.name = 'LibraryError';
    this.problem = problem;
  }
}

const RTLD_NOW = 2;

interface NativeLoader {
  dlopen(name: Uint8Array, flags: number): number | null;
  dlsym(handle: number, name: Uint8Array): number | null;
  dlerror(): string | null;
}

let loader: NativeLoader | undefined;
const handles = new Map<string, number>();

/** C string bytes of `text`, zero-terminated, in memory that never moves. */
export function cString(text: string): Uint8Array {
  const encoded = new TextEncoder().encode(text);
  const bytes = new Uint8Array(new ArrayBuffer(encoded.length + 1));
  bytes.set(encoded);
  return bytes;
}

/** Absolute path of the libc that this process already runs on. */
export function libcPath(): string {
  return mappedLibrary(/\/libc(?:\.so\.6|-2\.\d+\.so)$/);
}

function mappedLibrary(pattern: RegExp): string {
  for (const line of readFileSync('/proc/self/maps', 'utf8').split('\n')) {
    const path = line.slice(line.indexOf('/'));
    if (line.includes('/') && pattern.test(path)) return path;
  }
  throw new LibraryError({
    kind: 'absent',
    library: 'libc.so.6',
    detail: 'no glibc is mapped into this process; only glibc systems are supported',
  });
}

function nativeLoader(): NativeLoader {
  if (loader) return loader;
  const symbols = {
    dlopen: { args: ['ptr', 'i32'], returns: 'ptr' },
    dlsym: { args: ['ptr', 'ptr'], returns: 'ptr' },
    dlerror: { args: [], returns: 'cstring' },
  } as const;
  let library: { symbols: unknown };
  try {
    library = dlopen(libcPath(), symbols as never);
  } catch {
    // glibc before 2.34 keeps the loader in libdl, which Bun itself links.
    library = dlopen(mappedLibrary(/\/libdl(?:\.so\.2|-2\.\d+\.so)$/), symbols as never);
  }
  loader = library.symbols as NativeLoader;
  return loader;
}

/** Opens the first of `names` that the system has; cached for the life of the process. */
export function openLibrary(names: readonly string[]): { name: string; handle: number } {
  for (const name of names) {
    const known = handles.get(name);
    if (known !== undefined) return { name, handle: known };
  }
  const native = nativeLoader();
  let detail = 'not installed';
  for (const name of names) {
    const handle = native.dlopen(cString(name), RTLD_NOW);
    if (handle) {
      handles.set(name, handle);
      return { name, handle };
    }
    const reason = native.dlerror() ?? '';
    // That this name does not exist is the plain case; a broken file or a lacking dependency is not.
    if (!(reason.startsWith(`${name}: `) && reason.endsWith(': No such file or directory'))) {
      detail = reason;
    }
  }
  throw new LibraryError({ kind: 'absent', library: stemOf(names), detail });
}

/** `libx264` for several versions of it, the exact name when only one is wanted. */
function stemOf(names: readonly string[]): string {
  const [first = '(no name)', ...others] = names;
  return others.length === 0 ? first : first.replace(/\.so\b.*/, '');
}

/** Address of `symbol` in an opened library, or null when the library lacks it. */
export function symbolAddress(handle: number, symbol: string): number | null {
  return nativeLoader().dlsym(handle, cString(symbol)) || null;
}

/**
 * Binds `declarations` of the first library of `names` that exists.
 * Throws {@link LibraryError} `absent` or `missing-symbol` (naming the symbol).
 */
export function bindLibrary<const T extends Record<string, NativeDeclaration>>(
  names: readonly string[],
  declarations: T,
): { name: string; handle: number; symbols: NativeSymbols<T> } {
  const { name, handle } = openLibrary(names);
  const located: Record<string, object> = {};
  for (const [symbol, declaration] of Object.entries(declarations)) {
    const address = symbolAddress(handle, symbol);
    if (address === null) {
      throw new LibraryError({
        kind: 'missing-symbol',
        library: name,
        detail: `symbol ${symbol} is missing; this version is not supported`,
      });
    }
    located[symbol] = { ...declaration, ptr: address };
  }
  const bound = linkSymbols(located as never) as { symbols: unknown };
  return { name, handle, symbols: bound.symbols as NativeSymbols<T> };
}

/** Binds `declarations` of the C library this process runs on. */
export function bindLibc<const T extends Record<string, NativeDeclaration>>(
  declarations: T,
): NativeSymbols<T> {
  const library = dlopen(libcPath(), declarations as never) as { symbols: unknown };
  return library.symbols as NativeSymbols<T>;
}

/** Callable for a raw function pointer (vtable slot). Create once per slot and keep it. */
export function functionAt<const D extends NativeDeclaration>(
  address: number,
  declaration: D,
): NativeSymbols<{ call: D }>['call'] {
  const create = CFunction as unknown as new (definition: object) => unknown;
  return new create({ ...declaration, ptr: address }) as NativeSymbols<{ call: D }>['call'];
}
