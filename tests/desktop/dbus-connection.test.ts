import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { BusSocket } from '../../src/desktop/dbus/bus-socket.ts';
import {
  asArray,
  asText,
  busSocketPath,
  DbusConnection,
  optionOf,
} from '../../src/desktop/dbus/index.ts';
import { encodeMessage } from '../../src/desktop/dbus/message.ts';
import { type DesktopSession, sessionSkipReason, startSession } from './harness-session.ts';

setDefaultTimeout(30_000);

const skipReason = sessionSkipReason([]);
if (skipReason) console.log(`skipped: a real session bus: ${skipReason}`);

const BUS = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
} as const;

describe.skipIf(skipReason !== null)('a connection to a session bus', () => {
  let session: DesktopSession;
  beforeAll(async () => {
    session = await startSession();
  });
  afterAll(() => session.stop());

  test('says hello and calls the bus', async () => {
    const bus = await DbusConnection.open(session.busAddress);

    const [names] = await bus.call({ ...BUS, member: 'ListNames' });

    expect(bus.uniqueName).toMatch(/^:\d+\.\d+$/);
    expect(asArray(names)).toContain(bus.uniqueName);
    bus.close();
  });

  test('reads dictionaries of variants that the bus builds', async () => {
    const bus = await DbusConnection.open(session.busAddress);

    const [credentials] = await bus.call({
      ...BUS,
      member: 'GetConnectionCredentials',
      signature: 's',
      body: [bus.uniqueName],
    });

    expect(optionOf(credentials, 'ProcessID')).toBe(process.pid);
    expect(optionOf(credentials, 'UnixUserID')).toBe(process.geteuid?.());
    bus.close();
  });

  test('an error reply rejects with the name and the words of the service', async () => {
    const bus = await DbusConnection.open(session.busAddress);

    const refused = bus.call({ ...BUS, member: 'NoSuchMember' });

    expect(refused).rejects.toMatchObject({
      errorName: 'org.freedesktop.DBus.Error.UnknownMethod',
      message: expect.stringContaining('NoSuchMember'),
    });
    expect(await bus.nameOwner('no.such.name')).toBeNull();
    bus.close();
  });

  test('a call that nobody answers ends after its deadline', async () => {
    const bus = await DbusConnection.open(session.busAddress);
    const hello = Promise.withResolvers<string>();
    const silent = new BusSocket(
      (message) => hello.resolve(asText(message.body?.[0])),
      () => {},
    );
    await silent.connect(busSocketPath(session.busAddress) ?? '');
    silent.write(encodeMessage({ type: 'call', serial: 1, ...BUS, member: 'Hello' }));
    const name = await hello.promise;

    const startedMs = performance.now();
    const call = bus.call({ ...BUS, destination: name, member: 'Ask', timeoutMs: 150 });

    expect(call).rejects.toMatchObject({
      errorName: 'local.timeout',
      message: 'org.freedesktop.DBus.Ask gave no answer in 150 ms',
    });
    await call.catch(() => {});
    expect(performance.now() - startedMs).toBeGreaterThan(140);
    bus.close();
    silent.close('the test is over');
  });

  test('signals arrive from the moment the subscription stands, and only matching ones', async () => {
    const bus = await DbusConnection.open(session.busAddress);
    const heard: unknown[] = [];
    const stop = await bus.subscribe(
      { sender: BUS.destination, interface: BUS.interface, member: 'NameOwnerChanged' },
      ([name, before, after]) => heard.push([name, before, after]),
    );

    const other = await DbusConnection.open(session.busAddress);
    const name = other.uniqueName;
    await bus.nameOwner(name);
    stop();
    other.close();
    await bus.call({ ...BUS, member: 'GetId' });

    expect(heard).toEqual([[name, '', name]]);
    bus.close();
  });

  test('an owner that leaves is told once', async () => {
    const bus = await DbusConnection.open(session.busAddress);
    const other = await DbusConnection.open(session.busAddress);
    const gone = Promise.withResolvers<void>();
    let toldCount = 0;
    await bus.watchOwner(other.uniqueName, () => {
      toldCount += 1;
      gone.resolve();
    });

    other.close();
    await gone.promise;

    expect(toldCount).toBe(1);
    bus.close();
  });

  test('calls to us are refused instead of left waiting', async () => {
    const bus = await DbusConnection.open(session.busAddress);
    const caller = await DbusConnection.open(session.busAddress);

    const call = caller.call({
      destination: bus.uniqueName,
      path: '/x',
      interface: 'a.b',
      member: 'C',
    });

    expect(call).rejects.toMatchObject({ errorName: 'org.freedesktop.DBus.Error.UnknownObject' });
    await call.catch(() => {});
    bus.close();
    caller.close();
  });

  test('200 calls at once are all answered, the 257th waiting one is refused', async () => {
    const bus = await DbusConnection.open(session.busAddress);

    const calls = Array.from({ length: 256 }, () => bus.call({ ...BUS, member: 'GetId' }));
    const extra = bus.call({ ...BUS, member: 'GetId' });

    expect(extra).rejects.toMatchObject({ errorName: 'local.busy' });
    await extra.catch(() => {});
    expect(new Set((await Promise.all(calls)).map(([id]) => id)).size).toBe(1);
    bus.close();
  });
});

describe.skipIf(skipReason !== null)('a bus that goes away', () => {
  test('resolves `closed` and rejects waiting and later calls within a second', async () => {
    const session = await startSession();
    const bus = await DbusConnection.open(session.busAddress);

    const startedMs = performance.now();
    await session.stop();
    const reason = await bus.closed;

    expect(reason).toBe('the bus ended the connection');
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    expect(bus.isOpen).toBe(false);
    expect(bus.call({ ...BUS, member: 'GetId' })).rejects.toMatchObject({
      errorName: 'local.closed',
    });
    bus.send({ ...BUS, member: 'GetId' });
  });

  test('an address without a listener is a sentence that names it', async () => {
    const opened = DbusConnection.open('unix:path=/nonexistent/bus');

    expect(opened).rejects.toMatchObject({
      errorName: 'local.unreachable',
      message: expect.stringContaining('/nonexistent/bus'),
    });
    await opened.catch(() => {});
  });
});

const strangerSkipReason =
  skipReason ?? (process.getuid?.() === 0 ? null : 'another user can only be played by root');
if (strangerSkipReason) console.log(`skipped: the bus of another user: ${strangerSkipReason}`);

describe.skipIf(strangerSkipReason !== null)('the bus of another user', () => {
  test('is refused with the advice to run as that user', async () => {
    const session = await startSession();
    const strict = session.writeFile(
      'strict.conf',
      `<busconfig><type>session</type><listen>unix:path=${session.runtimeDir}/strict</listen>
       <auth>EXTERNAL</auth><policy context="default"><allow send_destination="*"/>
       <allow own="*"/></policy></busconfig>`,
    );
    const daemon = session.spawn([
      'dbus-daemon',
      `--config-file=${strict}`,
      '--nofork',
      '--print-address',
    ]);
    await daemon.waitFor(/unix:path/);

    const opened = DbusConnection.open(`unix:path=${session.runtimeDir}/strict`);

    expect(opened).rejects.toMatchObject({
      errorName: 'local.refused',
      message: expect.stringContaining('run punktfunk as the user of the desktop'),
    });
    await opened.catch(() => {});
    await session.stop();
  });
});
