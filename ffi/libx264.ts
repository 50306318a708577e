/**
 * libx264 of the system: the only software encoder that can forget lost references.
 *
 * Only the fields without a text key are written by offset; everything else goes through
 * `x264_param_parse`. The offsets are checked on the running library before use, so a build with
 * another layout is refused instead of corrupted.
 * Source: x264.h of builds 160–165 (`x264_param_t`, `x264_picture_t`, `x264_nal_t`).
 */
import { read, toArrayBuffer } from 'bun:ffi';
import { addressOf } from './libc.ts';
import {
  bindLibrary,
  cString,
  LibraryError,
  type NativeDeclaration,
  type NativeSymbols,
  openLibrary,
} from './loader.ts';
import { pin, stableBytes, unpin } from './pins.ts';

/** Newest first; the number is part of the library's name and of its open function. */
const BUILDS = [165, 164, 163, 161, 160, 157, 155] as const;

const SYMBOLS = {
  // int x264_param_default_preset(x264_param_t *, const char *preset, const char *tune);
  x264_param_default_preset: { args: ['ptr', 'ptr', 'ptr'], returns: 'i32' },
  // int x264_param_parse(x264_param_t *, const char *name, const char *value);
  x264_param_parse: { args: ['ptr', 'ptr', 'ptr'], returns: 'i32' },
  // int x264_param_apply_profile(x264_param_t *, const char *profile);
  x264_param_apply_profile: { args: ['ptr', 'ptr'], returns: 'i32' },
  // void x264_picture_init(x264_picture_t *pic);
  x264_picture_init: { args: ['ptr'], returns: 'void' },
  // int x264_encoder_encode(x264_t *, x264_nal_t **, int *, x264_picture_t *in, *out);
  x264_encoder_encode: { args: ['ptr', 'ptr', 'ptr', 'ptr', 'ptr'], returns: 'i32' },
  // int x264_encoder_reconfig(x264_t *, x264_param_t *);
  x264_encoder_reconfig: { args: ['ptr', 'ptr'], returns: 'i32' },
  // void x264_encoder_parameters(x264_t *, x264_param_t *);
  x264_encoder_parameters: { args: ['ptr', 'ptr'], returns: 'void' },
  // int x264_encoder_invalidate_reference(x264_t *, int64_t pts);
  x264_encoder_invalidate_reference: { args: ['ptr', 'i64'], returns: 'i32' },
  // void x264_encoder_close(x264_t *);
  x264_encoder_close: { args: ['ptr'], returns: 'void' },
} as const satisfies Record<string, NativeDeclaration>;

// x264_t *x264_encoder_open_<BUILD>(x264_param_t *);
const OPEN = { args: ['ptr'], returns: 'ptr' } as const satisfies NativeDeclaration;

/** Byte offsets, identical in builds 160–165; exported for the test against the C header. */
export const X264_LAYOUT = {
  param: {
    i_threads: 4,
    b_sliced_threads: 12,
    i_width: 28,
    i_height: 32,
    i_csp: 36,
    i_frame_reference: 92,
    i_dpb_size: 96,
    i_keyint_max: 100,
    i_bframe: 116,
    'rc.i_bitrate': 676,
    'rc.i_vbv_max_bitrate': 692,
    'rc.i_vbv_buffer_size': 696,
  },
  picture: {
    i_type: 0,
    i_pts: 16,
    'img.i_csp': 40,
    'img.i_plane': 44,
    'img.i_stride': 48,
    'img.plane': 64,
  },
  nal: { p_payload: 24 },
} as const;

/** x264_param_t has 944 bytes in build 160 and 1024 in 165; room for what later builds append. */
const PARAM_BYTES = 4096;
/** x264_picture_t has 240 bytes. */
const PICTURE_BYTES = 512;
const CSP_I420 = 2;
const CSP_NV12 = 4;
const TYPE_AUTO = 0;
const TYPE_IDR = 1;

export interface X264Settings {
  readonly width: number;
  readonly height: number;
  readonly preset: string;
  readonly tune: string;
  readonly profile: string;
  /** Frames kept as possible references; 0 leaves the preset's own count. */
  readonly dpbFrames: number;
  /** Keys and values of `x264_param_parse`, in order. */
  readonly options: readonly (readonly [key: string, value: string])[];
}

export interface X264Rate {
  readonly bitrateKbps: number;
  readonly vbvBufferKbit: number;
}

/** Planes of one picture: I420 (three) or NV12 (two). */
export interface X264Planes {
  readonly kind: 'i420' | 'nv12';
  readonly planes: readonly Uint8Array[];
  readonly strideBytes: readonly number[];
}

