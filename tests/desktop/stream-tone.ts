/** The level of a tone in what a device heard. Pure. */

const SAMPLE_RATE_HZ = 48_000;

/** Amplitude (1 is full scale) of one frequency in a block of samples (Goertzel). */
export function toneAmplitude(samples: Float32Array, frequencyHz: number): number {
  const turn = (2 * Math.PI * frequencyHz) / SAMPLE_RATE_HZ;
  const coefficient = 2 * Math.cos(turn);
  let [one, two] = [0, 0];
  for (const sample of samples) {
    const next = sample + coefficient * one - two;
    two = one;
    one = next;
  }
  const power = one * one + two * two - coefficient * one * two;
  return samples.length === 0 ? 0 : (2 * Math.sqrt(Math.max(0, power))) / samples.length;
}

export interface ToneFacts {
  /** Amplitude of the tone in the loudest block, in dB of full scale. */
  readonly levelDb: number;
  /** How long the tone was within 1 dB of that, in ms. */
  readonly steadyMs: number;
  /** Everything but the tone in those blocks, in dB relative to the tone. */
  readonly restDb: number;
}

/** One channel of interleaved stereo. */
export function channelOf(interleaved: Float32Array, channel: 0 | 1): Float32Array {
  return interleaved.filter((_, index) => index % 2 === channel);
}

/** Finds a tone: its level, how long it lasted and how clean it is. */
export function findTone(samples: Float32Array, frequencyHz: number, blockMs = 20): ToneFacts {
  const blockFrames = (SAMPLE_RATE_HZ * blockMs) / 1000;
  const blocks: { amplitude: number; rest: number }[] = [];
  for (let at = 0; at + blockFrames <= samples.length; at += blockFrames) {
    const block = samples.subarray(at, at + blockFrames);
    const amplitude = toneAmplitude(block, frequencyHz);
    const power = block.reduce((sum, sample) => sum + sample * sample, 0) / blockFrames;
    blocks.push({ amplitude, rest: Math.max(0, power - (amplitude * amplitude) / 2) });
  }
  const loudest = blocks.reduce((top, { amplitude }) => Math.max(top, amplitude), 0);
  const steady = blocks.filter(({ amplitude }) => decibels(amplitude / loudest) > -1);
  const rest = steady.reduce((sum, block) => sum + block.rest, 0) / Math.max(1, steady.length);
  return {
    levelDb: decibels(loudest),
    steadyMs: loudest === 0 ? 0 : steady.length * blockMs,
    restDb: decibels(Math.sqrt(2 * rest) / loudest),
  };
}

function decibels(ratio: number): number {
  return 20 * Math.log10(ratio);
}
