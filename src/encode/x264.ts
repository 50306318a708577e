/**
 * Encoder rung `x264`: libx264 of the system. The best software rung, because a lost picture is
 * repaired by the next P picture instead of an IDR.
 *
 * Infinite GOP, one access unit per picture, parameter sets before each IDR, rate control of one
 * frame, no user data. Reference depth: five when the device sets no limit, else at most its limit;
 * with a limit of one there is nothing to fall back on and `invalidate` answers false.
 */
import { type X264Planes, type X264Session, x264Library } from '../../ffi/libx264.ts';
import { AccessUnitBuffer } from './access-unit-buffer.ts';
import type {
  EncodedChunk,
  EncoderCapabilities,
  EncoderInput,
  EncoderParameters,
  EncoderRung,
  VideoEncoder,
} from './port.ts';
import { probeBySession } from './probe-session.ts';
import { ReferenceHistory } from './reference-history.ts';
import {
  COLOUR_NAMES,
  H264_SIDE_MAX,
  inputProblem,
  parametersProblem,
  planRate,
  type RatePlan,
  referenceDepth,
  sliceThreads,
} from './x264-settings.ts';

const REMEDY = 'install the system library: apt install libx264-164 (or your distribution’s x264)';

/** @param cores processor count that bounds the slice threads */
export function x264Rung(cores: number): EncoderRung {
  const open = (parameters: EncoderParameters): VideoEncoder => new X264Encoder(parameters, cores);
  return {
    name: 'x264',
    isSoftware: true,
    codecs: ['h264'],
    probe: () =>
      probeBySession(open, () => `${x264Library().name}, repairs losses without an IDR`, REMEDY),
    open,
  };
}

class X264Encoder implements VideoEncoder {
  readonly capabilities: EncoderCapabilities;
  readonly #parameters: EncoderParameters;
  readonly #cores: number;
  readonly #depth: number;
  readonly #units = new AccessUnitBuffer('x264');
  #history: ReferenceHistory;
  #session: X264Session;
  #rate: RatePlan;
  #isRepairing = false;
  #mustBeIdr = true;
  #ready: EncodedChunk | null = null;

  constructor(parameters: EncoderParameters, cores: number) {
    const problem = parametersProblem(parameters);
    if (problem !== null) throw new Error(problem);
    this.#parameters = parameters;
    this.#cores = cores;
    this.#depth = referenceDepth(parameters.maxReferenceFrames);
    this.#rate = planRate(parameters.bitrateKbps, parameters);
    this.#history = new ReferenceHistory(this.#depth);
    this.#session = this.#openSession();
    this.capabilities = {
      backend: 'x264',
      canInvalidate: this.#depth > 1,
      canIntraRefresh: false,
      tenBit: false,
      yuv444: false,
      inPlaceBitrate: true,
      chunkedOutput: false,
      inputs: ['i420', 'nv12'],
      maxWidth: H264_SIDE_MAX,
      maxHeight: H264_SIDE_MAX,
    };
  }

  submit(input: EncoderInput, pictureId: number, options: { readonly idr: boolean }): void {
    const { width, height } = this.#parameters;
    const problem = inputProblem(input, width, height);
    if (problem !== null) throw new Error(problem);
    const isForcedIdr = options.idr || this.#mustBeIdr;
    this.#units.clear();
    this.#session.encode(planesOf(input), pictureId, isForcedIdr, this.#units);
    const { data, isIdr } = this.#units.finish(pictureId);
    this.#history.submitted(pictureId, isIdr);
    this.#mustBeIdr = false;
    this.#ready = {
      data,
      pictureId,
      isIdr,
      isRecoveryAnchor: this.#isRepairing && !isIdr,
      isFirstChunk: true,
      isLastChunk: true,
    };
    this.#isRepairing = false;
  }

  poll(): EncodedChunk | null {
    const chunk = this.#ready;
    this.#ready = null;
    return chunk;
  }

  invalidate(firstId: number, lastId: number): boolean {
    switch (this.#history.lose(firstId, lastId)) {
      case 'nothing':
        return true;
      case 'idr':
        return false;
      case 'repair':
        if (!this.#session.invalidateFrom(firstId)) return false;
        this.#isRepairing = true;
        return true;
    }
  }

  reconfigure(bitrateKbps: number): boolean {
    const rate = planRate(bitrateKbps, this.#parameters);
    if (!this.#session.setRate(rate)) return false;
    this.#rate = rate;
    return true;
  }

  appliedBitrateKbps(): number {
    return this.#rate.bitrateKbps;
  }

  reset(): boolean {
    this.#session.close();
    this.#history = new ReferenceHistory(this.#depth);
    this.#ready = null;
    this.#isRepairing = false;
    this.#mustBeIdr = true;
    this.#session = this.#openSession();
    return true;
  }

  close(): void {
    this.#session.close();
    this.#ready = null;
  }

  #openSession(): X264Session {
    const { width, height, preset, slicesPerFrame } = this.#parameters;
    return x264Library().open({
      width,
      height,
      preset,
      tune: 'zerolatency',
      profile: 'high',
      dpbFrames: this.#depth,
      options: optionsOf(this.#parameters, this.#rate, {
        threads: sliceThreads(slicesPerFrame, this.#cores, height),
      }),
    });
  }
}

/** Options of `x264_param_parse`; exported for tests. */
export function optionsOf(
  parameters: EncoderParameters,
  rate: RatePlan,
  { threads }: { threads: number },
): [key: string, value: string][] {
  const { matrix, fullRange } = parameters.colour;
  const names = COLOUR_NAMES[matrix];
  return [
    ['log', '-1'],
    ['fps', `${parameters.fpsNum}/${parameters.fpsDen}`],
    ['force-cfr', '1'],
    ['bitrate', String(rate.bitrateKbps)],
    ['vbv-maxrate', String(rate.bitrateKbps)],
    ['vbv-bufsize', String(rate.vbvBufferKbit)],
    ['nal-hrd', 'none'],
    ['keyint', 'infinite'],
    ['scenecut', '0'],
    ['bframes', '0'],
    ['ref', '1'],
    ['threads', String(threads)],
    ['sliced-threads', '1'],
    ['annexb', '1'],
    ['repeat-headers', '1'],
    ['aud', '0'],
    ['fullrange', fullRange ? 'on' : 'off'],
    ['colorprim', names.primaries],
    ['transfer', names.transfer],
    ['colormatrix', names.matrix],
  ];
}

function planesOf(input: EncoderInput): X264Planes {
  if (input.kind === 'i420') {
    const { yStrideBytes, uvStrideBytes } = input;
    return {
      kind: 'i420',
      planes: [input.y, input.u, input.v],
      strideBytes: [yStrideBytes, uvStrideBytes, uvStrideBytes],
    };
  }
  if (input.kind !== 'nv12') throw new Error(`x264 takes no ${input.kind} pictures`);
  const { data, strideBytes, chromaOffsetBytes } = input;
  return {
    kind: 'nv12',
    planes: [data, data.subarray(chromaOffsetBytes)],
    strideBytes: [strideBytes, strideBytes],
  };
}
