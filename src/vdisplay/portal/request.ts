/**
 * Calls of xdg-desktop-portal that are answered later: the method returns a request object, the
 * result comes as its `Response` signal. The path of the request follows from our bus name and a
 * token, so the signal is subscribed to before the call is made.
 * Source: xdg-desktop-portal, org.freedesktop.portal.Request.
 */
import {
  asNumber,
  asText,
  type DbusConnection,
  type DbusValue,
  options,
  type Variant,
  variant,
} from '../../desktop/dbus/index.ts';

export const PORTAL = {
  destination: 'org.freedesktop.portal.Desktop',
  path: '/org/freedesktop/portal/desktop',
} as const;

const REQUEST_INTERFACE = 'org.freedesktop.portal.Request';

export type PortalResults = ReadonlyMap<DbusValue, DbusValue>;

/** The person at the desktop said no, or the portal could not do it. */
export class PortalRefusal extends Error {
  readonly isCancelled: boolean;
  constructor(member: string, code: number) {
    super(
      code === 1
        ? `the desktop's user refused to share the screen (${member})`
        : `the desktop's portal could not share the screen (${member} ended with code ${code})`,
    );
    this.name = 'PortalRefusal';
    this.isCancelled = code === 1;
  }
}

export interface PortalCall {
  readonly interface: string;
  readonly member: string;
  /** Types of `args`; the options `a{sv}` are added behind them. */
  readonly signature: string;
  readonly args: readonly DbusValue[];
  readonly options: Readonly<Record<string, Variant>>;
  /** How long the portal, and a person, may take. */
  readonly timeoutMs: number;
}

/** Object path that our request or session with `token` gets. */
export function portalObjectPath(
  kind: 'request' | 'session',
  uniqueName: string,
  token: string,
): string {
  const sender = uniqueName.replace(/^:/, '').replaceAll('.', '_');
  return `${PORTAL.path}/${kind}/${sender}/${token}`;
}

/** Makes the call and waits for its response. Rejects with {@link PortalRefusal} on a refusal. */
export async function requestPortal(
  bus: DbusConnection,
  token: string,
  call: PortalCall,
): Promise<PortalResults> {
  const response = Promise.withResolvers<PortalResults>();
  const timer = setTimeout(() => {
    const text = `the portal gave no answer to ${call.member} in ${call.timeoutMs / 1000} s`;
    response.reject(new Error(`${text}; is a question waiting on the desktop's screen?`));
  }, call.timeoutMs);
  void bus.closed.then((reason) => response.reject(new Error(reason)));
  // Whatever throws below is the first cause; the promise must not reject unheard.
  response.promise.catch(() => {});
  const stops: (() => void)[] = [];
  const listen = async (path: string) => {
    const stop = await bus.subscribe(
      { path, interface: REQUEST_INTERFACE, member: 'Response' },
      ([code, results]) => {
        if (asNumber(code) === 0) response.resolve(results instanceof Map ? results : new Map());
        else response.reject(new PortalRefusal(call.member, asNumber(code)));
      },
    );
    stops.push(stop);
  };
  try {
    const expected = portalObjectPath('request', bus.uniqueName, token);
    await listen(expected);
    const [path] = await bus.call({
      ...PORTAL,
      interface: call.interface,
      member: call.member,
      signature: `${call.signature}a{sv}`,
      body: [...call.args, options({ ...call.options, handle_token: variant('s', token) })],
      timeoutMs: call.timeoutMs,
    });
    // Portals before 0.9 choose the path themselves.
    if (asText(path) !== expected) await listen(asText(path));
    return await response.promise;
  } finally {
    clearTimeout(timer);
    for (const stop of stops) stop();
  }
}
