/**
 * One screen sharing session of the portal: CreateSession → SelectDevices (where input is possible)
 * → SelectSources → Start. The node of the stream is captured over PipeWire's ordinary socket.
 * Source: xdg-desktop-portal, org.freedesktop.portal.ScreenCast and RemoteDesktop.
 */
import {
  asArray,
  asNumber,
  asText,
  type DbusConnection,
  type DbusValue,
  optionOf,
  options,
  type Variant,
  variant,
} from '../../desktop/dbus/index.ts';
import {
  CURSOR_MODES,
  type FoundPortal,
  REMOTE_DESKTOP,
  SCREEN_CAST,
  SOURCE_TYPES,
} from './desktop.ts';
import { PORTAL, type PortalResults, portalObjectPath, requestPortal } from './request.ts';

const SESSION_INTERFACE = 'org.freedesktop.portal.Session';
const SETUP_TIMEOUT_MS = 10_000;
/** A person has this long to answer the desktop's question. */
export const APPROVAL_TIMEOUT_MS = 60_000;
/** keyboard 1, pointer 2, touchscreen 4. */
const ALL_DEVICES = 7;
/** `persist_mode`: until it is revoked. */
const PERSIST_FOREVER = 2;
/** Versions that know `persist_mode` and `restore_token`. */
const SCREEN_CAST_PERSIST_VERSION = 4;
const REMOTE_DESKTOP_PERSIST_VERSION = 2;

export interface PortalStream {
  readonly nodeId: number;
  /** In the compositor's coordinates; null when the portal does not tell. */
  readonly size: { readonly width: number; readonly height: number } | null;
  readonly position: { readonly x: number; readonly y: number } | null;
}

export interface PortalSession {
  readonly stream: PortalStream;
  /** Token for the next start, or null. */
  readonly restoreToken: string | null;
  /** Devices the session may drive; 0 none. */
  readonly devices: number;
  /** Resolves with the cause when the portal ended the session; never rejects. */
  readonly lost: Promise<string>;
  /** Calls a Notify… method: the session and empty options come before `body`. */
  notify(member: string, signature: string, body: readonly DbusValue[]): void;
  /** Ends the session. Idempotent. */
  stop(): Promise<void>;
}

export interface PortalWish {
  /** Make a screen where the portal can, else share an existing one. */
  readonly wantsVirtual: boolean;
  readonly restoreToken: string | null;
  /** Makes names unique on our bus connection. */
  readonly nextToken: () => string;
}

/** Opens a session on `portal.bus`, which it owns from now on. */
export async function openPortalSession(
  portal: FoundPortal,
  wish: PortalWish,
): Promise<PortalSession> {
  const { bus } = portal;
  try {
    return await start(portal, wish);
  } catch (error) {
    bus.close();
    throw error;
  }
}

/** The choices of SelectSources. */
export function sourceOptions(
  portal: Pick<FoundPortal, 'sourceTypes' | 'cursorModes'>,
  wantsVirtual: boolean,
): Readonly<Record<string, Variant>> {
  const canMake = (portal.sourceTypes & SOURCE_TYPES.virtual) !== 0;
  const types = wantsVirtual && canMake ? SOURCE_TYPES.virtual : SOURCE_TYPES.monitor;
  const cursor = (portal.cursorModes & CURSOR_MODES.embedded) !== 0;
  return {
    types: variant('u', types),
    multiple: variant('b', false),
    ...(cursor ? { cursor_mode: variant('u', CURSOR_MODES.embedded) } : {}),
  };
}

/** First stream of a Start response; null when there is none. */
export function readStream(results: PortalResults): PortalStream | null {
  const first = asArray(asArray(optionOf(results, 'streams'))[0]);
  const [node, properties] = first;
  if (typeof node !== 'number') return null;
  const [width, height] = asArray(optionOf(properties, 'size')).map(asNumber);
  const [x, y] = asArray(optionOf(properties, 'position')).map(asNumber);
  return {
    nodeId: node,
    size: width && height && width > 0 && height > 0 ? { width, height } : null,
    position: x !== undefined && y !== undefined ? { x, y } : null,
  };
}

