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

describe('counters', () => {
  test('go on where 32 bits end', () => {
    const control = new StreamControl();
    control.set('packetsSent', -3);
    expect(control.count('packetsSent')).toBe(2 ** 32 - 3);

    control.add('packetsSent', 2);
    expect(control.count('packetsSent')).toBe(2 ** 32 - 1);
    control.add('packetsSent', 200);

    expect(control.count('packetsSent')).toBe(2 ** 32 + 199);
    expect(control.count('framesSent')).toBe(0);
    control.set('framesSent', 0x7fffffff);
    control.add('framesSent');
    expect(control.count('framesSent')).toBe(2 ** 31);
  });
});

describe('destinations', () => {
  test('each plane has its own, and the latest one counts', () => {
    const control = new StreamControl();
    expect(control.get('videoAddressVersion')).toBe(0);
    for (let port = 1; port <= 9; port += 1) control.setAddress('video', Uint8Array.of(2, port));
    control.setAddress('audio', Uint8Array.of(2, 77, 0));

    expect([...control.address('video')]).toEqual([2, 9]);
    expect([...control.address('audio')]).toEqual([2, 77, 0]);
    expect(control.get('videoAddressVersion')).toBe(9);
  });

  test('one that is being copied is not touched by the next', () => {
    const main = new StreamControl();
    const worker = new StreamControl(main.buffer);
    main.setAddress('video', Uint8Array.of(1, 1, 1, 1));
    const bytesBefore = new Uint8Array(main.buffer).slice();
    main.setAddress('video', Uint8Array.of(2, 2, 2, 2));

    const bytes = new Uint8Array(main.buffer);
    const place = bytesBefore.findIndex(
      (_, at) => bytesBefore.subarray(at, at + 4).join() === '1,1,1,1',
    );
    expect(bytes.subarray(place, place + 4).join()).toBe('1,1,1,1');
    expect([...worker.address('video')]).toEqual([2, 2, 2, 2]);
  });

  test('a longer address than any is cut, not written over its neighbour', () => {
    const control = new StreamControl();
    control.setAddress('audio', Uint8Array.of(5));
    control.setAddress('video', new Uint8Array(100).fill(9));

    expect(control.address('video').length).toBe(31);
    expect([...control.address('audio')]).toEqual([5]);
  });
});

describe('lost ranges', () => {
  const take = (control: StreamControl, seen: number): [number, number, number] => {
    const into = new Uint32Array(2);
    const next = control.takeInvalidations(seen, into);
    return [next, into[0] ?? 0, into[1] ?? 0];
  };

  test('are merged until they are taken', () => {
    const control = new StreamControl();
    expect(take(control, 0)[0]).toBe(0);
    control.requestInvalidation(40, 44);
    control.requestInvalidation(30, 31);

    expect(take(control, 0)).toEqual([2, 30, 44]);
    expect(take(control, 2)[0]).toBe(2);
  });

  test('that were overwritten unread can only be answered by an IDR', () => {
    const control = new StreamControl();
    for (let index = 0; index < 17; index += 1) control.requestInvalidation(index, index);

    expect(take(control, 0)).toEqual([17, 1, 0]);
    expect(take(control, 1)).toEqual([17, 1, 16]);
  });

  test('are found where the count wraps', () => {
    const control = new StreamControl();
    control.set('invalidations', 0x7fffffff);
    control.requestInvalidation(7, 8);
    control.requestInvalidation(9, 10);

    expect(take(control, 0x7fffffff)).toEqual([-0x7fffffff, 7, 10]);
  });
});
