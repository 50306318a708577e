/**
 * The UDP sockets of video and sound: bound for the life of the host, received on here (pings), sent
 * on by the workers of the running stream.
 *
 * A ping names its launch by payload, or by source address from older devices. Sound pings come
 * before ANNOUNCE, so the latest address of every payload is remembered for a while.
 */
import { ERRNO, errnoName } from '../../ffi/libc.ts';
import { portFamily } from '../config/ports.ts';
import type { Settings } from '../config/rows.ts';
import type { PendingLaunch } from '../gamestream/rtsp-launches.ts';
import { normaliseAddress } from '../net/interfaces.ts';
import { packSocketAddress } from '../net/socket-address.ts';
import { openUdpSocket, tagTraffic, type UdpSocket, UdpSocketError } from '../net/udp-socket.ts';
import { portInUseError } from '../platform/linux/port-owner.ts';
import { OperatorError } from '../platform/operator-error.ts';
import { MediaPingBook, type MediaPlane } from './media-ping-book.ts';
import type { Session } from './session.ts';

export interface MediaSockets {
  readonly videoFd: number;
  readonly audioFd: number;
  /**
   * From now on pings of this launch direct the session's media.
   *
   * @param usesSessionIds the device's pings carry the payload of its launch
   */
  expect(session: Session, launch: PendingLaunch, usesSessionIds: boolean): void;
  forget(session: Session): void;
  close(): void;
}

/** Devices ping every 500 ms; an older one whose port is silent for this long has moved. */
const LEGACY_SILENCE_MS = 1_200;

/** The session whose media is directed. */
interface Directed {
  readonly session: Session;
  readonly launch: PendingLaunch;
  readonly usesSessionIds: boolean;
  /** Where each plane goes, as `address port`. */
  readonly places: Record<MediaPlane, string>;
  /** When the last ping came from that place. */
  readonly heardAtMs: Record<MediaPlane, number>;
}

export async function openMediaSockets(settings: Settings): Promise<MediaSockets> {
  const ports = portFamily(settings.portBase);
  const video = open(settings.bind, ports.video);
  let audio: UdpSocket;
  try {
    audio = open(settings.bind, ports.audio);
  } catch (error) {
    video.close();
    throw error;
  }
  const sockets = { video, audio };
  const book = new MediaPingBook();
  let current: Directed | null = null;

  const direct = (plane: MediaPlane): void => {
    const control = current?.session.stream?.control;
    if (!current || !control) return;
    const { launch, usesSessionIds, places, heardAtMs } = current;
    const legacyAddress = usesSessionIds ? null : launch.peerAddress;
    const found = book.find(plane, launch.pingPayload, legacyAddress, launch.madeAtMs);
    if (!found) return;
    const place = `${found.address} ${found.port}`;
    const now = performance.now();
    // Pings without a payload may be of the device's next stream: only a silent port is left for
    // another one.
    const isLeft = now - heardAtMs[plane] > LEGACY_SILENCE_MS;
    if (places[plane] !== place && !usesSessionIds && places[plane] !== '' && !isLeft) return;
    heardAtMs[plane] = now;
    if (places[plane] === place) return;
    const packed = packSocketAddress(found.address, found.port, sockets[plane].family);
    if (!packed) return;
    places[plane] = place;
    control.setAddress(plane, packed);
  };
  const listen = (plane: MediaPlane): Promise<Bun.udp.Socket<'uint8array'>> =>
    Bun.udpSocket({
      fd: sockets[plane].fd,
      binaryType: 'uint8array',
      socket: {
        data(_socket: unknown, bytes: Uint8Array, port: number, address: string) {
          book.note(plane, bytes, normaliseAddress(address), port, performance.now());
          direct(plane);
        },
        error() {
          // ICMP unreachable of a device that left; its silence is noticed on the control plane.
        },
      },
    } as never) as never;
  const listeners = await Promise.all([listen('video'), listen('audio')]);
  return {
    videoFd: video.fd,
    audioFd: audio.fd,
    expect(session, launch, usesSessionIds) {
      current = {
        session,
        launch,
        usesSessionIds,
        places: { video: '', audio: '' },
        heardAtMs: { video: 0, audio: 0 },
      };
      tagTraffic(video.fd, video.family === 'ipv6', session.format.videoDscp);
      tagTraffic(audio.fd, audio.family === 'ipv6', session.format.audioDscp);
      direct('video');
      direct('audio');
    },
    forget(session) {
      if (current?.session === session) current = null;
    },
    close() {
      for (const listener of listeners) listener.close();
    },
  };
}

function open(bindAddress: string, port: number): UdpSocket {
  try {
    return openUdpSocket({ bindAddress, port });
  } catch (error) {
    if (!(error instanceof UdpSocketError)) throw error;
    if (error.errno === ERRNO.EADDRINUSE) throw portInUseError('UDP', port, '--port-base');
    throw new OperatorError({
      what: `UDP port ${port} cannot be had on ${bindAddress} (${errnoName(error.errno)}).`,
      next: 'Give an address of this machine with --bind and ports above 1024 with --port-base.',
      cause: error,
    });
  }
}
