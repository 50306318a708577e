/** Sound for a reader that has other things to do, as the audio worker has. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { openPipewireCapture } from '../../src/audio/pipewire-capture.ts';
import { type DesktopSession, sessionSkipReason, startSession } from './harness-session.ts';
import { chooseSink, playTone } from './stream-sound.ts';

const SINK = 'users-speakers';
const PACKET_FRAMES = 240;
/** Eight of PipeWire's portions: more than it keeps when it is not asked to. */
const PAUSE_MS = 40;

const skipReason = sessionSkipReason(['pipewire', 'wireplumber', 'pw-cli', 'pw-play']);
if (skipReason) console.log(`skipped: sound for a busy reader: ${skipReason}`);

describe.skipIf(skipReason !== null)('sound for a busy reader', () => {
  let session: DesktopSession;

  beforeAll(async () => {
    session = await startSession({ pipewire: true });
    await chooseSink(session, SINK);
  }, 20_000);

  afterAll(() => session?.stop());

  function openCapture() {
    const { runtimeDir } = session;
    return openPipewireCapture({ kind: 'pipewire', runtimeDir, sinkName: SINK, channels: 2 });
  }

  test('what is played while it is busy is kept for it', async () => {
    const capture = openCapture();
    const block = new Float32Array(PACKET_FRAMES * 2);
    const tone = playTone(session, 3);
    const isFlowing = () => capture.read(block, 1000);
    expect(isFlowing()).toBe(true);
    const beganMs = performance.now();
    let frames = 0;
    while (performance.now() - beganMs < 2000) {
      await Bun.sleep(PAUSE_MS);
      while (capture.read(block, 0)) frames += PACKET_FRAMES;
    }
    const seconds = (performance.now() - beganMs) / 1000;
    capture.close();
    await tone.stop();

    expect(frames / seconds).toBeWithin(48_000 * 0.9, 48_000 * 1.1);
  });

  test('without ever waiting it is connected all the same', async () => {
    const capture = openCapture();
    const block = new Float32Array(PACKET_FRAMES * 2);
    const beganMs = performance.now();
    let isHeard = false;
    while (!isHeard && performance.now() - beganMs < 3000) {
      isHeard = capture.read(block, 0);
      await Bun.sleep(5);
    }
    capture.close();

    expect(isHeard).toBe(true);
  });
});
