/**
 * Monitors of a GNOME session, from org.gnome.Mutter.DisplayConfig.GetCurrentState.
 * Reply: u serial, a((ssss)a(siiddada{sv})a{sv}) monitors, a(iiduba(ssss)a{sv}) logical, a{sv}.
 */
import {
  asArray,
  asNumber,
  asText,
  type DbusConnection,
  type DbusValue,
  optionOf,
} from '../../desktop/dbus/index.ts';
import type { DisplayMode } from '../../session/mode.ts';

export const DISPLAY_CONFIG = {
  destination: 'org.gnome.Mutter.DisplayConfig',
  path: '/org/gnome/Mutter/DisplayConfig',
  interface: 'org.gnome.Mutter.DisplayConfig',
} as const;

/** More monitors than any machine drives. */
const MONITORS_MAX = 64;
/** Rates nearer than this are one: Mutter keeps 32-bit floats and three decimals. */
const RATE_TOLERANCE_HZ = 0.01;

export interface MutterMonitor {
  /** Connector, e.g. `Meta-0`, `DP-1`. */
  readonly connector: string;
  readonly width: number;
  readonly height: number;
  readonly refreshHz: number;
  readonly isPrimary: boolean;
}

/** Monitors that show something, in the compositor's order. */
export async function readMonitors(bus: DbusConnection): Promise<readonly MutterMonitor[]> {
  const reply = await bus.call({ ...DISPLAY_CONFIG, member: 'GetCurrentState' });
  return parseMonitors(reply);
}

export function parseMonitors(reply: readonly DbusValue[]): readonly MutterMonitor[] {
  const primary = primaryConnectors(reply[2]);
  const monitors: MutterMonitor[] = [];
  for (const monitor of asArray(reply[1]).slice(0, MONITORS_MAX)) {
    const [names, modes] = asArray(monitor);
    const connector = asText(asArray(names)[0]);
    const current = asArray(modes).find(
      (mode) => optionOf(asArray(mode)[6], 'is-current') === true,
    );
    if (!connector || !current) continue;
    const [, width, height, refreshHz] = asArray(current);
    monitors.push({
      connector,
      width: asNumber(width),
      height: asNumber(height),
      refreshHz: asNumber(refreshHz),
      isPrimary: primary.has(connector),
    });
  }
  return monitors;
}

/** The monitor's mode; the rate as `wanted` writes it when both are the same rate. */
export function modeOfMonitor(monitor: MutterMonitor, wanted?: DisplayMode): DisplayMode {
  const { width, height, refreshHz } = monitor;
  if (wanted && Math.abs(wanted.refreshNum / wanted.refreshDen - refreshHz) < RATE_TOLERANCE_HZ) {
    return { width, height, refreshNum: wanted.refreshNum, refreshDen: wanted.refreshDen };
  }
  const milliHz = Math.round(refreshHz * 1000);
  return milliHz % 1000 === 0
    ? { width, height, refreshNum: milliHz / 1000, refreshDen: 1 }
    : { width, height, refreshNum: milliHz, refreshDen: 1000 };
}

function primaryConnectors(logical: DbusValue | undefined): ReadonlySet<string> {
  const names = new Set<string>();
  for (const monitor of asArray(logical)) {
    const [, , , , isPrimary, members] = asArray(monitor);
    if (isPrimary !== true) continue;
    for (const member of asArray(members)) names.add(asText(asArray(member)[0]));
  }
  return names;
}
