/**
 * Mutter headless for tests: the compositor of GNOME without its shell, with PipeWire and a session
 * bus, as an ordinary user. It has no monitor until a host makes one, unless `monitors` says so.
 */
import { join } from 'node:path';
import {
  type DesktopSession,
  type SessionProcess,
  sessionSkipReason,
  startSession,
  waitForPath,
  waitUntil,
} from './harness-session.ts';

/** Debian packages that hold what the Mutter tests use, for `.ci/run` and skip reasons. */
export const MUTTER_TEST_PACKAGES =
  'mutter pipewire pipewire-bin wireplumber dbus libglib2.0-bin wev zenity weston';

const DISPLAY_NAME = 'wayland-0';

export interface MutterOptions {
  /** Monitors it starts with, e.g. `1024x768@60`. */
  readonly monitors?: readonly string[];
  /** PipeWire without WirePlumber: nothing links streams. */
  readonly withoutSessionManager?: boolean;
}

export interface MutterDesktop {
  readonly session: DesktopSession;
  readonly process: SessionProcess;
  /** The PipeWire daemon, when the session was made without a session manager. */
  readonly pipewire: SessionProcess | null;
  readonly busAddress: string;
  readonly runtimeDir: string;
  readonly displayName: string;
  /** Environment of a host that was started inside this desktop. */
  readonly env: Readonly<Record<string, string>>;
  /** Starts a program inside the desktop, as its user. */
  spawn: DesktopSession['spawn'];
  stop(): Promise<void>;
}

/** Why Mutter cannot be started here (with the packages to install), or null. */
export function mutterSkipReason(programs: readonly string[] = []): string | null {
  const reason = sessionSkipReason([
    'mutter',
    'pipewire',
    'wireplumber',
    'pw-cli',
    'gdbus',
    ...programs,
  ]);
  return reason && `${reason} (Debian packages: ${MUTTER_TEST_PACKAGES})`;
}

export async function startMutter(options: MutterOptions = {}): Promise<MutterDesktop> {
  const isBare = options.withoutSessionManager === true;
  const session = await startSession({ pipewire: !isBare, currentDesktop: 'GNOME' });
  try {
    const pipewire = isBare ? session.spawn(['pipewire']) : null;
    if (isBare) await waitForPath(join(session.runtimeDir, 'pipewire-0'));
    const monitors = (options.monitors ?? []).flatMap((mode) => ['--virtual-monitor', mode]);
    const mutter = session.spawn(
      [
        'mutter',
        '--headless',
        '--wayland',
        '--no-x11',
        '--wayland-display',
        DISPLAY_NAME,
        ...monitors,
      ],
      { env: { GSETTINGS_BACKEND: 'memory' } },
    );
    await waitForPath(join(session.runtimeDir, DISPLAY_NAME));
    await waitUntil(
      async () => {
        const ping = session.spawn([
          'gdbus',
          'call',
          '--session',
          '-d',
          'org.gnome.Mutter.ScreenCast',
          '-o',
          '/org/gnome/Mutter/ScreenCast',
          '-m',
          'org.freedesktop.DBus.Peer.Ping',
        ]);
        return (await ping.exited) === 0;
      },
      'Mutter answers on the session bus',
      100,
    );
    const env = { ...session.env, WAYLAND_DISPLAY: DISPLAY_NAME };
    return {
      session,
      process: mutter,
      pipewire,
      busAddress: session.busAddress,
      runtimeDir: session.runtimeDir,
      displayName: DISPLAY_NAME,
      env,
      spawn: (command, spawnOptions = {}) =>
        session.spawn(command, { ...spawnOptions, env: { ...env, ...spawnOptions.env } }),
      stop: () => session.stop(),
    };
  } catch (error) {
    await session.stop();
    throw error;
  }
}
