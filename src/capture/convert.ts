/**
 * Converts captured pictures to what the encoder takes: I420 or NV12 of exactly the encode size, in
 * one memory of its own, so a picture can be encoded again while the desktop stands still.
 */
import type { EncoderInput } from '../encode/port.ts';
import type { ColourDescription } from '../session/mode.ts';
import { type ColourCoefficients, colourCoefficients } from './colour-coefficients.ts';
import { type ConvertKernels, type MakeConvertKernels, vectorKernels } from './convert-kernels.ts';
import { type ConvertLayout, layoutFor, SOURCE_SIDE_MAX } from './convert-layout.ts';
import { sourcePosition, writeCoefficients, writeColumns } from './convert-tables.ts';
import { copyYuv } from './convert-yuv.ts';
import type { MemoryFrame } from './port.ts';

export interface ConverterParameters {
  /** Encode size; even. */
  readonly width: number;
  readonly height: number;
  readonly colour: ColourDescription;
  readonly output: 'i420' | 'nv12';
}

export class FrameConverter {
  readonly #parameters: ConverterParameters;
  readonly #coefficients: ColourCoefficients;
  readonly #makeKernels: MakeConvertKernels;
  #state: ConverterState | null = null;

  constructor(parameters: ConverterParameters, makeKernels: MakeConvertKernels = vectorKernels) {
    const { width, height } = parameters;
    if (width < 2 || height < 2 || width % 2 !== 0 || height % 2 !== 0) {
      throw new Error(`the encode size must be even, not ${width}x${height}`);
    }
    this.#parameters = parameters;
    this.#coefficients = colourCoefficients(parameters.colour);
    this.#makeKernels = makeKernels;
  }

  /**
   * Copies `frame` in and converts it. The result keeps its content until the next call; its
   * memory stays the same while the source's size and byte order stay the same.
   */
  convert(frame: MemoryFrame): EncoderInput {
    const state = this.#stateFor(frame);
    if (frame.format === 'I420' || frame.format === 'NV12') {
      copyYuv(frame, state.input, this.#parameters, this.#coefficients.blackLuma);
      return state.input;
    }
    copyPixels(frame, state);
    const { layout, kernels } = state;
    const picture = layout.scaling === null ? layout.source : scalePicture(state);
    kernels.convert(
      picture.offset,
      picture.strideBytes,
      layout.luma,
      layout.lumaStride,
      layout.cb,
      layout.cr,
      layout.chromaStride,
      layout.lumaStride,
      this.#parameters.height / 2,
      layout.coefficients,
      this.#parameters.output === 'nv12' ? 1 : 0,
    );
    return state.input;
  }

  /** Gives the memory back; the last result is gone. */
  close(): void {
    this.#state = null;
  }

  #stateFor(frame: MemoryFrame): ConverterState {
    const { width, height, format } = frame;
    const known = this.#state;
    if (known?.width === width && known.height === height && known.format === format) return known;
    if (!(width >= 1 && height >= 1 && width <= SOURCE_SIDE_MAX && height <= SOURCE_SIDE_MAX)) {
      throw new Error(`a picture of ${width}x${height} cannot be converted`);
    }
    this.#state = null;
    this.#state = newState(frame, this.#parameters, this.#coefficients, this.#makeKernels);
    return this.#state;
  }
}

interface ConverterState {
  readonly width: number;
  readonly height: number;
  readonly format: MemoryFrame['format'];
  readonly layout: ConvertLayout;
  readonly bytes: Uint8Array;
  readonly kernels: ConvertKernels;
  readonly input: EncoderInput;
}

function newState(
  frame: MemoryFrame,
  parameters: ConverterParameters,
  coefficients: ColourCoefficients,
  makeKernels: MakeConvertKernels,
): ConverterState {
  const layout = layoutFor(frame, parameters, parameters.output === 'nv12');
  const memory = new WebAssembly.Memory({
    initial: layout.pages,
    maximum: layout.pages,
    shared: true,
  });
  const state = {
    width: frame.width,
    height: frame.height,
    format: frame.format,
    layout,
    bytes: new Uint8Array(memory.buffer),
    kernels: makeKernels(memory),
    input: inputOf(memory, layout, parameters),
  };
  writeCoefficients(memory, layout.coefficients, coefficients, frame.format);
  if (layout.scaling) writeColumns(memory, layout.scaling);
  return state;
}

function inputOf(
  memory: WebAssembly.Memory,
  layout: ConvertLayout,
  { output, height }: ConverterParameters,
): EncoderInput {
  const { luma, cb, cr, lumaStride, chromaStride } = layout;
  const chromaBytes = (chromaStride * height) / 2;
  if (output === 'nv12') {
    return {
      kind: 'nv12',
      data: new Uint8Array(memory.buffer, luma, cb - luma + chromaBytes),
      strideBytes: lumaStride,
      chromaOffsetBytes: cb - luma,
    };
  }
  return {
    kind: 'i420',
    y: new Uint8Array(memory.buffer, luma, lumaStride * height),
    u: new Uint8Array(memory.buffer, cb, chromaBytes),
    v: new Uint8Array(memory.buffer, cr, chromaBytes),
    yStrideBytes: lumaStride,
    uvStrideBytes: chromaStride,
  };
}

/** Copies the source's rows in and repeats the last column and row where the layout has one more. */
function copyPixels(frame: MemoryFrame, { layout, bytes }: ConverterState): void {
  const { data, strideBytes, width, height } = frame;
  const { offset, strideBytes: ownStride } = layout.source;
  const rowBytes = width * 4;
  if (strideBytes < rowBytes || data.length < strideBytes * (height - 1) + rowBytes) {
    throw new Error(`a ${width}x${height} picture does not fit ${data.length} bytes`);
  }
  if (strideBytes === ownStride) {
    bytes.set(data.subarray(0, strideBytes * (height - 1) + rowBytes), offset);
  } else {
    for (let row = 0; row < height; row += 1) {
      const start = row * strideBytes;
      bytes.set(data.subarray(start, start + rowBytes), offset + row * ownStride);
    }
  }
  if (layout.scaling === null && layout.source.width > width) {
    for (let row = 0; row < height; row += 1) {
      const end = offset + row * ownStride + rowBytes;
      bytes.copyWithin(end, end - 4, end);
    }
  }
  if (layout.scaling === null && layout.source.height > height) {
    const last = offset + (height - 1) * ownStride;
    bytes.copyWithin(last + ownStride, last, last + ownStride);
  }
}

function scalePicture({ layout, kernels }: ConverterState): {
  offset: number;
  strideBytes: number;
} {
  const { scaling } = layout;
  if (!scaling) return layout.source;
  const { fit, levels, canvas, columns, weights, blended } = scaling;
  let picture = layout.source;
  for (const next of levels.slice(1)) {
    kernels.halve(
      picture.offset,
      picture.strideBytes,
      next.offset,
      next.strideBytes,
      next.width,
      next.height,
    );
    picture = next;
  }
  for (let row = 0; row < fit.height; row += 1) {
    const position = sourcePosition(row, picture.height, fit.height);
    const upperRow = position >> 8;
    const lowerRow = Math.min(upperRow + 1, picture.height - 1);
    kernels.bilinearRow(
      picture.offset + upperRow * picture.strideBytes,
      picture.offset + lowerRow * picture.strideBytes,
      position & 255,
      picture.width,
      blended,
      columns,
      weights,
      canvas.offset + (fit.top + row) * canvas.strideBytes + fit.left * 4,
      fit.width,
    );
  }
  return canvas;
}
