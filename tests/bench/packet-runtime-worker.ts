/** The packet worker on a machine without libcrypto: the same loop, sealing with the runtime's AES. */
import { monotonicNs, prepareMediaThread, sleepUntilNs } from '../../ffi/libc-time.ts';
import { pin } from '../../ffi/pins.ts';
import { bindParityKernel } from '../../src/fec/parity-kernel.ts';
import { openDatagramSender } from '../../src/net/datagram-sender.ts';
import { GameStreamVideoPacketizer } from '../../src/packet/gamestream-video.ts';
import { RuntimeVideoSealer } from '../../src/packet/gamestream-video-seal.ts';
import { FrameRingReader } from '../../src/pipeline/frame-ring.ts';
import type { StartPackets, WorkerReport } from '../../src/pipeline/messages.ts';
import { runPacketLoop } from '../../src/pipeline/packet-loop.ts';
import { loadParityModule } from '../../src/pipeline/parity-module.ts';
import { StreamControl } from '../../src/pipeline/stream-control.ts';
import { blockSlotsOf, parityTablesOffsetOf } from '../../src/pipeline/stream-memory.ts';

declare const self: Worker;
const report = (message: WorkerReport): void => self.postMessage(message);

self.onmessage = ({ data: order }: MessageEvent<StartPackets>) => {
  prepareMediaThread('pf-packet');
  const { format, memory, socketFd, segmentationOffload } = order;
  pin(memory);
  const slots = blockSlotsOf(memory, format);
  const kernel = bindParityKernel(loadParityModule(), memory, parityTablesOffsetOf(format));
  const sealer = new RuntimeVideoSealer(format.key, slots);
  const packetizer = new GameStreamVideoPacketizer(format, slots, kernel, sealer);
  const sender = openDatagramSender(socketFd, slots, segmentationOffload);
  report({ kind: 'ready' });
  runPacketLoop(
    order,
    { packetizer, sender, nowNs: monotonicNs, sleepUntilNs, report },
    new StreamControl(order.control),
    new FrameRingReader(order.ring),
  );
  sender.close();
  report({ kind: 'stopped' });
};
