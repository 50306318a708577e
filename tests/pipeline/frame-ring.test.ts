import { describe, expect, test } from 'bun:test';
import {
  FRAME_RING_HEAD_BYTES,
  FrameRingReader,
  FrameRingWriter,
} from '../../src/pipeline/frame-ring.ts';
import { StreamControl } from '../../src/pipeline/stream-control.ts';

function makeRing(slotBytes = 64) {
  const memory = new SharedArrayBuffer(1024 + FRAME_RING_HEAD_BYTES + slotBytes * 2);
  const layout = {
    memory,
    headOffsetBytes: 64,
    dataOffsetBytes: 64 + FRAME_RING_HEAD_BYTES,
    slotBytes,
  };
  return { memory, writer: new FrameRingWriter(layout), reader: new FrameRingReader(layout) };
}
const record = (frameIndex: number) => ({
  frameIndex,
  flags: 1,
  captureNs: 5e15 + 1,
  encodedNs: 7,
});

describe('frame ring', () => {
  test('frames come out in order with their record', () => {
    const { memory, writer, reader } = makeRing();
    for (let index = 1; index <= 100; index += 1) {
      expect(writer.push(new Uint8Array([index, 2, 3]), record(index))).toBe(true);
      expect(reader.wait(0)).toBe('frame');
      expect(reader.record).toEqual(record(index));
      expect(new Uint8Array(memory, reader.offsetBytes, reader.lengthBytes)[0]).toBe(index);
      reader.release();
    }
  });

  test('the third frame is refused until one is released, and nothing waits', () => {
    const { writer, reader } = makeRing();
    const unit = new Uint8Array(4);
    expect([1, 2, 3].map((index) => writer.push(unit, record(index)))).toEqual([true, true, false]);
    reader.wait(0);
    reader.release();
    expect(writer.push(unit, record(3))).toBe(true);
  });

  test('an access unit larger than a slot is refused', () => {
    const { writer } = makeRing();
    expect(writer.push(new Uint8Array(65), record(1))).toBe(false);
  });

  test('a closed ring gives its last frames and then says closed', () => {
    const { writer, reader } = makeRing();
    writer.push(new Uint8Array(4), record(1));
    writer.close();
    expect(reader.wait(0)).toBe('frame');
    reader.release();
    expect(reader.wait(1000)).toBe('closed');
  });
});

describe('stream control', () => {
  test('invalidation ranges written between two looks are merged', () => {
    const control = new StreamControl();
    control.requestInvalidation(10, 11);
    control.requestInvalidation(14, 20);
    const range = new Uint32Array(2);
    expect(control.takeInvalidations(0, range)).toBe(2);
    expect([...range]).toEqual([10, 20]);
    expect(control.takeInvalidations(2, range)).toBe(2);
  });

  test('more ranges than the ring holds ask for an IDR', () => {
    const control = new StreamControl();
    for (let index = 0; index < 17; index += 1) control.requestInvalidation(index, index);
    const range = new Uint32Array(2);
    control.takeInvalidations(0, range);
    expect([...range]).toEqual([1, 0]);
  });

  test('a worker reads the address main wrote', () => {
    const control = new StreamControl();
    control.setAddress('video', new Uint8Array([2, 0, 187, 126, 127, 0, 0, 1]));
    const worker = new StreamControl(control.buffer);
    expect([...worker.address('video')]).toEqual([2, 0, 187, 126, 127, 0, 0, 1]);
    expect(worker.get('videoAddressVersion')).toBe(1);
  });

  test('stage quantiles bound the recorded durations from above', () => {
    const control = new StreamControl();
    expect(control.stageQuantileUs('encode', 0.5)).toBeNull();
    for (let index = 0; index < 99; index += 1) control.recordStage(2, 1_000_000);
    control.recordStage(2, 50_000_000);
    expect(control.stageQuantileUs('encode', 0.5)).toBeGreaterThanOrEqual(1000);
    expect(control.stageQuantileUs('encode', 0.5)).toBeLessThan(1300);
    expect(control.stageQuantileUs('encode', 1)).toBeGreaterThanOrEqual(50_000);
  });
});
