/** The sound side of a test desktop: a sink its user chose, and a tone played into the default. */
import { writeFileSync } from 'node:fs';
import { type DesktopSession, type SessionProcess, waitUntil } from './harness-session.ts';

export const TONE_HZ = 1000;
/** Full scale is 1: −6.02 dB. */
export const TONE_AMPLITUDE = 0.5;
const SAMPLE_RATE_HZ = 48_000;
const CONFIGURED_SINK = 'default.configured.audio.sink';

/** Makes a sink and sets it as the user's default; resolves when the system plays into it. */
export async function chooseSink(session: DesktopSession, name: string): Promise<void> {
  const properties = [
    'factory.name=support.null-audio-sink',
    `node.name=${name}`,
    'media.class=Audio/Sink',
    'object.linger=true',
    'audio.position=[FL FR]',
  ];
  await session.run(['pw-cli', 'create-node', 'adapter', `{ ${properties.join(' ')} }`]);
  const value = JSON.stringify({ name });
  await session.run(['pw-metadata', '0', CONFIGURED_SINK, value, 'Spa:String:JSON']);
  await waitUntil(async () => (await playingSink(session)) === name, `${name} plays`, 50);
}

/** The sink that the user chose; null when none is chosen. */
export function chosenSink(session: DesktopSession): Promise<string | null> {
  return readDefault(session, CONFIGURED_SINK);
}

/** The sink that programs play into. */
export function playingSink(session: DesktopSession): Promise<string | null> {
  return readDefault(session, 'default.audio.sink');
}

/** Plays a sine of `TONE_HZ` into the default sink, on both channels. */
export function playTone(session: DesktopSession, seconds: number): SessionProcess {
  const path = session.writeFile('tone.wav', '');
  writeFileSync(path, toneFile(seconds));
  return session.spawn(['pw-play', path]);
}

async function readDefault(session: DesktopSession, key: string): Promise<string | null> {
  const text = await session.run(['pw-metadata', '0', key]);
  const value = new RegExp(`key:'${key}' value:'([^']*)'`).exec(text)?.[1];
  return value === undefined ? null : (JSON.parse(value) as { name: string }).name;
}

/** WAV of 16-bit stereo samples. */
function toneFile(seconds: number): Uint8Array {
  const frames = Math.round(seconds * SAMPLE_RATE_HZ);
  const bytes = new Uint8Array(44 + frames * 4);
  const view = new DataView(bytes.buffer);
  const word = (at: number, text: string) => bytes.set(new TextEncoder().encode(text), at);
  word(0, 'RIFF');
  view.setUint32(4, bytes.length - 8, true);
  word(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 2, true);
  view.setUint32(24, SAMPLE_RATE_HZ, true);
  view.setUint32(28, SAMPLE_RATE_HZ * 4, true);
  view.setUint16(32, 4, true);
  view.setUint16(34, 16, true);
  word(36, 'data');
  view.setUint32(40, frames * 4, true);
  for (let frame = 0; frame < frames; frame += 1) {
    const sample = TONE_AMPLITUDE * Math.sin((2 * Math.PI * TONE_HZ * frame) / SAMPLE_RATE_HZ);
    view.setInt16(44 + frame * 4, Math.round(sample * 32_767), true);
    view.setInt16(46 + frame * 4, Math.round(sample * 32_767), true);
  }
  return bytes;
}
