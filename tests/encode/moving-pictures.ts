/** Generated clips for encoder tests: detailed, moving, the same on every machine. */
import { FrameConverter } from '../../src/capture/convert.ts';
import { TestCard } from '../../src/capture/test-card.ts';
import type { EncoderInput, EncoderParameters } from '../../src/encode/port.ts';
import { PROBE_PARAMETERS } from '../../src/encode/probe-session.ts';

export function parametersFor(changes: Partial<EncoderParameters>): EncoderParameters {
  return { ...PROBE_PARAMETERS, ...changes };
}

/** A texture with detail at all sizes, panned over the whole picture: hard for an encoder. */
export function panningTexture(
  width: number,
  height: number,
): (frame: number) => Extract<EncoderInput, { kind: 'i420' }> {
  const margin = 256;
  const side = width + margin;
  const texture = new Uint8Array(side * (height + margin));
  let state = 0x1234567;
  for (let index = 0; index < texture.length; index += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const x = index % side;
    const y = Math.floor(index / side);
    const waves = Math.sin(x / 7) + Math.sin(y / 11) + Math.sin((x + y) / 3);
    texture[index] = 128 + waves * 25 + ((state >>> 8) % 24);
  }
  const y = new Uint8Array(width * height);
  const u = new Uint8Array((width * height) / 4);
  const v = new Uint8Array((width * height) / 4);
  return (frame) => {
    const left = Math.floor((margin / 2) * (1 + Math.sin(frame / 9)));
    const top = Math.floor((margin / 2) * (1 + Math.cos(frame / 13)));
    for (let row = 0; row < height; row += 1) {
      const start = (row + top) * side + left;
      y.set(texture.subarray(start, start + width), row * width);
    }
    for (let row = 0; row < height / 2; row += 1) {
      const start = (row + top) * side + left;
      u.set(texture.subarray(start, start + width / 2), row * (width / 2));
      v.set(texture.subarray(start + 40, start + 40 + width / 2), row * (width / 2));
    }
    return { kind: 'i420', y, u, v, yStrideBytes: width, uvStrideBytes: width / 2 };
  };
}

/** The test card, converted: frame n carries counter n. */
export function testCardPictures(width: number, height: number): (frame: number) => EncoderInput {
  const card = new TestCard(width, height);
  const converter = new FrameConverter({
    width,
    height,
    colour: { matrix: 'bt709', fullRange: false },
    output: 'i420',
  });
  return (frame) => {
    card.draw(frame, frame * 16.667);
    const { data, strideBytes } = card;
    return converter.convert({
      kind: 'memory',
      format: 'BGRx',
      width,
      height,
      data,
      strideBytes,
      captureNs: 0,
    });
  };
}
