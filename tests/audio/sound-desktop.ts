/**
 * A desktop session with PipeWire and WirePlumber that a test can end and start again, and the few
 * things a user does with it.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { CHANNEL_LAYOUTS } from '../../src/desktop/pipewire/audio-format.ts';
import {
  type DesktopSession,
  type SessionProcess,
  sessionSkipReason,
  startSession,
  waitForPath,
  waitUntil,
} from '../desktop/harness-session.ts';

/** Debian packages that hold what these tests use. */
export const SOUND_TEST_PACKAGES = 'pipewire pipewire-bin wireplumber sox dbus';

/** Why no sound can be tried here, or null. */
export function soundSkipReason(): string | null {
  const reason = sessionSkipReason([
    'pipewire',
    'wireplumber',
    'pw-cli',
    'pw-metadata',
    'pw-play',
    'sox',
  ]);
  return reason && `${reason} (Debian packages: ${SOUND_TEST_PACKAGES})`;
}

export class SoundDesktop {
  readonly session: DesktopSession;
  #daemons: SessionProcess[] = [];

  private constructor(session: DesktopSession) {
    this.session = session;
  }

  static async start(): Promise<SoundDesktop> {
    const desktop = new SoundDesktop(await startSession());
    try {
      await desktop.startDaemons();
    } catch (error) {
      await desktop.stop();
      throw error;
    }
    return desktop;
  }

  get runtimeDir(): string {
    return this.session.runtimeDir;
  }

  async startDaemons(): Promise<void> {
    this.#daemons.push(this.session.spawn(['pipewire']));
    await waitForPath(join(this.runtimeDir, 'pipewire-0'));
    this.#daemons.push(this.session.spawn(['wireplumber']));
    await waitUntil(
      async () => (await this.#list('Client')).includes('WirePlumber'),
      'WirePlumber connects',
      50,
    );
  }

  /** Ends PipeWire as a crash would. */
  async killDaemons(): Promise<void> {
    for (const daemon of this.#daemons) daemon.kill('SIGKILL');
    await Promise.all(this.#daemons.map((daemon) => daemon.exited));
    this.#daemons = [];
    // What a killed daemon leaves would pass for the next one.
    rmSync(join(this.runtimeDir, 'pipewire-0'), { force: true });
  }

  /** A sink of the user's, which stays when its maker left. */
  async addSink(name: string): Promise<void> {
    const props =
      `factory.name=support.null-audio-sink node.name=${name} media.class=Audio/Sink ` +
      'object.linger=true audio.position=[FL FR] monitor.channel-volumes=true';
    await this.session.run(['pw-cli', 'create-node', 'adapter', `{ ${props} }`]);
    await waitUntil(async () => (await this.#list('Node')).includes(`"${name}"`), name, 50);
  }

  /** What the user chose, by name; null: nothing. */
  configuredSink(): Promise<string | null> {
    return this.#default('default.configured.audio.sink');
  }

  /** Where sound goes now. */
  currentSink(): Promise<string | null> {
    return this.#default('default.audio.sink');
  }

  async choose(name: string): Promise<void> {
    const value = JSON.stringify({ name });
    const key = 'default.configured.audio.sink';
    await this.session.run(['pw-metadata', '0', key, value, 'Spa:String:JSON']);
    await waitUntil(async () => (await this.currentSink()) === name, `${name} plays`, 50);
  }

  async hasNode(name: string): Promise<boolean> {
    return (await this.#list('Node')).includes(`"${name}"`);
  }

  /** Plays one sine per channel, each of amplitude `peak` (0–1), to the default sink. */
  async playTones(tonesHz: readonly number[], peak: number): Promise<SessionProcess> {
    const channels = tonesHz.length as 2 | 6 | 8;
    const path = join(this.runtimeDir, `tones-${channels}.wav`);
    const format = ['-r', '48000', '-c', String(channels), '-b', '32', '-e', 'float'];
    const sines = tonesHz.flatMap((hz) => ['sine', String(hz)]);
    await this.session.run([
      'sox',
      '-n',
      ...format,
      path,
      'synth',
      '30',
      ...sines,
      'vol',
      `${peak}`,
    ]);
    const map = CHANNEL_LAYOUTS[channels].join(',');
    return this.session.spawn(['pw-play', '--channel-map', map, path]);
  }

  stop(): Promise<void> {
    return this.session.stop();
  }

  async #default(key: string): Promise<string | null> {
    const text = await this.session.run(['pw-metadata', '0', key]);
    return /value:'\{\s*"name":\s*"([^"]+)"/.exec(text)?.[1] ?? null;
  }

  #list(kind: string): Promise<string> {
    return this.session.run(['pw-cli', 'ls', kind]).catch(() => '');
  }
}
