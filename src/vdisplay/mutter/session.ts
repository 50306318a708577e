/**
 * One remote desktop session of Mutter with one stream of pictures.
 *
 * Order: RemoteDesktop.CreateSession → SessionId → ScreenCast.CreateSession → Record… → Start on the
 * remote desktop session → PipeWireStreamAdded. The session belongs to the bus connection: when the
 * host dies, Mutter ends it and takes a virtual monitor away by itself.
 */
import {
  asNumber,
  asText,
  type DbusConnection,
  type DbusValue,
  options,
  variant,
} from '../../desktop/dbus/index.ts';
import { REMOTE_DESKTOP, SCREEN_CAST } from './desktop.ts';

/** `cursor-mode`: the pointer is drawn into the picture. */
const CURSOR_EMBEDDED = 1;
/** Mutter answered in 3–16 ms; a busy machine gets this long. */
const STREAM_TIMEOUT_MS = 5_000;

const REMOTE_SESSION = 'org.gnome.Mutter.RemoteDesktop.Session';
const CAST_SESSION = 'org.gnome.Mutter.ScreenCast.Session';
const CAST_STREAM = 'org.gnome.Mutter.ScreenCast.Stream';

export type MutterRecording =
  | { readonly kind: 'virtual' }
  | { readonly kind: 'monitor'; readonly connector: string };

export interface MutterSession {
  /** PipeWire node of the pictures. */
  readonly nodeId: number;
  /** Object path that absolute positions refer to. */
  readonly streamPath: string;
  /** Resolves with the cause when Mutter or the bus ended the session; never rejects. */
  readonly lost: Promise<string>;
  /** Calls a Notify… method of the remote desktop session without waiting. */
  notify(member: string, signature: string, body: readonly DbusValue[]): void;
  /** Ends the session and waits until Mutter has. Idempotent. */
  stop(): Promise<void>;
}

/** Opens a session on `bus`, which it owns from now on: a failure or {@link MutterSession.stop} closes it. */
export async function openMutterSession(
  bus: DbusConnection,
  recording: MutterRecording,
): Promise<MutterSession> {
  try {
    return await start(bus, recording);
  } catch (error) {
    bus.close();
    throw error;
  }
}

async function start(bus: DbusConnection, recording: MutterRecording): Promise<MutterSession> {
  const destination = REMOTE_DESKTOP.name;
  const owner = await bus.nameOwner(destination);
  if (owner === null) throw new Error('Mutter left the session bus');
  const [remotePath] = await bus.call({
    destination,
    path: REMOTE_DESKTOP.path,
    interface: REMOTE_DESKTOP.name,
    member: 'CreateSession',
  });
  const remote = { destination, path: asText(remotePath), interface: REMOTE_SESSION };
  const sessionId = asText(
    await bus.property(destination, remote.path, REMOTE_SESSION, 'SessionId'),
  );
  const [castPath] = await bus.call({
    destination: SCREEN_CAST.name,
    path: SCREEN_CAST.path,
    interface: SCREEN_CAST.name,
    member: 'CreateSession',
    signature: 'a{sv}',
    body: [options({ 'remote-desktop-session-id': variant('s', sessionId) })],
  });
  const streamPath = await record(bus, asText(castPath), recording);
  const { lost } = await watchLoss(bus, owner, remote.path);
  const nodeId = await startStream(bus, owner, remote, streamPath);
  let stopped: Promise<void> | null = null;
  return {
    nodeId,
    streamPath,
    lost,
    notify: (member, signature, body) => bus.send({ ...remote, member, signature, body }),
    stop: () => {
      stopped ??= stop(bus, remote);
      return stopped;
    },
  };
}

async function record(
  bus: DbusConnection,
  path: string,
  recording: MutterRecording,
): Promise<string> {
  const session = { destination: SCREEN_CAST.name, path, interface: CAST_SESSION };
  const cursor = { 'cursor-mode': variant('u', CURSOR_EMBEDDED) };
  const [stream] =
    recording.kind === 'virtual'
      ? await bus.call({
          ...session,
          member: 'RecordVirtual',
          signature: 'a{sv}',
          body: [options({ ...cursor, 'is-platform': variant('b', true) })],
        })
      : await bus.call({
          ...session,
          member: 'RecordMonitor',
          signature: 'sa{sv}',
          body: [recording.connector, options(cursor)],
        });
  return asText(stream);
}

async function startStream(
  bus: DbusConnection,
  owner: string,
  remote: { destination: string; path: string; interface: string },
  streamPath: string,
): Promise<number> {
  const added = Promise.withResolvers<number>();
  const timer = setTimeout(
    () => added.reject(new Error(`Mutter announced no stream in ${STREAM_TIMEOUT_MS} ms`)),
    STREAM_TIMEOUT_MS,
  );
  bus.closed.then((reason) => added.reject(new Error(reason)));
  try {
    const unsubscribe = await bus.subscribe(
      { sender: owner, path: streamPath, interface: CAST_STREAM, member: 'PipeWireStreamAdded' },
      ([node]) => added.resolve(asNumber(node)),
    );
    await bus.call({ ...remote, member: 'Start' });
    const nodeId = await added.promise;
    unsubscribe();
    return nodeId;
  } catch (error) {
    added.promise.catch(() => {
      // The error below is the first cause.
    });
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function watchLoss(
  bus: DbusConnection,
  owner: string,
  remotePath: string,
): Promise<{ readonly lost: Promise<string> }> {
  const lost = Promise.withResolvers<string>();
  await bus.subscribe(
    { sender: owner, path: remotePath, interface: REMOTE_SESSION, member: 'Closed' },
    () => lost.resolve('GNOME ended the remote desktop session'),
  );
  await bus.watchOwner(owner, () => lost.resolve('GNOME Shell (Mutter) left the session bus'));
  bus.closed.then((reason) => lost.resolve(`the session bus is gone: ${reason}`));
  return { lost: lost.promise };
}

async function stop(
  bus: DbusConnection,
  remote: { destination: string; path: string; interface: string },
): Promise<void> {
  try {
    await bus.call({ ...remote, member: 'Stop' });
  } catch {
    // Mutter, the session or the bus is gone already, and with it the monitor.
  }
  bus.close();
}
