/**
 * Encoder rung `addon-x264`: x264 inside the embedded FFmpeg addon. Works on every glibc system and
 * needs nothing installed; a lost picture costs an IDR, because FFmpeg hides x264's reference
 * invalidation.
 *
 * Every setting is an option set by name, never a dictionary (see ffi/node-av.ts).
 */
import type { AvCodecContext, AvFrame, AvPacket, NodeAv } from '../../ffi/node-av.ts';
import { AccessUnitBuffer } from './access-unit-buffer.ts';
import { addonOrigin, embeddedNodeAv } from './addon-image.ts';
import type {
  EncodedChunk,
  EncoderCapabilities,
  EncoderInput,
  EncoderParameters,
  EncoderRung,
  VideoEncoder,
} from './port.ts';
import { probeBySession } from './probe-session.ts';
import {
  COLOUR_NAMES,
  H264_SIDE_MAX,
  inputProblem,
  parametersProblem,
  planRate,
  type RatePlan,
  sliceThreads,
} from './x264-settings.ts';

/** AV_PIX_FMT_YUV420P. */
const PIXEL_FORMAT_I420 = 0;
/** AVPictureType. */
const PICTURE_AUTO = 0;
const PICTURE_INTRA = 1;
/** AV_OPT_SEARCH_CHILDREN: also the options of x264 itself. */
const SEARCH_CHILDREN = 1;

const CAPABILITIES: EncoderCapabilities = {
  backend: 'addon-x264',
  canInvalidate: false,
  canIntraRefresh: false,
  tenBit: false,
  yuv444: false,
  inPlaceBitrate: true,
  chunkedOutput: false,
  inputs: ['i420'],
  maxWidth: H264_SIDE_MAX,
  maxHeight: H264_SIDE_MAX,
};

/** @param cores processor count that bounds the slice threads */
export function addonX264Rung(cores: number): EncoderRung {
  const open = (parameters: EncoderParameters): VideoEncoder =>
    new AddonX264Encoder(parameters, cores);
  return {
    name: 'addon-x264',
    isSoftware: true,
    codecs: ['h264'],
    probe() {
      const origin = addonOrigin();
      if (origin.kind === 'none') {
        return { available: false, missing: origin.missing, remedy: origin.remedy };
      }
      const detail = () => `embedded x264 (FFmpeg ${embeddedNodeAv().getFFmpegInfo().version})`;
      return probeBySession(open, detail, 'install the system’s libx264');
    },
    open,
  };
}

class AddonX264Encoder implements VideoEncoder {
  readonly capabilities = CAPABILITIES;
  readonly #addon: NodeAv;
  readonly #parameters: EncoderParameters;
  readonly #cores: number;
  readonly #units = new AccessUnitBuffer('x264 (embedded)');
  #context: AvCodecContext | null = null;
  #frame: AvFrame;
  #packet: AvPacket;
  #rate: RatePlan;
  #mustBeIdr = true;
  #ready: EncodedChunk | null = null;

