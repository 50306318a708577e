/** The PipeWire binding against a real daemon: objects, metadata, and sound through two streams. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { PipewireLoop, PW_ID_ANY, pipewireLibraryVersion } from '../../ffi/libpipewire.ts';
import { pinnedCount } from '../../ffi/pins.ts';
import {
  CHANNEL_LAYOUTS,
  encodeAudioOffer,
  readAudioFormat,
} from '../../src/desktop/pipewire/audio-format.ts';
import { encodeBuffers, MEMORY_KINDS } from '../../src/desktop/pipewire/buffer-params.ts';
import { decodePod } from '../../src/desktop/pipewire/pod-decode.ts';
import { type DesktopSession, sessionSkipReason, startSession } from './harness-session.ts';

setDefaultTimeout(30_000);

const skipReason = sessionSkipReason(['pipewire', 'wireplumber', 'pw-cli']);
if (skipReason) console.log(`skipped: a real PipeWire daemon: ${skipReason}`);

const TIMEOUT_MS = 20_000;
const RATE_HZ = 48_000;
const SINK = {
  'factory.name': 'support.null-audio-sink',
  'node.name': 'punktfunk-test-sink',
  'media.class': 'Audio/Sink',
  'audio.position': '[ FL FR ]',
  'monitor.channel-volumes': true,
} as const;

/** How often a sound turns from below zero to above. */
function risesOf(sound: readonly number[]): number {
  return sound.filter((value, i) => i > 0 && value >= 0 && (sound[i - 1] ?? 0) < 0).length;
}

