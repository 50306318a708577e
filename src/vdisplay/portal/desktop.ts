/**
 * Finds a desktop whose portal can share screens, and says what it can do. Changes nothing, but the
 * bus may start the portal service.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pipewireLibraryVersion } from '../../../ffi/libpipewire.ts';
import type { Availability } from '../../capture/port.ts';
import { asNumber, DbusConnection, userBusAddress } from '../../desktop/dbus/index.ts';
import { type Environment, findDesktops } from '../../desktop/session.ts';
import { PORTAL } from './request.ts';

export const SCREEN_CAST = 'org.freedesktop.portal.ScreenCast';
export const REMOTE_DESKTOP = 'org.freedesktop.portal.RemoteDesktop';

/** Bits of AvailableSourceTypes. */
export const SOURCE_TYPES = { monitor: 1, window: 2, virtual: 4 } as const;
/** Bits of AvailableCursorModes and the values of `cursor_mode`. */
export const CURSOR_MODES = { hidden: 1, embedded: 2, metadata: 4 } as const;

type Missing = Extract<Availability, { available: false }>;

export interface FoundPortal {
  /** Connected; the caller closes it. */
  readonly bus: DbusConnection;
  readonly runtimeDir: string;
  /** Wayland socket of the desktop where one is known. */
  readonly waylandSocket: string | null;
  readonly screenCastVersion: number;
  readonly sourceTypes: number;
  readonly cursorModes: number;
  /** 0: the desktop's portal takes no input. */
  readonly remoteDesktopVersion: number;
}

interface Candidate {
  readonly busAddress: string;
  readonly runtimeDir: string;
  readonly waylandSocket: string | null;
}

/** The first desktop whose portal shares screens, or what is missing. */
export async function findPortal(environment: Environment): Promise<FoundPortal | Missing> {
  try {
    pipewireLibraryVersion();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return missing(text, 'install libpipewire-0.3 (Debian: libpipewire-0.3-0)');
  }
  let problem: Missing | null = null;
  for (const candidate of candidates(environment)) {
    const found = await tryPortal(candidate);
    if ('bus' in found) return found;
    problem ??= found;
  }
  return (
    problem ?? missing('no desktop session runs', 'log in to a desktop, then start punktfunk in it')
  );
}

function candidates(environment: Environment): readonly Candidate[] {
  const list: Candidate[] = [];
  for (const { busAddress, runtimeDir, waylandSocket } of findDesktops(environment)) {
    if (busAddress) list.push({ busAddress, runtimeDir, waylandSocket });
  }
  const runtimeDir = environment['XDG_RUNTIME_DIR'];
  const named = environment['DBUS_SESSION_BUS_ADDRESS'];
  if (runtimeDir) {
    const busAddress = named || userBusAddress(runtimeDir);
    list.push({ busAddress, runtimeDir, waylandSocket: null });
  }
  const seen = new Set<string>();
  return list.filter(({ busAddress }) => !seen.has(busAddress) && seen.add(busAddress));
}

async function tryPortal(candidate: Candidate): Promise<FoundPortal | Missing> {
  let bus: DbusConnection;
  try {
    bus = await DbusConnection.open(candidate.busAddress);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return missing(text, 'run punktfunk as the user of the desktop');
  }
  const refuse = (text: string, remedy: string) => {
    bus.close();
    return missing(text, remedy);
  };
  try {
    if ((await bus.activate(PORTAL.destination)) === null) {
      return refuse('no xdg-desktop-portal runs', 'install and start xdg-desktop-portal');
    }
    const version = await numberOf(bus, SCREEN_CAST, 'version');
    if (version === 0) {
      return refuse(
        "the desktop's portal cannot share screens",
        'install the portal of the desktop (xdg-desktop-portal-wlr, -gnome, -kde, -hyprland)',
      );
    }
    const socket = join(candidate.runtimeDir, 'pipewire-0');
    if (!existsSync(socket)) {
      return refuse(
        `PipeWire does not run (${socket} is missing)`,
        'start pipewire and wireplumber',
      );
    }
    return {
      bus,
      runtimeDir: candidate.runtimeDir,
      waylandSocket: candidate.waylandSocket,
      screenCastVersion: version,
      sourceTypes: await numberOf(bus, SCREEN_CAST, 'AvailableSourceTypes'),
      cursorModes: await numberOf(bus, SCREEN_CAST, 'AvailableCursorModes'),
      remoteDesktopVersion: await numberOf(bus, REMOTE_DESKTOP, 'version'),
    };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return refuse(text, 'check that the desktop and its portal respond');
  }
}

/** A number property, 0 when the portal lacks it. */
async function numberOf(bus: DbusConnection, interfaceName: string, name: string): Promise<number> {
  try {
    return asNumber(await bus.property(PORTAL.destination, PORTAL.path, interfaceName, name));
  } catch (error) {
    if (!bus.isOpen) throw error;
    return 0;
  }
}

function missing(text: string, remedy: string): Missing {
  return { available: false, missing: text, remedy };
}
