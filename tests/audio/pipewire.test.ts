/** Our sink and its capture on a real PipeWire with WirePlumber. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { openAudioCapture } from '../../src/audio/open-capture.ts';
import { createMultistreamEncoder } from '../../src/audio/opus-encoder.ts';
import { openPipewireCapture } from '../../src/audio/pipewire-capture.ts';
import type { AudioCapture } from '../../src/audio/port.ts';
import {
  AUDIO_DEFAULT_KIND,
  currentDefaultSink,
  undoAudioDefault,
  VirtualSink,
} from '../../src/audio/virtual-sink.ts';
import { probeSound } from '../../src/host/capabilities.ts';
import { openStreamSound } from '../../src/host/stream-sound.ts';
import { RestoreJournal } from '../../src/platform/journal.ts';
import { waitUntil } from '../desktop/harness-session.ts';
import { amplitude, openOpusDecoder, opusSkipReason } from './opus-decoder.ts';
import { SoundDesktop, soundSkipReason } from './sound-desktop.ts';

const skipReason = soundSkipReason();
if (skipReason) console.log(`skipped: sound on PipeWire: ${skipReason}`);
const opusReason = opusSkipReason();

const SINK = 'punktfunk-test';
const UNDO = { [AUDIO_DEFAULT_KIND]: undoAudioDefault };
const PEAK = 0.25;
const PACKET_MS = 5;
const TIMEOUT_MS = 30_000;
const SHAPES = [
  { channels: 2, streams: 1, coupledStreams: 1, bitrateBps: 512_000, packetDurationMs: PACKET_MS },
  {
    channels: 6,
    streams: 6,
    coupledStreams: 0,
    bitrateBps: 1_536_000,
    packetDurationMs: PACKET_MS,
  },
  {
    channels: 8,
    streams: 8,
    coupledStreams: 0,
    bitrateBps: 2_048_000,
    packetDurationMs: PACKET_MS,
  },
] as const;

/** Tone of channel n; the first is the 1 kHz that everybody uses. All below the LFE's reach. */
const toneHz = (channel: number): number => 1000 + channel * 200;

/**
 * Levels of a tone in windows of 50 ms, rising. A busy machine without real-time threads leaves gaps:
 * a window with one has less of its own tone and some of every other.
 */
function levels(sound: Float32Array, channels: number, channel: number, hz: number): number[] {
  const length = 2400 * channels;
  const found: number[] = [];
  for (let at = 0; at + length <= sound.length; at += length) {
    found.push(amplitude(sound.subarray(at, at + length), channels, channel, hz));
  }
  return found.sort((a, b) => a - b);
}

/** The second best window of eight or more, for a tone that should be there and one that should not. */
const ownLevel = (...of: Parameters<typeof levels>): number => levels(...of).at(-2) ?? 0;
const strangeLevel = (...of: Parameters<typeof levels>): number => levels(...of)[1] ?? 1;