async function start(portal: FoundPortal, wish: PortalWish): Promise<PortalSession> {
  const { bus, remoteDesktopVersion, screenCastVersion } = portal;
  const hasInput = remoteDesktopVersion > 0;
  const owner = hasInput ? REMOTE_DESKTOP : SCREEN_CAST;
  const persist: Record<string, Variant> = {
    persist_mode: variant('u', PERSIST_FOREVER),
    ...(wish.restoreToken === null ? {} : { restore_token: variant('s', wish.restoreToken) }),
  };
  const ask = (
    member: string,
    interfaceName: string,
    args: readonly [string, readonly DbusValue[]],
    choice: Readonly<Record<string, Variant>>,
    timeoutMs = SETUP_TIMEOUT_MS,
  ) =>
    requestPortal(bus, wish.nextToken(), {
      interface: interfaceName,
      member,
      signature: args[0],
      args: args[1],
      options: choice,
      timeoutMs,
    });
  const sessionToken = wish.nextToken();
  const created = await ask('CreateSession', owner, ['', []], {
    session_handle_token: variant('s', sessionToken),
  });
  // The handle comes as a string although it is a path.
  const path =
    asText(optionOf(created, 'session_handle')) ||
    portalObjectPath('session', bus.uniqueName, sessionToken);
  const { lost, markClosed } = await watchLoss(bus, path);
  if (hasInput) {
    const keeps = remoteDesktopVersion >= REMOTE_DESKTOP_PERSIST_VERSION;
    await ask('SelectDevices', REMOTE_DESKTOP, ['o', [path]], {
      types: variant('u', ALL_DEVICES),
      ...(keeps ? persist : {}),
    });
  }
  const keeps = !hasInput && screenCastVersion >= SCREEN_CAST_PERSIST_VERSION;
  await ask('SelectSources', SCREEN_CAST, ['o', [path]], {
    ...sourceOptions(portal, wish.wantsVirtual),
    ...(keeps ? persist : {}),
  });
  const started = await ask('Start', owner, ['os', [path, '']], {}, APPROVAL_TIMEOUT_MS);
  const stream = readStream(started);
  if (!stream) throw new Error("the desktop's portal shared nothing");
  let stopped: Promise<void> | null = null;
  return {
    stream,
    restoreToken: asText(optionOf(started, 'restore_token')) || null,
    devices: hasInput ? asNumber(optionOf(started, 'devices')) : 0,
    lost,
    notify: (member, signature, body) =>
      bus.send({
        ...PORTAL,
        interface: REMOTE_DESKTOP,
        member,
        signature: `oa{sv}${signature}`,
        body: [path, options({}), ...body],
      }),
    stop: () => {
      stopped ??= stop(bus, path, markClosed);
      return stopped;
    },
  };
}

async function watchLoss(
  bus: DbusConnection,
  path: string,
): Promise<{ readonly lost: Promise<string>; readonly markClosed: () => void }> {
  const lost = Promise.withResolvers<string>();
  await bus.subscribe({ path, interface: SESSION_INTERFACE, member: 'Closed' }, () =>
    lost.resolve('the desktop ended screen sharing'),
  );
  const owner = await bus.nameOwner(PORTAL.destination);
  if (owner !== null) {
    await bus.watchOwner(owner, () => lost.resolve('the desktop portal left the session bus'));
  }
  void bus.closed.then((reason) => lost.resolve(`the session bus is gone: ${reason}`));
  return { lost: lost.promise, markClosed: () => lost.resolve('screen sharing was ended') };
}

async function stop(bus: DbusConnection, path: string, markClosed: () => void): Promise<void> {
  try {
    await bus.call({
      destination: PORTAL.destination,
      path,
      interface: SESSION_INTERFACE,
      member: 'Close',
    });
  } catch {
    // The session or the portal is gone already.
  }
  markClosed();
  bus.close();
}
