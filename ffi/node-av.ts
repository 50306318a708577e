/**
 * The FFmpeg addon (npm `@seydx/node-av-linux-*`): the native classes that the host uses.
 *
 * The caller says where the addon lies (src/encode/addon-image.ts); a static `require` would let Bun
 * unpack it to a world-writable directory. Every thread loads it once and keeps it, because each
 * load makes a new exports object. Never hand the addon a Dictionary: 6.1.1 frees it twice.
 */

export interface AvCodec {
  readonly name: string;
}

export interface AvFrame {
  format: number;
  width: number;
  height: number;
  pts: bigint;
  /** AVPictureType: 0 encoder's choice, 1 I. */
  pictType: number;
  readonly linesize: readonly number[];
  /** Live views of the planes; fetched again after `makeWritable`. */
  readonly data: readonly Buffer[] | null;
  alloc(): void;
  getBuffer(align: number): number;
  makeWritable(): number;
  free(): void;
}

export interface AvPacket {
  readonly data: Buffer | null;
  alloc(): void;
  unref(): void;
  free(): void;
}

export interface AvCodecContext {
  /** Bits per second. */
  bitRate: bigint;
  rcMaxRate: bigint;
  /** Bits. */
  rcBufferSize: number;
  framerate: { num: number; den: number };
  allocContext3(codec: AvCodec): void;
  open2Sync(codec: AvCodec, options: null): number;
  sendFrameSync(frame: AvFrame | null): number;
  receivePacketSync(packet: AvPacket): number;
  freeContext(): void;
}

/** The part of the addon's exports that the host uses. */
export interface NodeAv {
  readonly Codec: { findEncoderByName(name: string): AvCodec | null };
  readonly CodecContext: new () => AvCodecContext;
  readonly Frame: new () => AvFrame;
  readonly Packet: new () => AvPacket;
  readonly Option: {
    /** @returns 0, or a negative AVERROR. Flag 1 also searches the encoder's private options. */
    set(target: AvCodecContext, key: string, value: string, flags: number): number;
  };
  readonly Log: { setLevel(level: number): void };
  getFFmpegInfo(): { version: string };
}

/** AV_LOG_FATAL: FFmpeg prints only what ends the process. */
const LOG_FATAL = 8;

let loaded: NodeAv | undefined;

/**
 * The addon of this thread, loaded on the first call from the absolute path that `locate` names.
 * Throws the loader's error when the file is no addon for this system.
 */
export function nodeAv(locate: () => string): NodeAv {
  loaded ??= load(locate());
  return loaded;
}

function load(path: string): NodeAv {
  const module: { exports: unknown } = { exports: {} };
  process.dlopen(module, path);
  const addon = module.exports as NodeAv;
  addon.Log.setLevel(LOG_FATAL);
  return addon;
}
