/** The conversion kernels in one shared memory: WASM vectors, with the scalar twin's interface. */
import { readFileSync } from 'node:fs';
import kernelPath from '../../build/wasm/convert.wasm' with { type: 'file' };

/** Addresses are byte offsets into the memory; meanings in kernels/convert.as.ts. */
export interface ConvertKernels {
  convert(
    source: number,
    sourceStride: number,
    luma: number,
    lumaStride: number,
    cb: number,
    cr: number,
    chromaStride: number,
    width: number,
    rowPairs: number,
    coefficients: number,
    interleaved: 0 | 1,
  ): void;
  halve(
    source: number,
    sourceStride: number,
    target: number,
    targetStride: number,
    targetWidth: number,
    targetHeight: number,
  ): void;
  bilinearRow(
    upper: number,
    lower: number,
    rowWeight: number,
    sourceWidth: number,
    blended: number,
    columns: number,
    weights: number,
    target: number,
    targetWidth: number,
  ): void;
}

export type MakeConvertKernels = (memory: WebAssembly.Memory) => ConvertKernels;

let compiled: WebAssembly.Module | undefined;

/** Vector kernels working in `memory`. */
export function vectorKernels(memory: WebAssembly.Memory): ConvertKernels {
  compiled ??= new WebAssembly.Module(readFileSync(kernelPath));
  const instance = new WebAssembly.Instance(compiled, { env: { memory } });
  return instance.exports as unknown as ConvertKernels;
}
