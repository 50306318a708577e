/**
 * A client connection to a message bus: calls with deadlines, signals, properties.
 *
 * The address is a parameter; the process environment is not read. A bus serves only the user it
 * belongs to (the kernel tells it who connects), so a host running as another user, root included,
 * is refused, and the error says so. Descriptors are not passed.
 */
import { busSocketPath } from './address.ts';
import { BusSocket, refusedUser } from './bus-socket.ts';
import { DbusError } from './dbus-error.ts';
import { type DbusMessage, encodeMessage } from './message.ts';
import { asNumber, asText, type DbusValue, unwrapVariant } from './value.ts';

const CALL_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 5_000;
/** Calls waiting for an answer. */
const PENDING_MAX = 256;
const SUBSCRIPTIONS_MAX = 256;
const SERIAL_MAX = 0xffff_fffe;

const BUS = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
} as const;

export interface MethodCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly body?: readonly DbusValue[];
  readonly timeoutMs?: number;
}

export interface SignalMatch {
  /** Unique name (`:1.5`) of the sender; well-known names are resolved with {@link DbusConnection.nameOwner}. */
  readonly sender?: string;
  readonly path?: string;
  readonly interface: string;
  readonly member: string;
}

interface PendingCall {
  readonly resolve: (body: readonly DbusValue[]) => void;
  readonly reject: (error: Error) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

interface Subscription {
  readonly match: SignalMatch;
  readonly handle: (body: readonly DbusValue[], message: DbusMessage) => void;
}

export class DbusConnection {
  /** Resolves with the reason once the bus is gone or {@link close} was called. Never rejects. */
  readonly closed: Promise<string>;
  readonly #settleClosed: (reason: string) => void;
  readonly #socket: BusSocket;
  readonly #pending = new Map<number, PendingCall>();
  readonly #subscriptions = new Set<Subscription>();
  #serial = 0;
  #uniqueName = '';
  #closedReason: string | null = null;

  /**
   * Connects, authenticates as the process's user and says hello.
   * Throws {@link DbusError} `local.*` with what to do when that is not possible.
   */
  static async open(address: string, timeoutMs = CONNECT_TIMEOUT_MS): Promise<DbusConnection> {
    const path = busSocketPath(address);
    if (path === null) {
      throw new DbusError('local.address', `bus address "${address}" names no unix socket`);
    }
    const connection = new DbusConnection();
    try {
      await withDeadline(connection.#connect(path), timeoutMs, `the bus at ${address}`);
    } catch (error) {
      connection.#socket.close('the bus was not reached');
      throw error;
    }
    return connection;
  }

  private constructor() {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.closed = promise;
    this.#settleClosed = resolve;
    this.#socket = new BusSocket(
      (message) => this.#dispatch(message),
      (reason) => this.#fail(reason),
    );
  }

  /** Name the bus gave us, e.g. `:1.42`. */
  get uniqueName(): string {
    return this.#uniqueName;
  }

  get isOpen(): boolean {
    return this.#closedReason === null;
  }

