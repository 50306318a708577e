import { describe, expect, test } from 'bun:test';
import { climbEncoderLadder, encoderRungs, parseEncoderChoice } from '../../src/encode/ladder.ts';
import type { EncoderRung } from '../../src/encode/port.ts';
import { probeBySession } from '../../src/encode/probe-session.ts';

function scripted(name: string, problem?: string): EncoderRung & { probes: number } {
  return {
    name,
    isSoftware: true,
    codecs: ['h264'],
    probes: 0,
    probe() {
      this.probes += 1;
      return problem === undefined
        ? { available: true, detail: `${name} is fine` }
        : { available: false, missing: problem, remedy: `repair ${name}` };
    },
    open: () => {
      throw new Error('not opened here');
    },
  };
}

describe('encoder ladder', () => {
  test('the best rung that works is taken and lower ones are not tried', () => {
    const rungs = [scripted('x264'), scripted('addon-x264')];
    const ladder = climbEncoderLadder('auto', rungs);
    expect(ladder).toMatchObject({ detail: 'x264: x264 is fine', codecs: ['h264'] });
    expect(ladder.rung?.name).toBe('x264');
    expect(rungs.map(({ probes }) => probes)).toEqual([1, 0]);
  });

  test('why the better rungs are not used is kept, with the next step', () => {
    const rungs = [scripted('x264', 'no library'), scripted('addon-x264')];
    const ladder = climbEncoderLadder('auto', rungs);
    expect(ladder.rung?.name).toBe('addon-x264');
    expect(ladder.betterRungs).toEqual([
      {
        rung: 'gpu',
        missing: 'GPU encoding is not part of this version',
        remedy: 'nothing to install: the software encoder is used',
      },
      { rung: 'x264', missing: 'no library', remedy: 'repair x264' },
    ]);
  });

  test('a chosen rung that does not work is not replaced behind the user’s back', () => {
    const rungs = [scripted('x264'), scripted('addon-x264', 'not in this build (slim)')];
    const ladder = climbEncoderLadder('addon-x264', rungs);
    expect(ladder.rung).toBeNull();
    expect(ladder.codecs).toEqual([]);
    expect(ladder.detail).toBe('no video encoder works');
    expect(ladder.problem).toBe('no video encoder works (repair addon-x264)');
    expect(ladder.betterRungs).toContainEqual({
      rung: 'addon-x264',
      missing: 'not in this build (slim)',
      remedy: 'repair addon-x264',
    });
    expect(rungs[0]?.probes).toBe(0);
  });

  test.each([
    ['auto', 'auto'],
    [' Software ', 'auto'],
    ['libx264', 'x264'],
    ['addon', 'addon-x264'],
    ['nvenc', 'nothing'],
    ['', 'nothing'],
    ['constructor', 'nothing'],
  ] as const)('the setting "%s" means %s', (text, choice) => {
    expect(parseEncoderChoice(text) ?? 'nothing').toBe(choice);
  });

  test('the rungs of this build are ordered and offer H.264 only', () => {
    const rungs = encoderRungs(2);
    expect(rungs.map(({ name }) => name)).toEqual(['x264', 'addon-x264']);
    expect(rungs.every(({ codecs }) => codecs.join() === 'h264')).toBe(true);
  });

  test('a probe closes what it opened and reports a failure as a sentence', () => {
    let closed = 0;
    const open = () =>
      ({
        submit() {
          throw new Error('the picture was refused');
        },
        close() {
          closed += 1;
        },
      }) as never;
    const result = probeBySession(open, () => 'fine', 'do this');
    expect(result).toEqual({
      available: false,
      missing: 'the picture was refused',
      remedy: 'do this',
    });
    expect(closed).toBe(1);
  });
});
