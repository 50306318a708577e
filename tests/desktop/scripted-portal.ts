/**
 * A portal that plays a script: owns org.freedesktop.portal.Desktop on a real bus, answers requests
 * as told and records what it was asked. For what no portal of a test machine does without a person.
 */
import { BusSocket } from '../../src/desktop/dbus/bus-socket.ts';
import {
  asText,
  busSocketPath,
  type DbusValue,
  optionOf,
  options,
  type Variant,
  variant,
} from '../../src/desktop/dbus/index.ts';
import { type DbusMessage, encodeMessage } from '../../src/desktop/dbus/message.ts';

const NAME = 'org.freedesktop.portal.Desktop';
const BUS = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
} as const;

export interface ScriptedAnswer {
  /** 0 done, 1 refused by the user, 2 not possible; null: never answers. */
  readonly code: number | null;
  readonly results?: Readonly<Record<string, Variant>>;
}

export interface PortalScript {
  /** `interface.property` → value; a missing one is an error reply. */
  readonly properties: Readonly<Record<string, Variant>>;
  /** Method → answer; a missing one is done without results. */
  readonly answers: Readonly<Record<string, ScriptedAnswer>>;
  /** Requests get paths of the portal's own choice, as before version 0.9. */
  readonly choosesPaths?: boolean;
  /** The response comes before the method returned. */
  readonly answersEarly?: boolean;
}

export interface PortalCallRecord {
  readonly interface: string;
  readonly member: string;
  readonly path: string;
  readonly signature: string;
  readonly body: readonly DbusValue[];
}

export class ScriptedPortal {
  readonly calls: PortalCallRecord[] = [];
  readonly #script: PortalScript;
  readonly #socket: BusSocket;
  readonly #waiting = new Map<number, () => void>();
  #serial = 0;

  private constructor(script: PortalScript) {
    this.#script = script;
    this.#socket = new BusSocket(
      (message) => this.#receive(message),
      () => {},
    );
  }

  static async start(busAddress: string, script: PortalScript): Promise<ScriptedPortal> {
    const portal = new ScriptedPortal(script);
    await portal.#socket.connect(busSocketPath(busAddress) ?? '');
    await portal.#callBus('Hello', '', []);
    await portal.#callBus('RequestName', 'su', [NAME, 0]);
    return portal;
  }

  /** Calls of one method. */
  of(member: string): PortalCallRecord[] {
    return this.calls.filter((call) => call.member === member);
  }

  /** Option of the last call of a method. */
  option(member: string, name: string): DbusValue | undefined {
    return optionOf(this.of(member).at(-1)?.body.at(-1), name);
  }

  emit(path: string, interfaceName: string, member: string): void {
    this.#send({
      type: 'signal',
      path,
      interface: interfaceName,
      member,
      signature: 'a{sv}',
      body: [new Map()],
    });
  }

  stop(): void {
    this.#socket.close('the script is over');
  }

  #receive(message: DbusMessage): void {
    if (message.type === 'return' || message.type === 'error') {
      this.#waiting.get(message.replySerial ?? 0)?.();
      this.#waiting.delete(message.replySerial ?? 0);
    }
    if (message.type !== 'call') return;
    const { interface: from = '', member = '', path = '', signature = '', body = [] } = message;
    if (from === 'org.freedesktop.DBus.Properties') {
      const value = this.#script.properties[`${asText(body[0])}.${asText(body[1])}`];
      if (value) this.#reply(message, 'v', [value]);
      else this.#refuse(message);
      return;
    }
    this.calls.push({ interface: from, member, path, signature, body });
    if (message.noReply) return;
    const token = optionOf(body.at(-1), 'handle_token');
    if (token === undefined) this.#reply(message, '', []);
    else this.#request(message, asText(token));
  }

  #request(message: DbusMessage, token: string): void {
    const sender = (message.sender ?? '').slice(1).replaceAll('.', '_');
    const name = this.#script.choosesPaths ? `chosen_${this.#serial}` : token;
    const path = `/org/freedesktop/portal/desktop/request/${sender}/${name}`;
    const answer = this.#script.answers[message.member ?? ''] ?? { code: 0 };
    const respond = () => {
      if (answer.code === null) return;
      this.#send({
        type: 'signal',
        path,
        destination: message.sender ?? '',
        interface: 'org.freedesktop.portal.Request',
        member: 'Response',
        signature: 'ua{sv}',
        body: [answer.code, options(answer.results ?? {})],
      });
    };
    if (this.#script.answersEarly) respond();
    this.#reply(message, 'o', [path]);
    // A portal that chooses paths must leave its caller time to subscribe.
    if (!this.#script.answersEarly) setTimeout(respond, this.#script.choosesPaths ? 50 : 0);
  }

  #reply(call: DbusMessage, signature: string, body: readonly DbusValue[]): void {
    this.#send({
      type: 'return',
      replySerial: call.serial,
      destination: call.sender ?? '',
      signature,
      body,
    });
  }

  #refuse(call: DbusMessage): void {
    this.#send({
      type: 'error',
      replySerial: call.serial,
      destination: call.sender ?? '',
      errorName: 'org.freedesktop.DBus.Error.InvalidArgs',
    });
  }

  #callBus(member: string, signature: string, body: readonly DbusValue[]): Promise<void> {
    const answered = Promise.withResolvers<void>();
    const serial = this.#send({ type: 'call', ...BUS, member, signature, body });
    this.#waiting.set(serial, answered.resolve);
    return answered.promise;
  }

  #send(message: Omit<DbusMessage, 'serial'>): number {
    this.#serial += 1;
    this.#socket.write(encodeMessage({ ...message, serial: this.#serial }));
    return this.#serial;
  }
}

/** Properties of a portal with the given ScreenCast and RemoteDesktop versions (0: absent). */
export function portalProperties(
  screenCast: number,
  remoteDesktop: number,
  sourceTypes: number,
): Readonly<Record<string, Variant>> {
  return {
    'org.freedesktop.portal.ScreenCast.version': variant('u', screenCast),
    'org.freedesktop.portal.ScreenCast.AvailableSourceTypes': variant('u', sourceTypes),
    'org.freedesktop.portal.ScreenCast.AvailableCursorModes': variant('u', 3),
    ...(remoteDesktop > 0
      ? { 'org.freedesktop.portal.RemoteDesktop.version': variant('u', remoteDesktop) }
      : {}),
  };
}