  constructor(parameters: EncoderParameters, cores: number) {
    const problem = parametersProblem(parameters);
    if (problem !== null) throw new Error(problem);
    this.#addon = embeddedNodeAv();
    this.#parameters = parameters;
    this.#cores = cores;
    this.#rate = planRate(parameters.bitrateKbps, parameters);
    this.#context = this.#openContext();
    this.#frame = new this.#addon.Frame();
    this.#frame.alloc();
    this.#frame.format = PIXEL_FORMAT_I420;
    this.#frame.width = parameters.width;
    this.#frame.height = parameters.height;
    check(this.#frame.getBuffer(0), 'no memory for a picture');
    this.#packet = new this.#addon.Packet();
    this.#packet.alloc();
  }

  submit(input: EncoderInput, pictureId: number, options: { readonly idr: boolean }): void {
    const context = this.#context;
    if (context === null) throw new Error('the encoder is closed');
    const { width, height } = this.#parameters;
    const problem = inputProblem(input, width, height);
    if (problem !== null) throw new Error(problem);
    this.#fillFrame(input);
    this.#frame.pts = BigInt(pictureId);
    this.#frame.pictType = options.idr || this.#mustBeIdr ? PICTURE_INTRA : PICTURE_AUTO;
    check(context.sendFrameSync(this.#frame), 'x264 refused a picture');
    this.#units.clear();
    while (context.receivePacketSync(this.#packet) >= 0) {
      if (this.#packet.data) this.#units.append(this.#packet.data);
      this.#packet.unref();
    }
    const { data, isIdr } = this.#units.finish(pictureId);
    this.#mustBeIdr = false;
    this.#ready = {
      data,
      pictureId,
      isIdr,
      isRecoveryAnchor: false,
      isFirstChunk: true,
      isLastChunk: true,
    };
  }

  poll(): EncodedChunk | null {
    const chunk = this.#ready;
    this.#ready = null;
    return chunk;
  }

  invalidate(): boolean {
    return false;
  }

  reconfigure(bitrateKbps: number): boolean {
    if (this.#context === null) return false;
    this.#rate = planRate(bitrateKbps, this.#parameters);
    const bitsPerSecond = BigInt(this.#rate.bitrateKbps * 1000);
    // x264's wrapper compares these with its own and reconfigures before the next picture.
    this.#context.bitRate = bitsPerSecond;
    this.#context.rcMaxRate = bitsPerSecond;
    this.#context.rcBufferSize = this.#rate.vbvBufferKbit * 1000;
    return true;
  }

  appliedBitrateKbps(): number {
    return this.#rate.bitrateKbps;
  }

  reset(): boolean {
    this.#context?.freeContext();
    this.#context = null;
    this.#ready = null;
    this.#mustBeIdr = true;
    this.#context = this.#openContext();
    return true;
  }

  close(): void {
    if (this.#context === null) return;
    this.#context.freeContext();
    this.#context = null;
    this.#packet.free();
    this.#frame.free();
    this.#ready = null;
  }

  #openContext(): AvCodecContext {
    const codec = this.#addon.Codec.findEncoderByName('libx264');
    if (!codec) throw new Error('the embedded addon has no x264');
    const context = new this.#addon.CodecContext();
    context.allocContext3(codec);
    try {
      for (const [key, value] of optionsOf(this.#parameters, this.#rate, this.#cores)) {
        const code = this.#addon.Option.set(context, key, value, SEARCH_CHILDREN);
        check(code, `the embedded addon refuses the option ${key}=${value}`);
      }
      const { fpsNum, fpsDen } = this.#parameters;
      context.framerate = { num: fpsNum, den: fpsDen };
      check(context.open2Sync(codec, null), 'the embedded x264 does not open');
      return context;
    } catch (error) {
      context.freeContext();
      throw error;
    }
  }

  #fillFrame(input: EncoderInput): void {
    if (input.kind !== 'i420') throw new Error(`the embedded x264 takes no ${input.kind} pictures`);
    check(this.#frame.makeWritable(), 'no memory for a picture');
    const planes = this.#frame.data;
    const strides = this.#frame.linesize;
    const { width, height } = this.#parameters;
    if (!planes?.[0] || !planes[1] || !planes[2]) throw new Error('the picture has no planes');
    copyPlane(input.y, input.yStrideBytes, planes[0], strides[0] ?? 0, width, height);
    for (const [plane, bytes] of [
      [1, input.u],
      [2, input.v],
    ] as const) {
      const into = planes[plane];
      if (!into) continue;
      copyPlane(bytes, input.uvStrideBytes, into, strides[plane] ?? 0, width / 2, height / 2);
    }
  }
}

/** Options of the codec context and of x264 behind it; exported for tests. */
export function optionsOf(
  parameters: EncoderParameters,
  rate: RatePlan,
  cores: number,
): [key: string, value: string][] {
  const { width, height, fpsNum, fpsDen, preset, slicesPerFrame, colour } = parameters;
  const names = COLOUR_NAMES[colour.matrix];
  return [
    ['video_size', `${width}x${height}`],
    ['pixel_format', 'yuv420p'],
    ['time_base', `${fpsDen}/${fpsNum}`],
    ['b', String(rate.bitrateKbps * 1000)],
    ['maxrate', String(rate.bitrateKbps * 1000)],
    ['bufsize', String(rate.vbvBufferKbit * 1000)],
    ['bf', '0'],
    ['refs', '1'],
    ['g', '536870912'],
    ['flags', '+low_delay+cgop'],
    ['color_range', colour.fullRange ? 'pc' : 'tv'],
    ['color_primaries', names.primaries],
    ['color_trc', names.transfer],
    ['colorspace', names.matrix],
    ['threads', String(sliceThreads(slicesPerFrame, cores, height))],
    ['preset', preset],
    ['tune', 'zerolatency'],
    ['profile', 'high'],
    ['forced-idr', '1'],
    ['x264-params', 'sliced-threads=1:scenecut=0:force-cfr=1'],
  ];
}

function copyPlane(
  from: Uint8Array,
  fromStrideBytes: number,
  into: Uint8Array,
  intoStrideBytes: number,
  width: number,
  height: number,
): void {
  if (fromStrideBytes === intoStrideBytes) {
    into.set(from.subarray(0, fromStrideBytes * (height - 1) + width));
    return;
  }
  for (let row = 0; row < height; row += 1) {
    const start = row * fromStrideBytes;
    into.set(from.subarray(start, start + width), row * intoStrideBytes);
  }
}

function check(code: number, what: string): void {
  if (code < 0) throw new Error(`${what} (${code})`);
}
