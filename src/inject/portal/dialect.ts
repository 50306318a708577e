/**
 * Mutter's Notify… calls in the words of org.freedesktop.portal.RemoteDesktop. Pure.
 *
 * The portal names streams by PipeWire node, presses by 1 and 0, and puts the session and options
 * before each argument list (its caller does).
 */
import type { DbusValue } from '../../desktop/dbus/index.ts';

export interface PortalNotification {
  readonly member: string;
  /** Of `body`, without the session and the options. */
  readonly signature: string;
  readonly body: readonly DbusValue[];
}

/** @param nodeId PipeWire node of the session's stream */
export function toPortalDialect(
  member: string,
  body: readonly DbusValue[],
  nodeId: number,
): PortalNotification {
  const [first = 0, second = 0, third = 0, fourth = 0] = body;
  switch (member) {
    case 'NotifyPointerMotionRelative':
      return { member: 'NotifyPointerMotion', signature: 'dd', body: [first, second] };
    case 'NotifyPointerMotionAbsolute':
      return { member, signature: 'udd', body: [nodeId, second, third] };
    case 'NotifyPointerAxis':
      return { member, signature: 'dd', body: [first, second] };
    case 'NotifyPointerAxisDiscrete':
      return { member, signature: 'ui', body: [first, second] };
    case 'NotifyPointerButton':
    case 'NotifyKeyboardKeycode':
    case 'NotifyKeyboardKeysym':
      return { member, signature: 'iu', body: [first, second === true ? 1 : 0] };
    case 'NotifyTouchDown':
    case 'NotifyTouchMotion':
      return { member, signature: 'uudd', body: [nodeId, second, third, fourth] };
    case 'NotifyTouchUp':
      return { member, signature: 'u', body: [first] };
    default:
      throw new Error(`no portal method for ${member}`);
  }
}
