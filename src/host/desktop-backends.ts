/** The display backends of this build, best first, and how to undo what they change. */
import { join } from 'node:path';
import type { RestoreJournal, UndoHandler } from '../platform/journal.ts';
import { logger } from '../platform/log.ts';
import { createMutterBackend } from '../vdisplay/mutter/backend.ts';
import type { VirtualDisplayBackend } from '../vdisplay/port.ts';
import { createPortalBackend } from '../vdisplay/portal/backend.ts';
import { createWlrootsBackend, wlrootsUndoHandlers } from '../vdisplay/wlroots/backend.ts';

export interface DesktopSettings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly settings: {
    readonly waylandDisplay: string | null;
    readonly desktopRuntimeDir: string | null;
  };
  readonly paths: { readonly stateDir: string };
}

export function desktopBackends(
  { env, settings, paths }: DesktopSettings,
  journal: RestoreJournal,
): readonly VirtualDisplayBackend[] {
  const environment = {
    ...env,
    ...(settings.waylandDisplay === null ? {} : { WAYLAND_DISPLAY: settings.waylandDisplay }),
    ...(settings.desktopRuntimeDir === null ? {} : { XDG_RUNTIME_DIR: settings.desktopRuntimeDir }),
  };
  const log = logger('vdisplay');
  return [
    createWlrootsBackend({ environment, journal, log }),
    createMutterBackend({ environment, log }),
    createPortalBackend({
      environment,
      restoreTokenPath: join(paths.stateDir, 'portal-permissions.json'),
      log,
    }),
  ];
}

export function desktopUndoHandlers(): Record<string, UndoHandler> {
  return wlrootsUndoHandlers();
}