/** Takes the bytes of an access unit; they are x264's own and valid only during the call. */
export interface X264Output {
  append(bytes: Uint8Array): void;
}

export interface X264Library {
  /** E.g. `libx264.so.164`. */
  readonly name: string;
  open(settings: X264Settings): X264Session;
}

let library: X264Library | undefined;

/** libx264 of this system. Throws {@link LibraryError} when absent or of an unknown layout. */
export function x264Library(): X264Library {
  library ??= bindX264();
  return library;
}

function bindX264(): X264Library {
  const { name } = openLibrary(BUILDS.map((build) => `libx264.so.${build}`));
  const openName = `x264_encoder_open_${name.slice(name.lastIndexOf('.') + 1)}`;
  const { symbols } = bindLibrary([name], { ...SYMBOLS, [openName]: OPEN });
  const native: Native = {
    ...(symbols as NativeSymbols<typeof SYMBOLS>),
    open: symbols[openName as keyof typeof symbols] as unknown as Native['open'],
  };
  checkLayout(native, name);
  return { name, open: (settings) => new X264Session(native, settings) };
}

interface Native extends NativeSymbols<typeof SYMBOLS> {
  open(parameters: Uint8Array): number | null;
}

/** Writes each known field by its text key and expects it at its offset. */
function checkLayout(native: Native, name: string): void {
  const parameters = pin(stableBytes(PARAM_BYTES));
  try {
    const fields = new DataView(parameters.buffer);
    const offsets = X264_LAYOUT.param;
    const expected: [keyof typeof offsets, string, number][] = [
      ['i_threads', 'threads', 11],
      ['b_sliced_threads', 'sliced-threads', 1],
      ['i_frame_reference', 'ref', 7],
      ['i_keyint_max', 'keyint', 4321],
      ['i_bframe', 'bframes', 5],
      ['rc.i_bitrate', 'bitrate', 12345],
      ['rc.i_vbv_max_bitrate', 'vbv-maxrate', 23456],
      ['rc.i_vbv_buffer_size', 'vbv-bufsize', 3456],
    ];
    native.x264_param_default_preset(parameters, cString('superfast'), cString('zerolatency'));
    let isKnown = fields.getInt32(offsets.i_csp, true) === CSP_I420;
    isKnown &&= fields.getInt32(offsets.i_width, true) === 0;
    isKnown &&= fields.getInt32(offsets.i_height, true) === 0;
    isKnown &&= fields.getInt32(offsets.i_dpb_size, true) === 0;
    for (const [field, key, value] of expected) {
      native.x264_param_parse(parameters, cString(key), cString(String(value)));
      isKnown &&= fields.getInt32(offsets[field], true) === value;
    }
    if (isKnown) return;
  } finally {
    unpin(parameters);
  }
  throw new LibraryError({
    kind: 'wrong-version',
    library: name,
    detail: 'its parameter layout is not the one of builds 160 to 165',
  });
}

/** One open encoder. Every call blocks for the time x264 needs; not usable after `close`. */
export class X264Session {
  readonly #native: Native;
  // KEEP: all buffers are pinned from the constructor until `close`.
  readonly #parameters = pin(stableBytes(PARAM_BYTES));
  readonly #picture = pin(stableBytes(PICTURE_BYTES));
  readonly #pictureOut = pin(stableBytes(PICTURE_BYTES));
  readonly #nals = pin(stableBytes(8));
  readonly #nalCount = pin(stableBytes(8));
  readonly #nalsView: DataView;
  readonly #fields: DataView;
  readonly #pictureFields: DataView;
  #opened = 0;