describe.skipIf(skipReason !== null)('sound on PipeWire', () => {
  let desktop: SoundDesktop;
  let journal: RestoreJournal;
  const open: { close(): void }[] = [];
  const journalPath = (): string => join(desktop.runtimeDir, 'journal.json');

  beforeAll(async () => {
    desktop = await SoundDesktop.start();
    await desktop.addSink('speakers');
    await desktop.addSink('headset');
  });
  afterAll(() => desktop?.stop());
  afterEach(() => {
    for (const part of open.splice(0).reverse()) part.close();
    rmSync(journalPath(), { force: true });
  });

  function openSink(channels: 2 | 6 | 8, told: string[] = []): VirtualSink {
    journal = new RestoreJournal(journalPath());
    const sink = VirtualSink.open({
      runtimeDir: desktop.runtimeDir,
      nodeName: SINK,
      channels,
      journal,
      onLost: () => told.push('lost'),
      onBack: () => told.push('back'),
    });
    open.push({ close: () => sink.close() });
    return sink;
  }

  function openCapture(channels: 2 | 6 | 8): AudioCapture {
    const { runtimeDir } = desktop;
    const capture = openPipewireCapture({ kind: 'pipewire', runtimeDir, sinkName: SINK, channels });
    open.push(capture);
    return capture;
  }

  /** The next `ms` milliseconds of sound; throws when one packet is missing. */
  function record(capture: AudioCapture, ms: number): Float32Array {
    const block = new Float32Array(48 * PACKET_MS * capture.channels);
    const recorded = new Float32Array((ms / PACKET_MS) * block.length);
    for (let at = 0; at < recorded.length; at += block.length) {
      // A stream that was just opened is linked in its own time.
      const waitMs = at === 0 ? 5_000 : 200;
      if (!capture.read(block, waitMs)) throw new Error(`no sound: ${capture.lost()}`);
      recorded.set(block, at);
    }
    return recorded;
  }

  /** Waits until a tone is heard in every channel. */
  function skipToTone(capture: AudioCapture): void {
    const { channels } = capture;
    const isHeard = (sound: Float32Array): boolean =>
      Array.from({ length: channels }, (_, channel) => channel).every(
        (channel) => amplitude(sound, channels, channel, toneHz(channel)) > PEAK / 2,
      );
    for (let tries = 0; tries < 100; tries += 1) if (isHeard(record(capture, 50))) return;
    throw new Error('the tone was not heard in 5 s');
  }

  test('the probe finds it, and finds nothing in another folder', () => {
    expect(probeSound(desktop.runtimeDir)).toMatchObject({ available: true });
    expect(probeSound(`${desktop.runtimeDir}/home`)).toMatchObject({ available: false });
    expect(probeSound(null)).toMatchObject({ available: false });
  });

  test.each([2, 6, 8] as const)(
    'a sink of %d channels becomes the default; closing gives back what the user chose',
    async (channels) => {
      await desktop.choose('headset');
      const sink = openSink(channels);
      expect(journal.pending()).toMatchObject([
        { step: { detail: { nodeName: SINK, previous: '{"name":"headset"}' } } },
      ]);
      await waitUntil(async () => (await desktop.currentSink()) === SINK, 'our sink plays', 50);

      sink.close();

      await waitUntil(async () => (await desktop.currentSink()) === 'headset', 'headset', 50);
      expect(await desktop.configuredSink()).toBe('headset');
      expect(await desktop.hasNode(SINK)).toBe(false);
      expect(journal.pending()).toEqual([]);
    },
  );

  test('a user who chose nothing has chosen nothing afterwards', async () => {
    await desktop.session.run(['pw-metadata', '-d', '0', 'default.configured.audio.sink']);
    const before = await desktop.currentSink();
    openSink(2).close();

    expect(await desktop.configuredSink()).toBeNull();
    await waitUntil(async () => (await desktop.currentSink()) === before, `${before}`, 50);
  });

  test('a choice that the user makes meanwhile is kept', async () => {
    await desktop.choose('headset');
    const sink = openSink(2);
    await desktop.choose('speakers');

    sink.close();

    expect(await desktop.configuredSink()).toBe('speakers');
    expect(journal.pending()).toEqual([]);
  });

  test('after a kill the journal gives the default back, once', async () => {
    await desktop.choose('headset');
    const program = join(import.meta.dir, 'sink-holder.ts');
    const holder = desktop.session.spawnOutside([
      process.execPath,
      program,
      desktop.runtimeDir,
      SINK,
      journalPath(),
    ]);
    await holder.waitFor(/holding/);
    expect(await desktop.configuredSink()).toBe(SINK);

    holder.kill('SIGKILL');
    await holder.exited;
    expect(await desktop.configuredSink()).toBe(SINK);
    const found = new RestoreJournal(journalPath());
    expect(await found.undoAll(UNDO)).toEqual({ undone: 1, failed: [] });

    expect(await desktop.configuredSink()).toBe('headset');
    expect(await desktop.hasNode(SINK)).toBe(false);
    await desktop.choose('speakers');
    expect(await new RestoreJournal(journalPath()).undoAll(UNDO)).toMatchObject({ undone: 0 });
    expect(await desktop.configuredSink()).toBe('speakers');
  });

  test.skipIf(opusReason !== null).each(SHAPES)(
    'what is played into it arrives at a device at its level, each of %o in its channel',
    async (shape) => {
      const { channels } = shape;
      openSink(channels);
      await waitUntil(async () => (await desktop.currentSink()) === SINK, 'our sink plays', 50);
      const capture = openCapture(channels);
      const tones = Array.from({ length: channels }, (_, channel) => toneHz(channel));
      const player = await desktop.playTones(tones, PEAK);
      skipToTone(capture);

      const sound = record(capture, 500);
      await player.stop();

      const encoder = await createMultistreamEncoder(shape);
      const decoder = openOpusDecoder(shape);
      const blockLength = encoder.framesPerPacket * channels;
      const heard = new Float32Array(sound.length);
      for (let at = 0; at < sound.length; at += blockLength) {
        heard.set(decoder.decode(encoder.encode(sound.subarray(at, at + blockLength))), at);
      }
      encoder.close();
      decoder.close();
      const steady = heard.subarray(blockLength * 20);
      for (let channel = 0; channel < channels; channel += 1) {
        const other = (channel + 1) % channels;
        expect(ownLevel(sound, channels, channel, toneHz(channel))).toBeCloseTo(PEAK, 2);
        expect(ownLevel(steady, channels, channel, toneHz(channel))).toBeWithin(0.22, 0.28);
        expect(strangeLevel(steady, channels, channel, toneHz(other))).toBeLessThan(0.02);
      }
    },
    TIMEOUT_MS,
  );

  test('while nothing plays the capture delivers silence, at its rate', async () => {
    openSink(2);
    const capture = openCapture(2);
    record(capture, 100);
    const beganMs = performance.now();

    const sound = record(capture, 1000);

    expect(sound.every((sample) => sample === 0)).toBe(true);
    expect(performance.now() - beganMs).toBeWithin(850, 1200);
  });

  test('a device that leaves the sound on the host hears the user’s own sink', async () => {
    await desktop.choose('speakers');
    const sound = openStreamSound(
      { ...SHAPES[0], playOnHost: true, source: 'pipewire' },
      desktop.runtimeDir,
      new RestoreJournal(journalPath()),
    );
    open.push(sound);

    expect(sound.source).toMatchObject({ kind: 'pipewire', sinkName: 'speakers' });
    expect(currentDefaultSink(desktop.runtimeDir)).toBe('speakers');
    const capture = openAudioCapture(sound.source, 2);
    open.push(capture);
    expect(record(capture, 50).length).toBe(4800);
  });

  test('a sink that is not there is a lost source, not an endless silence', () => {
    const { runtimeDir } = desktop;
    const capture = openPipewireCapture({
      kind: 'pipewire',
      runtimeDir,
      sinkName: 'punktfunk-nowhere',
      channels: 2,
    });
    open.push(capture);
    const block = new Float32Array(480);
    for (let tries = 0; tries < 100 && capture.lost() === null; tries += 1) capture.read(block, 20);

    expect(capture.lost()).not.toBeNull();
  });

  test('without a daemon a stream has silence that says why', () => {
    const nowhere = `${desktop.runtimeDir}/home`;
    const plan = { ...SHAPES[0], playOnHost: false, source: 'pipewire' } as const;
    const sound = openStreamSound(plan, nowhere, new RestoreJournal(journalPath()));
    sound.close();

    expect(sound.source.kind).toBe('silence');
    expect(openAudioCapture(sound.source, 2).description).toContain(nowhere);
  });

  test(
    'PipeWire ends and comes back: the sink is made again, and the default is still the user’s',
    async () => {
      await desktop.choose('headset');
      const told: string[] = [];
      const sink = openSink(2, told);
      const capture = openCapture(2);
      record(capture, 50);

      await desktop.killDaemons();
      const block = new Float32Array(480);
      expect(capture.read(block, 500)).toBe(false);
      expect(capture.lost()).not.toBeNull();
      await waitUntil(() => told.length === 1, 'the loss is noticed', 20);
      expect(() => openCapture(2)).toThrow('no daemon');

      await desktop.startDaemons();
      await desktop.addSink('headset');
      await waitUntil(() => told.length === 2, 'the sink is back', 20);
      expect(told).toEqual(['lost', 'back']);
      await waitUntil(async () => (await desktop.currentSink()) === SINK, 'our sink plays', 50);
      const again = openCapture(2);
      const player = await desktop.playTones([toneHz(0), toneHz(1)], PEAK);
      skipToTone(again);
      await player.stop();

      sink.close();
      expect(await desktop.configuredSink()).toBe('headset');
      expect(journal.pending()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    'a host that ends while PipeWire is away leaves the default to the next start',
    async () => {
      await desktop.addSink('speakers');
      await desktop.choose('speakers');
      const sink = openSink(2);
      await desktop.killDaemons();

      expect(() => sink.close()).toThrow();
      expect(journal.pending().length).toBe(1);

      await desktop.startDaemons();
      const value = JSON.stringify({ name: SINK });
      await desktop.session.run([
        'pw-metadata',
        '0',
        'default.configured.audio.sink',
        value,
        'Spa:String:JSON',
      ]);
      await new RestoreJournal(journalPath()).undoAll(UNDO);
      expect(await desktop.configuredSink()).toBe('speakers');
    },
    TIMEOUT_MS,
  );
});
