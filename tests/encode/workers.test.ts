import { describe, expect, test } from 'bun:test';
import { readCounter } from '../../src/capture/card-counter.ts';
import { encoderRungs } from '../../src/encode/ladder.ts';
import { decodeLuma, ffmpegPath, NO_FFMPEG } from './decoding.ts';
import { type EncodeOrder, HEIGHT, WIDTH } from './encode-worker.ts';

async function encodeInWorker(order: EncodeOrder): Promise<Uint8Array[]> {
  const worker = new Worker(new URL('./encode-worker.ts', import.meta.url).href);
  const closed = new Promise((resolve) => worker.addEventListener('close', resolve));
  try {
    return await new Promise<Uint8Array[]>((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<Uint8Array[]>) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.postMessage(order);
    });
  } finally {
    worker.terminate();
    await closed;
  }
}

for (const { name, probe } of encoderRungs(2)) {
  const probed = probe();
  const reason = probed.available ? '' : ` (skipped: ${probed.missing})`;

  describe(`workers with ${name}${reason}`, () => {
    test.skipIf(!probed.available || !ffmpegPath)(
      `two encoders in two workers at once each give a whole stream${NO_FFMPEG}`,
      async () => {
        const order = { rung: name, pictures: 60, keepsOpen: false };
        const streams = await Promise.all([encodeInWorker(order), encodeInWorker(order)]);
        for (const units of streams) {
          const counters = decodeLuma(units, WIDTH, HEIGHT).map((luma) => readCounter(luma, WIDTH));
          expect(counters).toEqual(Array.from({ length: 60 }, (_, id) => id));
        }
      },
    );

    test.skipIf(!probed.available)(
      'workers terminated with an open encoder leave a sound process behind',
      async () => {
        for (let round = 0; round < 6; round += 1) {
          const order = { rung: name, pictures: 10, keepsOpen: true };
          expect(await encodeInWorker(order)).toHaveLength(10);
          Bun.gc(true);
        }
        const last = await encodeInWorker({ rung: name, pictures: 10, keepsOpen: false });
        expect(last).toHaveLength(10);
      },
    );
  });
}
