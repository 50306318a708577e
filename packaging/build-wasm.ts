/**
 * Compiles every AssemblyScript source under src (files named `*.as.ts`) to
 * `build/wasm/<name>.wasm`; skips what is up to date.
 *
 * Convention of all kernels: they import one shared memory as `env.memory`, own no static data and
 * allocate nothing, so several instances can work in one memory at addresses their callers choose.
 * Import the result with `import path from '…/build/wasm/<name>.wasm' with { type: 'file' }`.
 */
import { mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';

const ROOT = join(import.meta.dir, '..');
const OUTPUT = join(ROOT, 'build', 'wasm');
/** Upper bound of the imported memory; a memory made with a smaller maximum links as well. */
const MAXIMUM_PAGES = 65536;

const COMPILER_FLAGS = [
  '--optimizeLevel=3',
  '--shrinkLevel=0',
  '--converge',
  '--noAssert',
  '--runtime=stub',
  '--importMemory',
  '--sharedMemory',
  '--initialMemory=1',
  `--maximumMemory=${MAXIMUM_PAGES}`,
  '--enable=simd',
  '--enable=threads',
  '--enable=relaxed-simd',
];

/** Modification time in milliseconds, 0 when `path` does not exist. */
function modifiedMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

async function compile(source: string, target: string): Promise<void> {
  const { main } = await import('assemblyscript/asc');
  const temporary = `${target}.${process.pid}.tmp`;
  const { error, stderr } = await main([
    source,
    `--baseDir=${ROOT}`,
    `--outFile=${temporary}`,
    ...COMPILER_FLAGS,
  ]);
  if (error) {
    rmSync(join(ROOT, temporary), { force: true });
    process.stderr.write(stderr.toString());
    throw new Error(`${source} does not compile: ${error.message}`);
  }
  // Renaming keeps a parallel build or a running host from reading half a module.
  renameSync(join(ROOT, temporary), join(ROOT, target));
}

async function buildAll(): Promise<void> {
  mkdirSync(OUTPUT, { recursive: true });
  const sources = [...new Bun.Glob('src/**/*.as.ts').scanSync(ROOT)].sort();
  // A kernel may import another source, so any newer source (or newer flags) rebuilds all of them.
  const newestMs = Math.max(
    modifiedMs(join(import.meta.dir, 'build-wasm.ts')),
    ...sources.map((source) => modifiedMs(join(ROOT, source))),
  );
  const owners = new Map<string, string>();
  for (const source of sources) {
    const name = basename(source, '.as.ts');
    const other = owners.get(name);
    if (other !== undefined)
      throw new Error(`${source} and ${other} would both become ${name}.wasm`);
    owners.set(name, source);
    const target = join('build', 'wasm', `${name}.wasm`);
    const isFresh = modifiedMs(join(ROOT, target)) > newestMs;
    if (!isFresh) await compile(source, target);
    const { size } = statSync(join(ROOT, target));
    console.log(`${target}: ${size} bytes${isFresh ? ', up to date' : ''}`);
  }
}

await buildAll();
