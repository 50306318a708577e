/** Worker of workers.test.ts: encodes until told otherwise and reports what it made. */
import { encoderRungByName } from '../../src/encode/ladder.ts';
import { parametersFor, testCardPictures } from './moving-pictures.ts';

declare const self: Worker;

export interface EncodeOrder {
  readonly rung: string;
  readonly pictures: number;
  /** Leave the encoder open, for a worker that is terminated. */
  readonly keepsOpen: boolean;
}

export const WIDTH = 320;
export const HEIGHT = 192;

if (!Bun.isMainThread) {
  self.onmessage = ({ data: order }: MessageEvent<EncodeOrder>) => encode(order);
}

function encode(order: EncodeOrder): void {
  const rung = encoderRungByName(order.rung);
  if (!rung) throw new Error(`no rung ${order.rung}`);
  const encoder = rung.open(parametersFor({ width: WIDTH, height: HEIGHT, bitrateKbps: 6000 }));
  const picture = testCardPictures(WIDTH, HEIGHT);
  const units: Uint8Array[] = [];
  for (let id = 0; id < order.pictures; id += 1) {
    encoder.submit(picture(id), id, { idr: id % 25 === 0 });
    const chunk = encoder.poll();
    if (chunk) units.push(chunk.data.slice());
  }
  if (!order.keepsOpen) encoder.close();
  Bun.gc(true);
  self.postMessage(units);
}
