/**
 * The screen sharing portal of wlroots for tests: sway headless, PipeWire, xdg-desktop-portal and
 * xdg-desktop-portal-wlr. The backend of Debian 12 needs the preload of
 * native/screencopy-dmabuf-preload.c to work without a GPU; nothing else is replaced.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DbusConnection } from '../../src/desktop/dbus/index.ts';
import { type SwayDesktop, startSway, swaySkipReason } from './harness.ts';
import { type SessionProcess, waitUntil } from './harness-session.ts';
import { compileC, compilerSkipReason } from './native-program.ts';

/** Debian packages that hold what the portal tests use besides those for sway. */
export const PORTAL_TEST_PACKAGES =
  'xdg-desktop-portal xdg-desktop-portal-wlr pipewire pipewire-bin wireplumber gcc libc6-dev pkg-config';

const FRONTEND = '/usr/libexec/xdg-desktop-portal';
const BACKEND = '/usr/libexec/xdg-desktop-portal-wlr';
const PORTAL_NAME = 'org.freedesktop.portal.Desktop';
const BACKEND_NAME = 'org.freedesktop.impl.portal.desktop.wlr';
const READY_TIMEOUT_MS = 20_000;

export interface PortalDesktop {
  readonly sway: SwayDesktop;
  readonly backend: SessionProcess;
  readonly frontend: SessionProcess;
  stop(): Promise<void>;
}

/** Why the portal cannot be started here (with the packages to install), or null. */
export function portalSkipReason(): string | null {
  const programs = ['pipewire', 'wireplumber', 'pw-cli', FRONTEND, BACKEND];
  const reason = swaySkipReason(programs) ?? compilerSkipReason([]);
  return reason && `${reason} (Debian packages: ${PORTAL_TEST_PACKAGES})`;
}

export async function startPortal(): Promise<PortalDesktop> {
  const sway = await startSway({ pipewire: true, currentDesktop: 'sway' });
  const { session } = sway;
  try {
    const preload = join(session.runtimeDir, 'preload.so');
    const source = join(import.meta.dir, 'native', 'screencopy-dmabuf-preload.c');
    compileC({ path: source }, preload, [], ['-shared', '-fPIC']);
    mkdirSync(join(session.homeDir, '.config', 'xdg-desktop-portal-wlr'), { recursive: true });
    session.writeFile(
      join('home', '.config', 'xdg-desktop-portal-wlr', 'config'),
      '[screencast]\nchooser_type=none\noutput_name=HEADLESS-1\nmax_fps=60\n',
    );
    // Its warnings come in floods, and a test that waits for a picture does not read them.
    const backend = sway.spawn([BACKEND, '-l', 'ERROR'], { env: { LD_PRELOAD: preload } });
    const bus = await DbusConnection.open(session.busAddress);
    await waitForName(bus, BACKEND_NAME, backend);
    // The portal looks at the process of its caller, which is this one.
    const frontend = session.spawnOutside([FRONTEND, '-r'], { env: sway.env });
    await waitForName(bus, PORTAL_NAME, frontend);
    bus.close();
    return { sway, backend, frontend, stop: () => sway.stop() };
  } catch (error) {
    await sway.stop();
    throw error;
  }
}

async function waitForName(
  bus: DbusConnection,
  name: string,
  program: SessionProcess,
): Promise<void> {
  await waitUntil(
    async () => (await bus.nameOwner(name)) !== null,
    `${name} appears on the bus; its program says: ${program.output().slice(-1000)}`,
    50,
    READY_TIMEOUT_MS,
  );
}
