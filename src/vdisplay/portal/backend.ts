/**
 * Screens through xdg-desktop-portal: what every desktop offers, after its user agreed once. An
 * existing monitor is shared, or a new one where the portal can make one; its mode is the desktop's.
 */
import { randomBytes } from 'node:crypto';
import type { Availability } from '../../capture/port.ts';
import type { Environment } from '../../desktop/session.ts';
import { openMutterInjector } from '../../inject/mutter/injector.ts';
import type { Injector } from '../../inject/port.ts';
import { toPortalDialect } from '../../inject/portal/dialect.ts';
import { openWlrInjector } from '../../inject/wlr/injector.ts';
import type { Logger } from '../../platform/log.ts';
import type { DisplayMode } from '../../session/mode.ts';
import type { DisplayLease, DisplayRequest, VirtualDisplayBackend } from '../port.ts';
import { type FoundPortal, findPortal, SOURCE_TYPES } from './desktop.ts';
import { outputOfStream, type ShownOutput } from './output.ts';
import { RestoreTokens } from './restore-token.ts';
import { openPortalSession, type PortalSession } from './session.ts';

export interface PortalBackendOptions {
  /** Environment to look for the desktop in; never changed. */
  readonly environment: Environment;
  /** File that keeps the portal's permission; owner-only. */
  readonly restoreTokenPath: string;
  readonly log: Logger;
}

export function createPortalBackend(backendOptions: PortalBackendOptions): VirtualDisplayBackend {
  return {
    name: 'portal',
    probe: () => probe(backendOptions.environment),
    acquire: (request) => acquire(backendOptions, request),
  };
}

async function probe(environment: Environment): Promise<Availability> {
  const found = await findPortal(environment);
  if (!('bus' in found)) return found;
  found.bus.close();
  const input = found.remoteDesktopVersion > 0 ? 'with input' : 'without input of its own';
  const detail = `portal, ScreenCast version ${found.screenCastVersion}, ${input}`;
  return { available: true, detail };
}

async function acquire(
  { environment, restoreTokenPath, log }: PortalBackendOptions,
  request: DisplayRequest,
): Promise<DisplayLease> {
  const found = await findPortal(environment);
  if (!('bus' in found)) throw new Error(`${found.missing}; ${found.remedy}`);
  const wantsVirtual = request.kind === 'virtual';
  const tokens = new RestoreTokens(restoreTokenPath);
  const session = await openPortalSession(found, {
    wantsVirtual,
    restoreToken: tokens.read(request.kind),
    nextToken: () => `punktfunk_${randomBytes(8).toString('hex')}`,
  });
  try {
    saveToken(tokens, request.kind, session.restoreToken, log);
    const output = found.waylandSocket
      ? await outputOfStream(found.waylandSocket, session.stream)
      : null;
    return lease({ found, session, request, output, log });
  } catch (error) {
    await session.stop();
    throw error;
  }
}

/** A token that cannot be kept costs a question at the next start, not this session. */
function saveToken(tokens: RestoreTokens, kind: string, token: string | null, log: Logger): void {
  try {
    tokens.write(kind, token);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    log.warn('the permission to share this screen again is not kept', { cause });
  }
}

interface LeaseParts {
  readonly found: FoundPortal;
  readonly session: PortalSession;
  readonly request: DisplayRequest;
  readonly output: ShownOutput | null;
  readonly log: Logger;
}

function lease(parts: LeaseParts): DisplayLease {
  const { found, session, request, output } = parts;
  const mode = modeOf(session, request.mode, output);
  const canMake = (found.sourceTypes & SOURCE_TYPES.virtual) !== 0;
  return {
    backend: 'portal',
    outputName: output?.name ?? 'shared screen',
    mode,
    source: {
      kind: 'pipewire',
      nodeId: session.stream.nodeId,
      runtimeDir: found.runtimeDir,
      // A screen made for us takes the size we ask for where the desktop lets it.
      mode: request.kind === 'virtual' && canMake ? request.mode : mode,
      fixedSize: false,
    },
    readBack: async () => mode,
    openInjector: () => openInjector(parts, mode),
    lost: session.lost,
    release: () => session.stop(),
  };
}

function modeOf(
  session: PortalSession,
  asked: DisplayMode,
  output: ShownOutput | null,
): DisplayMode {
  if (output) {
    const { width, height, refreshMilliHz } = output;
    if (refreshMilliHz <= 0) return { ...asked, width, height };
    return refreshMilliHz % 1000 === 0
      ? { width, height, refreshNum: refreshMilliHz / 1000, refreshDen: 1 }
      : { width, height, refreshNum: refreshMilliHz, refreshDen: 1000 };
  }
  return { ...asked, ...session.stream.size };
}

/** Input through the portal where it takes any, else through the compositor's own protocols. */
async function openInjector(parts: LeaseParts, mode: DisplayMode): Promise<Injector> {
  const { found, session, output, log } = parts;
  if (session.devices !== 0) {
    const { nodeId } = session.stream;
    return openMutterInjector({
      description: 'portal remote desktop',
      notify: (member, _signature, body) => {
        const call = toPortalDialect(member, body, nodeId);
        session.notify(call.member, call.signature, call.body);
      },
      streamPath: '',
      mode: () => mode,
      log,
    });
  }
  if (found.waylandSocket && output) {
    const { waylandSocket } = found;
    return await openWlrInjector({ socketPath: waylandSocket, outputName: output.name, log });
  }
  throw new Error(
    "this desktop's portal takes no input, and which output it shares is not known; " +
      'use the source of the desktop itself (virtual or mirror)',
  );
}