  constructor(native: Native, settings: X264Settings) {
    this.#native = native;
    this.#fields = new DataView(this.#parameters.buffer);
    this.#pictureFields = new DataView(this.#picture.buffer);
    this.#nalsView = new DataView(this.#nals.buffer);
    pin(this);
    try {
      this.#opened = this.#open(settings);
    } catch (error) {
      this.#release();
      throw error;
    }
    native.x264_picture_init(this.#picture);
  }

  /** Encodes one picture and appends its access unit to `into`. */
  encode(input: X264Planes, pts: number, isForcedIdr: boolean, into: X264Output): void {
    const encoder = this.#encoder;
    // KEEP: the planes until the call below returns; x264 copies them.
    pin(input);
    this.#describePicture(input, pts, isForcedIdr);
    const size = this.#native.x264_encoder_encode(
      encoder,
      this.#nals,
      this.#nalCount,
      this.#picture,
      this.#pictureOut,
    );
    unpin(input);
    if (size < 0) throw new Error(`x264 refused a picture (${size})`);
    if (size === 0) return;
    const firstNal = Number(this.#nalsView.getBigUint64(0, true));
    const payload = read.ptr(firstNal as never, X264_LAYOUT.nal.p_payload);
    // The NAL units of one access unit lie one behind the other.
    into.append(new Uint8Array(toArrayBuffer(payload as never, 0, size)));
  }

  /** Applies a rate from the next picture on, keeping references. */
  setRate(rate: X264Rate): boolean {
    const offsets = X264_LAYOUT.param;
    this.#native.x264_encoder_parameters(this.#encoder, this.#parameters);
    this.#fields.setInt32(offsets['rc.i_bitrate'], rate.bitrateKbps, true);
    this.#fields.setInt32(offsets['rc.i_vbv_max_bitrate'], rate.bitrateKbps, true);
    this.#fields.setInt32(offsets['rc.i_vbv_buffer_size'], rate.vbvBufferKbit, true);
    return this.#native.x264_encoder_reconfig(this.#encoder, this.#parameters) === 0;
  }

  /** Forgets the picture with `firstPts` and everything after it. */
  invalidateFrom(firstPts: number): boolean {
    return this.#native.x264_encoder_invalidate_reference(this.#encoder, firstPts) === 0;
  }

  close(): void {
    if (this.#opened === 0) return;
    this.#native.x264_encoder_close(this.#opened);
    this.#opened = 0;
    this.#release();
  }

  /** Address of the open encoder; native code never sees a closed one. */
  get #encoder(): number {
    if (this.#opened === 0) throw new Error('the encoder is closed');
    return this.#opened;
  }

  #open(settings: X264Settings): number {
    const native = this.#native;
    const offsets = X264_LAYOUT.param;
    const preset = cString(settings.preset);
    const tune = cString(settings.tune);
    if (native.x264_param_default_preset(this.#parameters, preset, tune) !== 0) {
      throw new Error(`x264 knows no preset ${settings.preset} with tune ${settings.tune}`);
    }
    for (const [key, value] of settings.options) {
      if (native.x264_param_parse(this.#parameters, cString(key), cString(value)) !== 0) {
        throw new Error(`x264 refuses the option ${key}=${value}`);
      }
    }
    this.#fields.setInt32(offsets.i_width, settings.width, true);
    this.#fields.setInt32(offsets.i_height, settings.height, true);
    this.#fields.setInt32(offsets.i_csp, CSP_I420, true);
    this.#fields.setInt32(offsets.i_dpb_size, settings.dpbFrames, true);
    if (native.x264_param_apply_profile(this.#parameters, cString(settings.profile)) !== 0) {
      throw new Error(`x264 refuses the profile ${settings.profile}`);
    }
    const encoder = native.open(this.#parameters);
    if (encoder) return encoder;
    throw new Error(`x264 refuses ${settings.width}x${settings.height} ${settings.preset}`);
  }

  #describePicture(input: X264Planes, pts: number, isForcedIdr: boolean): void {
    const offsets = X264_LAYOUT.picture;
    const fields = this.#pictureFields;
    fields.setInt32(offsets.i_type, isForcedIdr ? TYPE_IDR : TYPE_AUTO, true);
    fields.setUint32(offsets.i_pts, pts >>> 0, true);
    fields.setInt32(offsets.i_pts + 4, Math.floor(pts / 2 ** 32), true);
    fields.setInt32(offsets['img.i_csp'], input.kind === 'i420' ? CSP_I420 : CSP_NV12, true);
    fields.setInt32(offsets['img.i_plane'], input.planes.length, true);
    for (let plane = 0; plane < input.planes.length; plane += 1) {
      const bytes = input.planes[plane];
      if (!bytes) continue;
      const address = addressOf(bytes);
      fields.setInt32(offsets['img.i_stride'] + plane * 4, input.strideBytes[plane] ?? 0, true);
      fields.setUint32(offsets['img.plane'] + plane * 8, address >>> 0, true);
      fields.setUint32(offsets['img.plane'] + plane * 8 + 4, Math.floor(address / 2 ** 32), true);
    }
  }

  #release(): void {
    for (const owned of [
      this.#parameters,
      this.#picture,
      this.#pictureOut,
      this.#nals,
      this.#nalCount,
      this,
    ]) {
      unpin(owned);
    }
  }
}
