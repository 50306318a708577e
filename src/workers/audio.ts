/** Audio worker: one per stream. Waits for its order, then runs the loop until `stop`. */
import { libc } from '../../ffi/libc.ts';
import { monotonicNs, prepareMediaThread, sleepUntilNs } from '../../ffi/libc-time.ts';
import { pin } from '../../ffi/pins.ts';
import { openAudioCapture } from '../audio/open-capture.ts';
import { createMultistreamEncoder } from '../audio/opus-encoder.ts';
import { bindParityKernel } from '../fec/parity-kernel.ts';
import { AUDIO_MEMORY_BYTES, AudioPacketizer } from '../packet/gamestream-audio.ts';
import { runAudioLoop } from '../pipeline/audio-loop.ts';
import { makeHousekeeper } from '../pipeline/housekeeper.ts';
import type { StartAudio, WorkerReport } from '../pipeline/messages.ts';
import { loadParityModule } from '../pipeline/parity-module.ts';
import { StreamControl } from '../pipeline/stream-control.ts';

declare const self: Worker;
const MSG_DONTWAIT = 0x40;
const PAGE_BYTES = 65536;
const report = (message: WorkerReport): void => self.postMessage(message);

async function run(order: StartAudio): Promise<void> {
  prepareMediaThread('pf-audio');
  const { plan, format, source, socketFd } = order;
  const encoder = await createMultistreamEncoder(plan);
  const pages = Math.ceil(AUDIO_MEMORY_BYTES / PAGE_BYTES);
  // KEEP: the kernel reads datagrams out of this memory while `sendto` runs.
  const memory = pin(new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }));
  const packetizer = new AudioPacketizer(
    bindParityKernel(loadParityModule(), memory, 0),
    memory.buffer,
    {
      durationMs: plan.packetDurationMs,
      sealing: format.sealAudio ? { key: format.key, keyId: format.keyId } : null,
    },
  );
  const { sendto } = libc();
  report({ kind: 'ready' });
  runAudioLoop(
    plan,
    {
      openCapture: () => openAudioCapture(source, plan.channels),
      encoder,
      packetizer,
      send: (datagram, sockaddr) =>
        sendto(socketFd, datagram, datagram.length, MSG_DONTWAIT, sockaddr, sockaddr.length) >= 0,
      nowNs: monotonicNs,
      sleepUntilNs,
      report: (fact) => report({ kind: 'fact', ...fact }),
      housekeep: makeHousekeeper(monotonicNs, () => Bun.gc(true)),
    },
    new StreamControl(order.control),
  );
  encoder.close();
}

self.onmessage = async ({ data }: MessageEvent<StartAudio>) => {
  try {
    await run(data);
  } catch (error) {
    report({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
  }
  report({ kind: 'stopped' });
};