describe.skipIf(skipReason !== null)('a PipeWire connection', () => {
  let session: DesktopSession;
  beforeAll(async () => {
    session = await startSession({ pipewire: true });
  }, TIMEOUT_MS);
  afterAll(() => session?.stop());

  test('tells the version of the library', () => {
    expect(pipewireLibraryVersion()).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test('to a directory without a daemon is refused in words, whatever the environment says', () => {
    const before = pinnedCount();

    expect(() => PipewireLoop.open('/nonexistent')).toThrow(
      'no daemon at /nonexistent/pipewire-0: daemon is not running',
    );
    expect(pinnedCount()).toBe(before);
  });

  test('sees objects come and go', () => {
    const watcher = PipewireLoop.open(session.runtimeDir);
    const maker = PipewireLoop.open(session.runtimeDir);
    const added: string[] = [];
    const removed: number[] = [];
    const stop = watcher.registry(
      ({ props }) => added.push(props['node.name'] ?? ''),
      (id) => removed.push(id),
    );
    expect(added).toContain('Dummy-Driver');

    const node = maker.createNode('adapter', { ...SINK });
    expect(node.globalId).not.toBe(PW_ID_ANY);
    watcher.sync();
    expect(added).toContain(SINK['node.name']);
    expect(watcher.findNode(SINK['node.name'])?.id).toBe(node.globalId);

    const id = node.globalId;
    node.dispose();
    maker.sync();
    watcher.sync();
    expect(removed).toContain(id);
    stop();
    maker.close();
    watcher.close();
  });

  test('destroys a node that somebody else left lingering', () => {
    const first = PipewireLoop.open(session.runtimeDir);
    first.createNode('adapter', { ...SINK, 'object.linger': true });
    first.close();
    const second = PipewireLoop.open(session.runtimeDir);
    const left = second.findNode(SINK['node.name']);

    if (left) second.destroyGlobal(left.id);

    expect(left).not.toBeNull();
    expect(second.findNode(SINK['node.name'])).toBeNull();
    second.close();
  });

  test('a factory that does not exist is refused with the words of the daemon', () => {
    const loop = PipewireLoop.open(session.runtimeDir);

    expect(() => loop.createNode('no-such-factory', {})).toThrow('unknown factory name');

    loop.close();
  });

  test('moves the default sink through metadata and puts it back', () => {
    const loop = PipewireLoop.open(session.runtimeDir);
    const node = loop.createNode('adapter', { ...SINK });
    const key = 'default.configured.audio.sink';
    const value = JSON.stringify({ name: SINK['node.name'] });

    expect(loop.metadataSet('default', 0, key, 'Spa:String:JSON', value)).toBe(true);
    expect(loop.metadataGet('default', 0, key)).toBe(value);
    expect(loop.metadataSet('default', 0, key, null, null)).toBe(true);
    expect(loop.metadataGet('default', 0, key)).toBeNull();
    expect(loop.openMetadata('no-such-store')).toBeNull();

    node.dispose();
    loop.close();
  });

  test(
    'a tone played by one stream is recorded by another with its level',
    () => {
      const loop = PipewireLoop.open(session.runtimeDir);
      const sink = loop.createNode('adapter', { ...SINK });
      let framesPlayed = 0;
      const heard: number[] = [];
      const player = loop.openStream({
        name: 'player',
        direction: 'output',
        props: { 'media.type': 'Audio', 'target.object': SINK['node.name'] },
        params: [encodeAudioOffer(RATE_HZ, CHANNEL_LAYOUTS[2])],
        onFormat: (pod) => {
          if (!pod) return;
          player.updateParams([
            encodeBuffers({
              count: { wanted: 4, min: 2, max: 8 },
              memoryKinds: MEMORY_KINDS.memFd | MEMORY_KINDS.memPtr,
              sizeBytes: { wanted: 8192, min: 1024, max: 65_536 },
              strideBytes: 8,
            }),
          ]);
        },
      });
      // Without RT_PROCESS the library asks only once it has run dry, so the player fills ahead.
      const fill = () => {
        for (let buffer = player.dequeue(); buffer; buffer = player.dequeue()) {
          const bytes = buffer.planes[0]?.bytes;
          if (!bytes) throw new Error('no memory to play into');
          const frames = Math.floor(bytes.length / 8);
          const samples = new Float32Array(bytes.buffer, bytes.byteOffset, frames * 2);
          for (let i = 0; i < frames; i++) {
            const value = 0.5 * Math.sin((framesPlayed * 2 * Math.PI * 1000) / RATE_HZ);
            samples.fill(value, 2 * i, 2 * i + 2);
            framesPlayed += 1;
          }
          buffer.setChunk(0, 0, frames * 8, 8);
          player.queue(buffer);
        }
      };
      let recordedFormat: unknown = null;
      const recorder = loop.openStream({
        name: 'recorder',
        direction: 'input',
        props: {
          'media.type': 'Audio',
          'stream.capture.sink': true,
          'target.object': SINK['node.name'],
        },
        params: [encodeAudioOffer(RATE_HZ, CHANNEL_LAYOUTS[2])],
        onFormat: (pod) => {
          const decoded = pod && decodePod(pod);
          if (decoded?.ok) recordedFormat = readAudioFormat(decoded.pod);
        },
        onProcess: () => {
          for (let buffer = recorder.dequeue(); buffer; buffer = recorder.dequeue()) {
            const bytes = buffer.planes[0]?.bytes;
            const start = buffer.chunkOffsetBytes();
            const view = bytes?.subarray(start, start + buffer.chunkSizeBytes());
            if (view) heard.push(...new Float32Array(view.slice().buffer));
            recorder.queue(buffer);
          }
        },
      });

      const deadlineMs = performance.now() + 10_000;
      while (heard.length < 4 * RATE_HZ && performance.now() < deadlineMs) {
        loop.iterate(2);
        fill();
      }
      const settled = heard.slice(-RATE_HZ);
      const left = settled.filter((_, i) => i % 2 === 0);
      // A busy machine without real-time threads leaves gaps: windows of 50 ms without one count.
      const length = RATE_HZ / 20;
      const whole = Array.from({ length: left.length / length }, (_, i) =>
        left.slice(i * length, (i + 1) * length),
      ).filter((window) => Math.abs(risesOf(window) - 1000 / 20) <= 1);

      expect(recordedFormat).toEqual({ rateHz: RATE_HZ, channels: 2, positions: ['FL', 'FR'] });
      expect([player.state, recorder.state]).toEqual(['streaming', 'streaming']);
      expect(Math.max(...settled)).toBeCloseTo(0.5, 2);
      expect(whole.length).toBeGreaterThanOrEqual(2);
      recorder.dispose();
      recorder.dispose();
      expect(recorder.dequeue()).toBeNull();
      loop.iterate(50);
      sink.dispose();
      loop.close();
    },
    TIMEOUT_MS,
  );

  test('an exception of a callback comes out of iterate, and disposing inside one is refused', () => {
    const loop = PipewireLoop.open(session.runtimeDir);
    const refusals: string[] = [];
    const stream = loop.openStream({
      name: 'thrower',
      direction: 'input',
      props: { 'media.type': 'Audio', 'stream.capture.sink': true },
      params: [encodeAudioOffer(RATE_HZ, CHANNEL_LAYOUTS[2])],
      onState: (state) => {
        if (state !== 'paused') return;
        try {
          stream.dispose();
        } catch (error) {
          refusals.push((error as Error).message);
        }
        throw new Error('from the callback');
      },
    });

    const run = () => {
      for (let i = 0; i < 50; i++) loop.iterate(20);
    };

    expect(run).toThrow('from the callback');
    expect(refusals).toEqual(['pipewire: a stream cannot be disposed inside a callback']);
    stream.dispose();
    loop.close();
  });

  test('a hundred connections, streams and collections leave nothing pinned', () => {
    const before = pinnedCount();

    for (let i = 0; i < 100; i++) {
      const loop = PipewireLoop.open(session.runtimeDir);
      loop.globals();
      loop.openStream({
        name: 'short',
        direction: 'input',
        props: { 'media.type': 'Audio' },
        params: [encodeAudioOffer(RATE_HZ, CHANNEL_LAYOUTS[2])],
      });
      loop.iterate(0);
      if (i % 10 === 0) Bun.gc(true);
      loop.close();
      expect(() => loop.iterate(0)).toThrow('closed');
    }

    expect(pinnedCount()).toBe(before);
  });
});

describe.skipIf(skipReason !== null)('a PipeWire daemon that ends', () => {
  test('makes the connection fail with a cause and every wait return', async () => {
    const session = await startSession();
    const daemon = session.spawn(['pipewire']);
    await Bun.sleep(0);
    let loop: PipewireLoop | null = null;
    for (let i = 0; i < 200 && !loop; i++) {
      try {
        loop = PipewireLoop.open(session.runtimeDir);
      } catch {
        await Bun.sleep(20);
      }
    }
    if (!loop) throw new Error('pipewire did not start');
    expect(loop.sync()).toBe(true);

    daemon.kill('SIGKILL');
    await daemon.exited;
    const startedMs = performance.now();

    expect(loop.sync(3_000)).toBe(false);
    expect(loop.failure).toBe('the PipeWire daemon ended the connection');
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    loop.close();
    await session.stop();
  });
});
