/** The compiled parity kernel, from the source tree or from inside the executable. */
import { readFileSync } from 'node:fs';
import kernelPath from '../../build/wasm/gf256.wasm' with { type: 'file' };

/** Compiles the kernel; a few milliseconds, once per worker. */
export function loadParityModule(): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(kernelPath));
}
