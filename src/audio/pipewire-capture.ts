/**
 * Captures the monitor of a PipeWire sink: a stream on this thread's own connection fills a small
 * ring, the audio loop takes fixed blocks from it. Runs inside the audio worker.
 */
import { PipewireLoop, type PipewireStream } from '../../ffi/libpipewire.ts';
import { CHANNEL_LAYOUTS, encodeAudioOffer } from '../desktop/pipewire/audio-format.ts';
import { encodeBuffers, MEMORY_KINDS } from '../desktop/pipewire/buffer-params.ts';
import { type AudioCapture, type AudioSource, SAMPLE_RATE_HZ } from './port.ts';
import { SampleRing } from './sample-ring.ts';

/**
 * What may wait in the ring before the oldest samples are dropped: two portions of the largest
 * quantum that desktops use (2048 frames). The audio loop does not let them wait.
 */
const RING_MS = 90;
/**
 * PipeWire's quantum: about one Opus packet. It rounds down to a power of two, and half of this
 * would only mean twice as many chances to be late on a busy machine.
 */
const QUANTUM_FRAMES = 256;
/**
 * Portions that PipeWire keeps for this thread while it encodes, sends or is not scheduled; what
 * comes when they are full is lost. PipeWire takes the least that is allowed, by itself one or two.
 */
const PORTIONS = { wanted: 16, min: 16, max: 32 } as const;
/** Frames of one portion: PipeWire's largest quantum, and what it may settle for. */
const PORTION_FRAMES = { wanted: 8192, min: 64, max: 65_536 } as const;
const SAMPLE_BYTES = 4;

/** Throws with the reason when PipeWire is absent. */
export function openPipewireCapture(source: AudioSource & { kind: 'pipewire' }): AudioCapture {
  const loop = PipewireLoop.open(source.runtimeDir);
  try {
    return new PipewireCapture(loop, source);
  } catch (error) {
    loop.close();
    throw error;
  }
}

class PipewireCapture implements AudioCapture {
  readonly description: string;
  readonly channels: number;
  readonly #loop: PipewireLoop;
  readonly #stream: PipewireStream;
  readonly #ring: SampleRing;
  #lost: string | null = null;

  constructor(loop: PipewireLoop, source: AudioSource & { kind: 'pipewire' }) {
    this.description = `PipeWire monitor of ${source.sinkName} (${source.channels} channels)`;
    this.channels = source.channels;
    this.#loop = loop;
    this.#ring = new SampleRing(((SAMPLE_RATE_HZ * RING_MS) / 1000) * source.channels);
    this.#stream = loop.openStream({
      name: 'punktfunk-sound',
      direction: 'input',
      props: {
        'media.type': 'Audio',
        'media.category': 'Capture',
        'media.role': 'Music',
        'node.name': 'punktfunk-sound',
        'node.latency': `${QUANTUM_FRAMES}/${SAMPLE_RATE_HZ}`,
        'stream.capture.sink': 'true',
        'target.object': source.sinkName,
        'node.dont-reconnect': 'true',
      },
      params: [encodeAudioOffer(SAMPLE_RATE_HZ, CHANNEL_LAYOUTS[source.channels])],
      onFormat: (pod) => {
        if (pod) this.#stream.updateParams([bufferWish(source.channels)]);
      },
      onProcess: () => this.#drain(),
      onState: (state, error) => {
        if (state === 'error') this.#lost ??= `PipeWire ended the stream: ${error}`;
        if (state === 'unconnected') this.#lost ??= 'PipeWire disconnected the stream';
      },
    });
  }

  read(into: Float32Array, timeoutMs: number): boolean {
    const deadlineMs = performance.now() + timeoutMs;
    // PipeWire is always heard, also when there is sound already or no time to wait.
    this.#loop.iterate(0);
    while (!this.#ring.take(into)) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0 || this.lost() !== null) return false;
      this.#loop.iterate(Math.ceil(leftMs));
    }
    return true;
  }

  lost(): string | null {
    return this.#lost ?? this.#loop.failure;
  }

  close(): void {
    this.#stream.dispose();
    this.#loop.close();
  }

  #drain(): void {
    for (let buffer = this.#stream.dequeue(); buffer; buffer = this.#stream.dequeue()) {
      const bytes = buffer.planes[0]?.bytes;
      const offset = buffer.chunkOffsetBytes();
      const size = Math.min(buffer.chunkSizeBytes(), (bytes?.length ?? 0) - offset);
      if (bytes && size > 0 && !buffer.isCorrupted()) {
        this.#ring.put(new Float32Array(bytes.buffer, bytes.byteOffset + offset, size >> 2));
      }
      this.#stream.queue(buffer);
    }
  }
}

function bufferWish(channels: number): Uint8Array {
  const strideBytes = channels * SAMPLE_BYTES;
  return encodeBuffers({
    count: PORTIONS,
    memoryKinds: MEMORY_KINDS.memPtr | MEMORY_KINDS.memFd,
    sizeBytes: {
      wanted: PORTION_FRAMES.wanted * strideBytes,
      min: PORTION_FRAMES.min * strideBytes,
      max: PORTION_FRAMES.max * strideBytes,
    },
    strideBytes,
  });
}
