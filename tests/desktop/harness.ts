/**
 * Real compositors for tests. `startSway` runs sway headless with the software renderer as an
 * ordinary user; the host under test reaches it through its sockets.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  type DesktopSession,
  type SessionOptions,
  type SessionProcess,
  sessionSkipReason,
  startSession,
  waitUntil,
} from './harness-session.ts';

export type { DesktopSession, SessionProcess } from './harness-session.ts';
export { missingPrograms, startSession, waitForPath, waitUntil } from './harness-session.ts';

/** Debian packages that hold what the sway tests use, for `.ci/run` and skip reasons. */
export const SWAY_TEST_PACKAGES = 'sway foot grim wev libxkbcommon-tools dbus pipewire wireplumber';

export interface SwayOptions extends SessionOptions {
  /** Headless outputs sway starts with; each is 1280x720. */
  readonly outputs?: number;
  /** Lines added to its configuration. */
  readonly config?: string;
}

export interface SwayDesktop {
  readonly session: DesktopSession;
  readonly process: SessionProcess;
  /** Absolute path of the Wayland socket. */
  readonly socketPath: string;
  readonly displayName: string;
  /** Absolute path of the IPC socket. */
  readonly ipcPath: string;
  /** Environment of a host that was started inside this desktop. */
  readonly env: Readonly<Record<string, string>>;
  /** Starts a program inside the desktop, as its user. */
  spawn: DesktopSession['spawn'];
  /** Runs `swaymsg` and returns its parsed answer. */
  message(...args: string[]): Promise<unknown>;
  stop(): Promise<void>;
}

/** Why sway cannot be started here (with the packages to install), or null. */
export function swaySkipReason(programs: readonly string[] = []): string | null {
  const reason = sessionSkipReason(['sway', 'swaymsg', ...programs]);
  return reason && `${reason} (Debian packages: ${SWAY_TEST_PACKAGES})`;
}

export async function startSway(options: SwayOptions = {}): Promise<SwayDesktop> {
  const session = await startSession({ currentDesktop: 'sway', ...options });
  try {
    const config = session.writeFile(
      'sway.conf',
      [
        'xwayland disable',
        'output * bg #204060 solid_color',
        'output HEADLESS-1 mode --custom 1280x720@60Hz position 0 0',
        'default_border none',
        options.config ?? '',
        '',
      ].join('\n'),
    );
    const sway = session.spawn(['sway', '-c', config], {
      env: {
        WLR_BACKENDS: 'headless',
        WLR_RENDERER: 'pixman',
        WLR_LIBINPUT_NO_DEVICES: '1',
        WLR_HEADLESS_OUTPUTS: String(options.outputs ?? 1),
      },
    });
    const find = (pattern: RegExp) =>
      readdirSync(session.runtimeDir).find((name) => pattern.test(name));
    const ipcName = new RegExp(`^sway-ipc\\.\\d+\\.${sway.pid}\\.sock$`);
    await waitUntil(() => {
      if (sway.output().includes('Unable to')) throw new Error(sway.output());
      return find(ipcName) !== undefined && find(/^wayland-\d+$/) !== undefined;
    }, `sway opens its sockets: ${sway.output()}`);
    const displayName = find(/^wayland-\d+$/) ?? '';
    const ipcPath = join(session.runtimeDir, find(ipcName) ?? '');
    const env = { ...session.env, WAYLAND_DISPLAY: displayName, SWAYSOCK: ipcPath };
    return {
      session,
      process: sway,
      socketPath: join(session.runtimeDir, displayName),
      displayName,
      ipcPath,
      env,
      spawn: (command, spawnOptions = {}) =>
        session.spawn(command, { ...spawnOptions, env: { ...env, ...spawnOptions.env } }),
      message: async (...args) =>
        JSON.parse(await session.run(['swaymsg', '-r', ...args], { env })) as unknown,
      stop: () => session.stop(),
    };
  } catch (error) {
    await session.stop();
    throw error;
  }
}

export interface PatternOptions {
  /** Output to show it on; absent: where the compositor puts it. */
  readonly output?: string;
  /** Pictures to show before the last one is held. */
  readonly freezeAfter?: number;
}

/** Shows the moving pattern (pattern.ts) and resolves once it is on the screen with its size. */
export async function startPattern(
  session: DesktopSession,
  socketPath: string,
  options: PatternOptions = {},
): Promise<{ readonly process: SessionProcess; readonly width: number; readonly height: number }> {
  const program = join(import.meta.dir, 'pattern-client.ts');
  const command = [process.execPath, program, '--socket', socketPath];
  if (options.output !== undefined) command.push('--output', options.output);
  if (options.freezeAfter !== undefined) command.push('--freeze-after', `${options.freezeAfter}`);
  const client = session.spawnOutside(command);
  const [, width, height] = await client.waitFor(/ready (\d+)x(\d+)/);
  return { process: client, width: Number(width), height: Number(height) };
}
