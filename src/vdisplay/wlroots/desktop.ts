/**
 * Finds the wlroots desktop to work on: the first running compositor that lets its picture be
 * copied. Asks the compositor what it offers instead of trusting its name; changes nothing.
 */
import type { Availability } from '../../capture/port.ts';
import { type Environment, findDesktops, type RunningDesktop } from '../../desktop/session.ts';
import { WaylandConnection } from '../../desktop/wayland/connection.ts';
import { COPY_CAPTURE_MANAGER } from '../../desktop/wayland/protocols/ext.ts';
import {
  OUTPUT_MANAGER,
  SCREENCOPY_MANAGER,
  VIRTUAL_KEYBOARD_MANAGER,
  VIRTUAL_POINTER_MANAGER,
} from '../../desktop/wayland/protocols/wlr.ts';

const ANSWER_TIMEOUT_MS = 2_000;

export interface WlrootsDesktop {
  readonly desktop: RunningDesktop;
  readonly canCapture: boolean;
  readonly canPoint: boolean;
  readonly canType: boolean;
  readonly canManageOutputs: boolean;
}

/** The desktop, or what is missing. */
export async function findWlrootsDesktop(
  environment: Environment,
): Promise<WlrootsDesktop | Extract<Availability, { available: false }>> {
  const desktops = findDesktops(environment);
  for (const desktop of desktops) {
    const found = await inspectDesktop(desktop);
    if (found?.canCapture) return found;
  }
  if (desktops.length === 0) {
    return {
      available: false,
      missing: 'no Wayland compositor answers in XDG_RUNTIME_DIR or /run/user',
      remedy: 'start the desktop first, or run the host as the user who is logged in',
    };
  }
  const names = desktops.map((desktop) => desktop.processName).join(', ');
  return {
    available: false,
    missing: `${names}: no screen copy protocol (zwlr_screencopy or ext_image_copy_capture)`,
    remedy: 'use sway or another wlroots compositor, or another display source',
  };
}

async function inspectDesktop(desktop: RunningDesktop): Promise<WlrootsDesktop | null> {
  let connection: WaylandConnection;
  try {
    connection = new WaylandConnection(desktop.waylandSocket);
  } catch {
    return null;
  }
  try {
    if (!(await connection.roundtripAsync(ANSWER_TIMEOUT_MS))) return null;
    const offered = new Set([...connection.globals.values()].map((global) => global.interface));
    return {
      desktop,
      canCapture: offered.has(SCREENCOPY_MANAGER.name) || offered.has(COPY_CAPTURE_MANAGER.name),
      canPoint: offered.has(VIRTUAL_POINTER_MANAGER.name),
      canType: offered.has(VIRTUAL_KEYBOARD_MANAGER.name),
      canManageOutputs: offered.has(OUTPUT_MANAGER.name),
    };
  } finally {
    connection.close();
  }
}