  /** Calls a method; resolves to the body of the answer, rejects with {@link DbusError}. */
  call(call: MethodCall): Promise<readonly DbusValue[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly DbusValue[]>();
    if (this.#closedReason !== null) {
      reject(new DbusError('local.closed', this.#closedReason));
      return promise;
    }
    if (this.#pending.size >= PENDING_MAX) {
      reject(new DbusError('local.busy', `${PENDING_MAX} calls are waiting for an answer`));
      return promise;
    }
    const { timeoutMs = CALL_TIMEOUT_MS, ...fields } = call;
    const serial = this.#nextSerial();
    const timer = setTimeout(() => {
      this.#pending.delete(serial);
      const text = `${call.interface}.${call.member} gave no answer in ${timeoutMs} ms`;
      reject(new DbusError('local.timeout', text));
    }, timeoutMs);
    this.#pending.set(serial, { resolve, reject, timer });
    try {
      this.#socket.write(encodeMessage({ type: 'call', serial, ...fields }));
    } catch (error) {
      this.#settle(serial)?.reject(error as Error);
    }
    return promise;
  }

  /** Sends a call whose answer nobody waits for. Does nothing when the bus is gone. */
  send(call: MethodCall): void {
    if (this.#closedReason !== null) return;
    const { timeoutMs: _, ...fields } = call;
    const serial = this.#nextSerial();
    this.#socket.write(encodeMessage({ type: 'call', serial, noReply: true, ...fields }));
  }

  /** One property, unwrapped. */
  async property(
    destination: string,
    path: string,
    interfaceName: string,
    name: string,
  ): Promise<DbusValue | undefined> {
    const [value] = await this.call({
      destination,
      path,
      interface: 'org.freedesktop.DBus.Properties',
      member: 'Get',
      signature: 'ss',
      body: [interfaceName, name],
    });
    return unwrapVariant(value);
  }

  /** Unique name of a service's owner, or null when nobody owns it. */
  async nameOwner(name: string): Promise<string | null> {
    try {
      const [owner] = await this.#callBus('GetNameOwner', 's', [name]);
      return asText(owner);
    } catch (error) {
      if (error instanceof DbusError && error.errorName.endsWith('.NameHasNoOwner')) return null;
      throw error;
    }
  }

  /** Starts the service if it does not run and the bus knows how; resolves to its owner, or null. */
  async activate(name: string): Promise<string | null> {
    const running = await this.nameOwner(name);
    if (running !== null) return running;
    try {
      await this.#callBus('StartServiceByName', 'su', [name, 0]);
    } catch (error) {
      if (!(error instanceof DbusError) || error.errorName.startsWith('local.')) throw error;
      return null;
    }
    return this.nameOwner(name);
  }

  /**
   * Delivers matching signals to `handle` from the moment this resolves.
   * @returns a function that stops it.
   */
  async subscribe(match: SignalMatch, handle: Subscription['handle']): Promise<() => void> {
    if (this.#subscriptions.size >= SUBSCRIPTIONS_MAX) {
      throw new DbusError('local.busy', `${SUBSCRIPTIONS_MAX} signal subscriptions are open`);
    }
    const subscription = { match, handle };
    const rule = matchRule(match);
    this.#subscriptions.add(subscription);
    try {
      await this.#callBus('AddMatch', 's', [rule]);
    } catch (error) {
      this.#subscriptions.delete(subscription);
      throw error;
    }
    return () => {
      if (!this.#subscriptions.delete(subscription)) return;
      this.send({ ...BUS, member: 'RemoveMatch', signature: 's', body: [rule] });
    };
  }

  /** Calls `onGone` once when the owner of `uniqueName` leaves the bus. Returns a stop function. */
  async watchOwner(uniqueName: string, onGone: () => void): Promise<() => void> {
    let isTold = false;
    return this.subscribe(
      { sender: BUS.destination, interface: BUS.interface, member: 'NameOwnerChanged' },
      ([name, , newOwner]) => {
        if (name !== uniqueName || newOwner !== '' || isTold) return;
        isTold = true;
        onGone();
      },
    );
  }

  close(): void {
    this.#socket.close('the connection was closed');
  }

  async #connect(path: string): Promise<void> {
    await this.#socket.connect(path);
    try {
      const [name] = await this.#callBus('Hello', '', []);
      this.#uniqueName = asText(name);
    } catch (error) {
      const isClosed = error instanceof DbusError && error.errorName === 'local.closed';
      throw isClosed ? refusedUser() : error;
    }
  }

  #callBus(member: string, signature: string, body: readonly DbusValue[]) {
    return this.call({ ...BUS, member, signature, body });
  }

  #nextSerial(): number {
    this.#serial = this.#serial >= SERIAL_MAX ? 1 : this.#serial + 1;
    return this.#serial;
  }

  #dispatch(message: DbusMessage): void {
    const body = message.body ?? [];
    switch (message.type) {
      case 'return':
        this.#settle(asNumber(message.replySerial))?.resolve(body);
        break;
      case 'error': {
        const error = new DbusError(message.errorName ?? '', asText(body[0]));
        this.#settle(asNumber(message.replySerial))?.reject(error);
        break;
      }
      case 'signal':
        for (const { match, handle } of [...this.#subscriptions]) {
          if (matches(match, message)) handle(body, message);
        }
        break;
      case 'call':
        this.#refuse(message);
    }
  }

  /** We offer no objects; whoever calls one is told so instead of waiting. */
  #refuse(call: DbusMessage): void {
    if (call.noReply || !call.sender) return;
    this.#socket.write(
      encodeMessage({
        type: 'error',
        serial: this.#nextSerial(),
        noReply: true,
        replySerial: call.serial,
        destination: call.sender,
        errorName: 'org.freedesktop.DBus.Error.UnknownObject',
      }),
    );
  }

  #settle(serial: number): PendingCall | undefined {
    const pending = this.#pending.get(serial);
    if (!pending) return undefined;
    this.#pending.delete(serial);
    clearTimeout(pending.timer);
    return pending;
  }

  #fail(reason: string): void {
    if (this.#closedReason !== null) return;
    this.#closedReason = reason;
    this.#settleClosed(reason);
    for (const serial of [...this.#pending.keys()]) {
      this.#settle(serial)?.reject(new DbusError('local.closed', reason));
    }
    this.#subscriptions.clear();
  }
}

function matches(match: SignalMatch, message: DbusMessage): boolean {
  return (
    match.interface === message.interface &&
    match.member === message.member &&
    (match.path === undefined || match.path === message.path) &&
    (match.sender === undefined || match.sender === message.sender)
  );
}

function matchRule(match: SignalMatch): string {
  const parts = ["type='signal'", `interface='${match.interface}'`, `member='${match.member}'`];
  if (match.sender !== undefined) parts.push(`sender='${match.sender}'`);
  if (match.path !== undefined) parts.push(`path='${match.path}'`);
  return parts.join(',');
}

async function withDeadline<T>(work: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new DbusError('local.timeout', `${what} did not answer in ${timeoutMs} ms`)),
    timeoutMs,
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
