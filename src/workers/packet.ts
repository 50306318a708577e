/** Packet worker: one per stream. Waits for its order, then runs the loop until `stop`. */
import { monotonicNs, prepareMediaThread, sleepUntilNs } from '../../ffi/libc-time.ts';
import { pin, unpin } from '../../ffi/pins.ts';
import { bindParityKernel } from '../fec/parity-kernel.ts';
import { openDatagramSender } from '../net/datagram-sender.ts';
import { GameStreamVideoPacketizer } from '../packet/gamestream-video.ts';
import { FrameRingReader } from '../pipeline/frame-ring.ts';
import { makeHousekeeper } from '../pipeline/housekeeper.ts';
import type { StartPackets, WorkerReport } from '../pipeline/messages.ts';
import { runPacketLoop } from '../pipeline/packet-loop.ts';
import { loadParityModule } from '../pipeline/parity-module.ts';
import { StreamControl } from '../pipeline/stream-control.ts';
import { blockSlotsOf, parityTablesOffsetOf } from '../pipeline/stream-memory.ts';
import { openVideoSealer } from '../pipeline/video-sealer.ts';

declare const self: Worker;
const report = (message: WorkerReport): void => self.postMessage(message);

function run(order: StartPackets): void {
  prepareMediaThread('pf-packet');
  const { format, memory, socketFd, segmentationOffload } = order;
  // KEEP: the kernel reads datagrams out of this memory until the loop ended.
  pin(memory);
  const slots = blockSlotsOf(memory, format);
  const kernel = bindParityKernel(loadParityModule(), memory, parityTablesOffsetOf(format));
  const opened = format.sealVideo ? openVideoSealer(format.key, slots) : null;
  const packetizer = new GameStreamVideoPacketizer(format, slots, kernel, opened?.sealer ?? null);
  const sender = openDatagramSender(socketFd, slots, segmentationOffload);
  if (opened) {
    const why = opened.reason ? ` (${opened.reason})` : '';
    report({ kind: 'fact', name: 'video sealing', value: `${opened.rung}${why}` });
  }
  report({ kind: 'ready' });
  try {
    runPacketLoop(
      order,
      {
        packetizer,
        sender,
        nowNs: monotonicNs,
        sleepUntilNs,
        report,
        housekeep: makeHousekeeper(monotonicNs, () => Bun.gc(true)),
      },
      new StreamControl(order.control),
      new FrameRingReader(order.ring),
    );
  } finally {
    sender.close();
    opened?.close();
    unpin(memory);
  }
}

self.onmessage = ({ data }: MessageEvent<StartPackets>) => {
  try {
    run(data);
  } catch (error) {
    report({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
  }
  report({ kind: 'stopped' });
};
