/**
 * Which desktops run on this machine: Wayland sockets in the runtime directories, the compositor
 * behind each, and the sockets that belong to it. Reads only; the environment is passed in and
 * never changed, because the host may be a service that was started outside the desktop.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { closeFd, connectUnix, unixPeer } from '../../ffi/libc-fd.ts';

/** Runtime directories looked at; a machine with more logged-in users is not a gaming PC. */
const RUNTIME_DIRS_MAX = 32;
const SOCKETS_PER_DIR_MAX = 32;
const USER_RUNTIME_ROOT = '/run/user';

export type Environment = Readonly<Record<string, string | undefined>>;

export type CompositorKind = 'sway' | 'mutter' | 'kwin' | 'hyprland' | 'gamescope' | 'other';

export interface RunningDesktop {
  /** User the compositor runs as. */
  readonly uid: number;
  /** XDG_RUNTIME_DIR of the desktop: PipeWire's socket lies there too. */
  readonly runtimeDir: string;
  /** Absolute path. */
  readonly waylandSocket: string;
  readonly compositor: CompositorKind;
  /** Name of the process, e.g. `sway`, `gnome-shell`, `labwc`; `unknown` when it cannot be read. */
  readonly processName: string;
  readonly pid: number;
  /** IPC socket of sway; null for other compositors. */
  readonly swaySocket: string | null;
  /** Session bus of the desktop; null when none was found. */
  readonly busAddress: string | null;
}

/**
 * Desktops that answer, the one of `environment` first, then those of the own user, then (for root)
 * those of other users.
 */
export function findDesktops(environment: Environment): RunningDesktop[] {
  const seen = new Set<string>();
  const desktops: RunningDesktop[] = [];
  for (const path of candidateSockets(environment)) {
    if (seen.has(path)) continue;
    seen.add(path);
    const desktop = inspect(path, environment);
    if (desktop) desktops.push(desktop);
  }
  return desktops;
}

/** Compositor family by the name of its process (truncated by the kernel to 15 characters). */
export function compositorKind(processName: string): CompositorKind {
  const name = processName.toLowerCase();
  if (name === 'sway' || name === '.sway-wrapped') return 'sway';
  if (name.startsWith('gnome-shell') || name.startsWith('mutter')) return 'mutter';
  if (name.startsWith('kwin_wayland')) return 'kwin';
  if (name.startsWith('hyprland') || name === '.hyprland-wrap') return 'hyprland';
  if (name.startsWith('gamescope')) return 'gamescope';
  return 'other';
}

function candidateSockets(environment: Environment): string[] {
  const ownDir = environment['XDG_RUNTIME_DIR'];
  const display = environment['WAYLAND_DISPLAY'];
  const sockets: string[] = [];
  if (display) {
    if (isAbsolute(display)) sockets.push(display);
    else if (ownDir) sockets.push(join(ownDir, display));
  }
  const uid = process.getuid?.() ?? 0;
  const directories = [ownDir, join(USER_RUNTIME_ROOT, String(uid))];
  if (uid === 0) {
    directories.push(
      ...listDirectory(USER_RUNTIME_ROOT).map((name) => join(USER_RUNTIME_ROOT, name)),
    );
  }
  for (const directory of [...new Set(directories)].slice(0, RUNTIME_DIRS_MAX)) {
    if (!directory) continue;
    const names = listDirectory(directory).filter((name) => /^wayland-\d{1,4}$/.test(name));
    names.sort((a, b) => Number(a.slice(8)) - Number(b.slice(8)));
    sockets.push(...names.slice(0, SOCKETS_PER_DIR_MAX).map((name) => join(directory, name)));
  }
  return sockets;
}

function inspect(path: string, environment: Environment): RunningDesktop | null {
  const peer = peerOf(path);
  if (!peer) return null;
  const runtimeDir = join(path, '..');
  const processName = readText(`/proc/${peer.pid}/comm`).trim() || 'unknown';
  const swaySocket = join(runtimeDir, `sway-ipc.${peer.uid}.${peer.pid}.sock`);
  const named = environment['SWAYSOCK'];
  const compositor = compositorKind(processName);
  let sway: string | null = null;
  if (isSocket(swaySocket)) sway = swaySocket;
  else if (compositor === 'sway' && named && isSocket(named)) sway = named;
  return {
    uid: peer.uid,
    runtimeDir,
    waylandSocket: path,
    compositor,
    processName,
    pid: peer.pid,
    swaySocket: sway,
    busAddress: busOf(peer.pid, runtimeDir, environment),
  };
}

function busOf(pid: number, runtimeDir: string, environment: Environment): string | null {
  if (runtimeDir === environment['XDG_RUNTIME_DIR'] && environment['DBUS_SESSION_BUS_ADDRESS']) {
    return environment['DBUS_SESSION_BUS_ADDRESS'];
  }
  for (const entry of readText(`/proc/${pid}/environ`).split('\0')) {
    const prefix = 'DBUS_SESSION_BUS_ADDRESS=';
    if (entry.startsWith(prefix) && entry.length > prefix.length) return entry.slice(prefix.length);
  }
  const path = join(runtimeDir, 'bus');
  return existsSync(path) ? `unix:path=${path}` : null;
}

function peerOf(path: string): { readonly pid: number; readonly uid: number } | null {
  try {
    const fd = connectUnix(path);
    try {
      return unixPeer(fd);
    } finally {
      closeFd(fd);
    }
  } catch {
    // Nobody listens (a socket left by a crash) or it belongs to another user.
    return null;
  }
}

function listDirectory(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function isSocket(path: string): boolean {
  try {
    return statSync(path).isSocket();
  } catch {
    return false;
  }
}

/** Variables that make a program appear on `desktop`. */
export function desktopEnvironment(
  desktop: Pick<RunningDesktop, 'runtimeDir' | 'waylandSocket' | 'swaySocket' | 'busAddress'>,
): Readonly<Record<string, string>> {
  return {
    XDG_RUNTIME_DIR: desktop.runtimeDir,
    WAYLAND_DISPLAY: desktop.waylandSocket,
    ...(desktop.swaySocket === null ? {} : { SWAYSOCK: desktop.swaySocket }),
    ...(desktop.busAddress === null ? {} : { DBUS_SESSION_BUS_ADDRESS: desktop.busAddress }),
  };
}
