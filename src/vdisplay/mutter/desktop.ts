/**
 * Finds the GNOME session to serve and says what is missing. Changes nothing.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pipewireLibraryVersion } from '../../../ffi/libpipewire.ts';
import type { Availability } from '../../capture/port.ts';
import { asNumber, DbusConnection, userBusAddress } from '../../desktop/dbus/index.ts';
import { type Environment, findDesktops } from '../../desktop/session.ts';

export const SCREEN_CAST = {
  name: 'org.gnome.Mutter.ScreenCast',
  path: '/org/gnome/Mutter/ScreenCast',
} as const;
export const REMOTE_DESKTOP = {
  name: 'org.gnome.Mutter.RemoteDesktop',
  path: '/org/gnome/Mutter/RemoteDesktop',
} as const;

/** RecordVirtual came with version 4 of the interface (GNOME 40). */
const SCREEN_CAST_VERSION_MIN = 4;

export interface MutterDesktop {
  readonly busAddress: string;
  /** XDG_RUNTIME_DIR of the session; PipeWire's socket lies there. */
  readonly runtimeDir: string;
  /** Absolute path of the Wayland socket; null on X11. */
  readonly waylandSocket: string | null;
}

/** A connected bus on which Mutter answers. The caller closes `bus`. */
export interface FoundMutter {
  readonly desktop: MutterDesktop;
  readonly bus: DbusConnection;
  readonly screenCastVersion: number;
}

/** The first session on which Mutter answers, or why there is none. */
export async function findMutter(
  environment: Environment,
): Promise<FoundMutter | Extract<Availability, { available: false }>> {
  const library = libraryProblem();
  if (library) return library;
  let problem: Extract<Availability, { available: false }> | null = null;
  for (const desktop of candidates(environment)) {
    const found = await tryDesktop(desktop);
    if ('bus' in found) return found;
    problem ??= found;
  }
  return (
    problem ?? {
      available: false,
      missing: 'no GNOME session runs',
      remedy: 'log in to GNOME, or start punktfunk inside the session',
    }
  );
}

function candidates(environment: Environment): readonly MutterDesktop[] {
  const list: MutterDesktop[] = [];
  for (const { compositor, busAddress, runtimeDir, waylandSocket } of findDesktops(environment)) {
    if (compositor === 'mutter' && busAddress) {
      list.push({ busAddress, runtimeDir, waylandSocket });
    }
  }
  // A GNOME session on X11 has no Wayland socket but the same interfaces.
  const runtimeDir = environment['XDG_RUNTIME_DIR'];
  const named = environment['DBUS_SESSION_BUS_ADDRESS'];
  if (runtimeDir) {
    const busAddress = named || userBusAddress(runtimeDir);
    list.push({ busAddress, runtimeDir, waylandSocket: null });
  }
  const seen = new Set<string>();
  return list.filter(({ busAddress }) => !seen.has(busAddress) && seen.add(busAddress));
}

async function tryDesktop(
  desktop: MutterDesktop,
): Promise<FoundMutter | Extract<Availability, { available: false }>> {
  const missing = (text: string, remedy: string) =>
    ({ available: false, missing: text, remedy }) as const;
  let bus: DbusConnection;
  try {
    bus = await DbusConnection.open(desktop.busAddress);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return missing(text, 'run punktfunk as the user of the GNOME session');
  }
  try {
    const owners = [
      await bus.nameOwner(SCREEN_CAST.name),
      await bus.nameOwner(REMOTE_DESKTOP.name),
    ];
    if (owners.includes(null)) {
      bus.close();
      return missing('no GNOME session runs on this bus', 'log in to GNOME');
    }
    const version = asNumber(
      await bus.property(SCREEN_CAST.name, SCREEN_CAST.path, SCREEN_CAST.name, 'Version'),
    );
    if (version < SCREEN_CAST_VERSION_MIN) {
      bus.close();
      return missing(
        `Mutter's ScreenCast interface has version ${version}`,
        'update to GNOME 40 or newer',
      );
    }
    const socket = join(desktop.runtimeDir, 'pipewire-0');
    if (!existsSync(socket)) {
      bus.close();
      return missing(
        `PipeWire does not run (${socket} is missing)`,
        'start pipewire and wireplumber',
      );
    }
    return { desktop, bus, screenCastVersion: version };
  } catch (error) {
    bus.close();
    return missing(String(error), 'check that the GNOME session responds');
  }
}

function libraryProblem(): Extract<Availability, { available: false }> | null {
  try {
    pipewireLibraryVersion();
    return null;
  } catch (error) {
    return {
      available: false,
      missing: error instanceof Error ? error.message : String(error),
      remedy: 'install libpipewire-0.3 (Debian: libpipewire-0.3-0)',
    };
  }
}
