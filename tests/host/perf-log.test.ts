import { describe, expect, test } from 'bun:test';
import { perfFields } from '../../src/host/perf-log.ts';
import { StreamControl } from '../../src/pipeline/stream-control.ts';

describe('the performance line', () => {
  test('shows what was counted since the last one, and stages that were measured', () => {
    const control = new StreamControl();
    control.add('framesSent', 60);
    control.recordStage(5, 1_000_000);
    const first = perfFields(control, {});
    control.add('framesSent', 59);
    const second = perfFields(control, first.counts);

    expect(first.fields).toMatchObject({ framesSent: 60, packetsSent: 0, sendUs: '1024/1024' });
    expect(second.fields).toMatchObject({ framesSent: 59 });
    expect(Object.keys(second.fields)).not.toContain('captureUs');
  });
});
