/**
 * Screens on GNOME: a virtual monitor that takes exactly the mode its PipeWire consumer asks for, or
 * an existing monitor mirrored.
 *
 * A virtual monitor has no size before pictures are consumed, so the lease names the asked mode and
 * `readBack` tells the real one. Nothing needs a journal: the session, and the monitor with it, ends
 * with the host's bus connection.
 */
import type { Availability, CaptureSource } from '../../capture/port.ts';
import type { DbusConnection } from '../../desktop/dbus/index.ts';
import type { Environment } from '../../desktop/session.ts';
import { openMutterInjector } from '../../inject/mutter/injector.ts';
import type { Logger } from '../../platform/log.ts';
import { type DisplayMode, formatMode } from '../../session/mode.ts';
import type { DisplayLease, DisplayRequest, VirtualDisplayBackend } from '../port.ts';
import { findMutter, type MutterDesktop } from './desktop.ts';
import { type MutterMonitor, modeOfMonitor, readMonitors } from './display-config.ts';
import { type MutterSession, openMutterSession } from './session.ts';

/** From the consumer's first request until the monitor stands in the configuration. */
const READ_BACK_TIMEOUT_MS = 10_000;
const READ_BACK_POLL_MS = 50;

export interface MutterBackendOptions {
  /** Environment to look for the desktop in; never changed. */
  readonly environment: Environment;
  readonly log: Logger;
}

export function createMutterBackend(backendOptions: MutterBackendOptions): VirtualDisplayBackend {
  /** Connectors of this host's leases: a new monitor that is none of these is the newest lease's. */
  const leased = new Set<string>();
  return {
    name: 'mutter',
    probe: () => probe(backendOptions.environment),
    acquire: (request) => acquire(backendOptions, leased, request),
  };
}

async function probe(environment: Environment): Promise<Availability> {
  const found = await findMutter(environment);
  if (!('bus' in found)) return found;
  found.bus.close();
  return { available: true, detail: `Mutter, ScreenCast version ${found.screenCastVersion}` };
}

async function acquire(
  backendOptions: MutterBackendOptions,
  leased: Set<string>,
  request: DisplayRequest,
): Promise<DisplayLease> {
  const found = await findMutter(backendOptions.environment);
  if (!('bus' in found)) throw new Error(`${found.missing}; ${found.remedy}`);
  const { bus, desktop } = found;
  let before: readonly MutterMonitor[];
  let mirrored: MutterMonitor | null = null;
  try {
    before = await readMonitors(bus);
    if (request.kind === 'mirror') mirrored = chooseMonitor(before, request.outputName);
  } catch (error) {
    bus.close();
    throw error;
  }
  const recording = mirrored
    ? ({ kind: 'monitor', connector: mirrored.connector } as const)
    : ({ kind: 'virtual' } as const);
  const session = await openMutterSession(bus, recording);
  return new MutterLease({
    bus,
    desktop,
    session,
    request,
    mirrored,
    before: new Set(before.map(({ connector }) => connector)),
    leased,
    log: backendOptions.log,
  });
}

/** The named monitor, or the primary one. */
function chooseMonitor(monitors: readonly MutterMonitor[], name?: string): MutterMonitor {
  const found = name
    ? monitors.find(({ connector }) => connector === name)
    : (monitors.find(({ isPrimary }) => isPrimary) ?? monitors[0]);
  if (found) return found;
  const known = monitors.map(({ connector }) => connector).join(', ') || 'none';
  throw new Error(
    name
      ? `there is no monitor ${name} to mirror; monitors of this desktop: ${known}`
      : 'this desktop has no monitor to mirror; use a virtual one',
  );
}

interface LeaseParts {
  readonly bus: DbusConnection;
  readonly desktop: MutterDesktop;
  readonly session: MutterSession;
  readonly request: DisplayRequest;
  readonly mirrored: MutterMonitor | null;
  /** Connectors that existed before the session. */
  readonly before: ReadonlySet<string>;
  readonly leased: Set<string>;
  readonly log: Logger;
}

class MutterLease implements DisplayLease {
  readonly backend = 'mutter';
  readonly source: CaptureSource;
  readonly environment: Readonly<Record<string, string>>;
  readonly lost: Promise<string>;
  readonly #parts: LeaseParts;
  #monitor: MutterMonitor | null;
  #mode: DisplayMode;
  #released: Promise<void> | null = null;

  constructor(parts: LeaseParts) {
    const { mirrored, request, session, desktop } = parts;
    this.#parts = parts;
    this.#monitor = mirrored;
    this.#mode = mirrored ? modeOfMonitor(mirrored, request.mode) : request.mode;
    this.environment = {
      XDG_RUNTIME_DIR: desktop.runtimeDir,
      DBUS_SESSION_BUS_ADDRESS: desktop.busAddress,
      ...(desktop.waylandSocket === null ? {} : { WAYLAND_DISPLAY: desktop.waylandSocket }),
    };
    this.lost = session.lost;
    this.source = {
      kind: 'pipewire',
      nodeId: session.nodeId,
      runtimeDir: desktop.runtimeDir,
      mode: this.#mode,
      fixedSize: mirrored === null,
    };
  }

  /** The connector once pictures flow; before, a virtual monitor does not exist yet. */
  get outputName(): string {
    return this.#monitor?.connector ?? 'virtual monitor';
  }

  get mode(): DisplayMode {
    return this.#mode;
  }

  async readBack(): Promise<DisplayMode> {
    const { bus, request, log } = this.#parts;
    const deadlineMs = performance.now() + READ_BACK_TIMEOUT_MS;
    for (;;) {
      const monitor = this.#find(await readMonitors(bus));
      if (monitor) {
        this.#monitor = monitor;
        this.#mode = modeOfMonitor(monitor, request.mode);
        break;
      }
      if (performance.now() > deadlineMs) {
        throw new Error(
          `GNOME shows no monitor for this session after ${READ_BACK_TIMEOUT_MS} ms; are pictures being captured?`,
        );
      }
      await Bun.sleep(READ_BACK_POLL_MS);
    }
    if (request.kind === 'virtual' && formatMode(this.#mode) !== formatMode(request.mode)) {
      log.warn('GNOME set another mode', {
        asked: formatMode(request.mode),
        set: formatMode(this.#mode),
      });
    }
    return this.#mode;
  }

  async openInjector() {
    const { session, log } = this.#parts;
    return openMutterInjector({
      notify: session.notify,
      streamPath: session.streamPath,
      mode: () => this.#mode,
      log,
    });
  }

  release(): Promise<void> {
    this.#released ??= this.#release();
    return this.#released;
  }

  async #release(): Promise<void> {
    const { session, leased } = this.#parts;
    await session.stop();
    if (this.#monitor) leased.delete(this.#monitor.connector);
  }

  /** Our monitor among all: the known one, else a new one that no other lease has. */
  #find(monitors: readonly MutterMonitor[]): MutterMonitor | null {
    const { before, leased } = this.#parts;
    const known = this.#monitor?.connector;
    if (known) return monitors.find(({ connector }) => connector === known) ?? null;
    const fresh = monitors.filter(
      ({ connector }) => !before.has(connector) && !leased.has(connector),
    );
    const { width, height } = this.#parts.request.mode;
    const found = fresh.find((monitor) => monitor.width === width && monitor.height === height);
    const monitor = found ?? fresh[0] ?? null;
    if (monitor) leased.add(monitor.connector);
    return monitor;
  }
}
