/**
 * Probes a software rung by using it: a 640x480 encoder is opened, one grey picture encoded, and
 * everything closed again. The presence of a library proves nothing.
 */
import type { EncoderInput, EncoderParameters, EncoderRung, VideoEncoder } from './port.ts';

const WIDTH = 640;
const HEIGHT = 480;

export const PROBE_PARAMETERS: EncoderParameters = {
  codec: 'h264',
  width: WIDTH,
  height: HEIGHT,
  fpsNum: 60,
  fpsDen: 1,
  bitrateKbps: 5000,
  bitDepth: 8,
  hdr: false,
  chroma: '420',
  colour: { matrix: 'bt709', fullRange: false },
  slicesPerFrame: 1,
  maxReferenceFrames: 0,
  vbvFrames: 1,
  preset: 'superfast',
  maxAccessUnitBytes: 1 << 20,
};

/**
 * @param detail sentence for status, made after the session worked
 * @param remedy next step for the user when it did not
 */
export function probeBySession(
  open: (parameters: EncoderParameters) => VideoEncoder,
  detail: () => string,
  remedy: string,
): ReturnType<EncoderRung['probe']> {
  let encoder: VideoEncoder | null = null;
  try {
    encoder = open(PROBE_PARAMETERS);
    encoder.submit(greyPicture(), 0, { idr: true });
    if (!encoder.poll()?.isIdr) throw new Error('the first picture is not an IDR');
    return { available: true, detail: detail() };
  } catch (error) {
    const missing = error instanceof Error ? error.message : String(error);
    return { available: false, missing, remedy };
  } finally {
    encoder?.close();
  }
}

function greyPicture(): EncoderInput {
  return {
    kind: 'i420',
    y: new Uint8Array(WIDTH * HEIGHT).fill(126),
    u: new Uint8Array((WIDTH / 2) * (HEIGHT / 2)).fill(128),
    v: new Uint8Array((WIDTH / 2) * (HEIGHT / 2)).fill(128),
    yStrideBytes: WIDTH,
    uvStrideBytes: WIDTH / 2,
  };
}
