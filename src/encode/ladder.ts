/**
 * The ladder of encoder rungs: best first, each really tried, and the reason why a better one is
 * not used kept for the start-up lines and status.
 */
import { availableParallelism } from 'node:os';
import type { VideoCodec } from '../session/mode.ts';
import { addonX264Rung } from './addon-x264.ts';
import type { EncoderRung } from './port.ts';
import { x264Rung } from './x264.ts';

/** Values of the setting `encoder`. */
export const ENCODER_CHOICES = ['auto', 'x264', 'addon-x264'] as const;
export type EncoderChoice = (typeof ENCODER_CHOICES)[number];

/** Other names that users know for the same thing; all mean the best software rung. */
const ALIASES: ReadonlyMap<string, EncoderChoice> = new Map([
  ['sw', 'auto'],
  ['software', 'auto'],
  ['libx264', 'x264'],
  ['addon', 'addon-x264'],
]);

/** A rung that was passed over. */
export interface MissingRung {
  readonly rung: string;
  readonly missing: string;
  /** What the user can do about it. */
  readonly remedy: string;
}

export interface EncoderLadder {
  /** The rung taken; null when none of the wanted ones works. */
  readonly rung: EncoderRung | null;
  /** One line for logs and status. */
  readonly detail: string;
  /** Why nothing can be encoded, with what helps; null while a rung works. */
  readonly problem: string | null;
  /** Better rungs and why they are not used, best first. */
  readonly betterRungs: readonly MissingRung[];
  /** Codecs to announce to devices: exactly what the rung encodes. */
  readonly codecs: readonly VideoCodec[];
}

const GPU_RUNG: MissingRung = {
  rung: 'gpu',
  missing: 'GPU encoding is not part of this version',
  remedy: 'nothing to install: the software encoder is used',
};

/** The rungs of this build, best first. */
export function encoderRungs(cores = availableParallelism()): readonly EncoderRung[] {
  return [x264Rung(cores), addonX264Rung(cores)];
}

/** Reads the setting `encoder`; null when the text names no encoder of this version. */
export function parseEncoderChoice(text: string): EncoderChoice | null {
  const word = text.trim().toLowerCase();
  return ENCODER_CHOICES.find((choice) => choice === word) ?? ALIASES.get(word) ?? null;
}

/**
 * Probes from the best rung down and stops at the first that works; a choice other than `auto`
 * tries only that rung. Blocks while rungs are tried: some milliseconds each, the embedded one half
 * a second the first time in a process.
 */
export function climbEncoderLadder(
  choice: EncoderChoice,
  rungs: readonly EncoderRung[] = encoderRungs(),
): EncoderLadder {
  const betterRungs: MissingRung[] = [GPU_RUNG];
  const failed: MissingRung[] = [];
  for (const rung of rungs) {
    if (choice !== 'auto' && rung.name !== choice) {
      betterRungs.push(notWanted(rung.name, choice));
      continue;
    }
    const result = rung.probe();
    if (result.available) {
      const detail = `${rung.name}: ${result.detail}`;
      return { rung, detail, problem: null, betterRungs, codecs: rung.codecs };
    }
    const { missing, remedy } = result;
    failed.push({ rung: rung.name, missing, remedy });
    betterRungs.push({ rung: rung.name, missing, remedy });
  }
  const remedy = failed[0]?.remedy ?? 'use a build with an encoder';
  const problem = `no video encoder works (${remedy})`;
  return { rung: null, detail: 'no video encoder works', problem, betterRungs, codecs: [] };
}

/** The rung of that name, for a worker that was told which one to open. */
export function encoderRungByName(name: string): EncoderRung | null {
  return encoderRungs().find((rung) => rung.name === name) ?? null;
}

function notWanted(rung: string, choice: EncoderChoice): MissingRung {
  return {
    rung,
    missing: `the setting encoder is ${choice}`,
    remedy: 'set encoder to auto to try it',
  };
}
