/** Ties the control plane of one launch to its session: what the device asks reaches the stream. */

import type { AnnounceDetails } from '../gamestream/announce-offer.ts';
import type { ControlServer } from '../gamestream/control/server.ts';
import type { ControlEvent } from '../gamestream/control/session.ts';
import type { PendingLaunch } from '../gamestream/rtsp-launches.ts';
import { logger } from '../platform/log.ts';
import type { Session } from './session.ts';

const log = logger('control');

/**
 * From now on the device of `launch` may connect; its words go to `session`.
 *
 * @param onForget the session is over and nothing of its device is heard any more
 */
export function connectControl(
  server: ControlServer,
  session: Session,
  launch: PendingLaunch,
  details: AnnounceDetails,
  onForget: () => void,
): void {
  const control = server.expect(
    {
      launchId: launch.launchId,
      key: launch.request.key,
      variant: details.controlV2 ? 'v2' : 'legacy',
      connectData: launch.connectData,
      usesSessionIds: details.usesSessionIds,
      peerAddress: launch.peerAddress,
    },
    (event) => hear(event),
  );
  session.setLink({
    terminate: (code) => control.terminate(code),
    rttMs: () => control.rttMs(),
    forget: () => {
      server.forget(control);
      onForget();
    },
  });

  function hear(event: ControlEvent): void {
    const words = session.stream?.control;
    switch (event.kind) {
      case 'connected':
        session.connected();
        return;
      case 'idr':
        words?.add('idrRequests');
        return;
      case 'rfi':
        words?.requestInvalidation(event.first, event.last);
        return;
      case 'fec-status':
        session.lostPackets = (session.lostPackets ?? 0) + event.status.missingBeforeHighest;
        return;
      case 'loss-stats':
        // Signed on the wire; a device that counts downwards is not believed.
        session.lostPackets = (session.lostPackets ?? 0) + Math.max(0, event.stats.lostCount);
        return;
      case 'input':
        session.stream?.input(event.event);
        return;
      case 'pad':
        log.debug('a game controller changed; this version has no backend for it', {
          session: session.id,
        });
        return;
      case 'ended':
        if (event.reason === 'peer') void session.end('device-left', 'the device disconnected');
        else if (event.reason !== 'local') {
          void session.end('device-silent', 'nothing was heard from the device for 10 s');
        }
        return;
      case 'start':
      case 'ping':
      case 'ltr-ack':
        return;
    }
  }
}
