import { describe, expect, test } from 'bun:test';
import { StreamControl } from '../../src/pipeline/stream-control.ts';

describe('stage durations', () => {
  test('are absent until counted, and absent again when cleared', () => {
    const control = new StreamControl();
    expect(control.stageQuantileUs('send', 0.5)).toBeNull();

    control.recordStage(5, 1_000_000);
    expect(control.stageQuantileUs('send', 0.5)).toBeWithin(1000, 1200);

    control.clearStages();
    expect(control.stageQuantileUs('send', 0.5)).toBeNull();
  });
});
