/** Figures of a stream for reports and tests. Pure. */
import type { RunningStream } from './stream.ts';
import type { FrameRecord } from './video.ts';

export interface StreamStatistics {
  readonly frames: number;
  readonly shownFrames: number;
  readonly keyFrames: number;
  readonly lostFrames: number;
  readonly firstIndex: number | null;
  readonly lastIndex: number | null;
  readonly firstType: number | null;
  readonly recoveredFrames: number;
  readonly firstFrameMs: number | null;
  readonly maxGapMs: number;
  readonly framesPerSecond: number;
  readonly videoKbps: number;
  readonly datagrams: number;
  readonly droppedDatagrams: number;
  readonly unopenedDatagrams: number;
  readonly idrRequests: number;
  readonly invalidations: number;
  readonly audioPackets: number;
  readonly audioMissing: number;
  readonly audioRecovered: number;
  readonly audioUnopened: number;
  readonly hostMessages: readonly string[];
  readonly unreadableMessages: number;
  readonly rttMs: number;
  readonly lint: Readonly<Record<string, number>>;
}

export function statisticsOf(stream: RunningStream): StreamStatistics {
  const { video, audio, control } = stream;
  const { frames } = video;
  const [first, last] = [frames[0], frames.at(-1)];
  const spanMs = first && last ? last.receivedAtMs - first.receivedAtMs : 0;
  const bytes = frames.reduce((sum, frame) => sum + frame.bytes, 0);
  const heard = audio.inOrder();
  return {
    frames: frames.length,
    shownFrames: frames.filter((frame) => frame.isShown).length,
    keyFrames: frames.filter((frame) => frame.isKey).length,
    lostFrames: video.lostFrames,
    firstIndex: first?.index ?? null,
    lastIndex: last?.index ?? null,
    firstType: first?.type ?? null,
    recoveredFrames: frames.filter((frame) => frame.recoveredShards > 0).length,
    firstFrameMs: first ? Math.round(first.receivedAtMs - stream.startedAtMs) : null,
    maxGapMs: Math.round(Math.max(0, ...gapsMs(frames))),
    framesPerSecond: spanMs > 0 ? round(((frames.length - 1) / spanMs) * 1000) : 0,
    videoKbps: spanMs > 0 ? Math.round((bytes * 8) / spanMs) : 0,
    datagrams: video.datagramCount,
    droppedDatagrams: stream.videoSocket.droppedCount,
    unopenedDatagrams: video.unopenedCount,
    idrRequests: video.requests.filter((request) => request.kind === 'idr').length,
    invalidations: video.requests.filter((request) => request.kind === 'invalidate').length,
    audioPackets: audio.packets.size,
    audioMissing: heard.filter((packet) => packet === null).length,
    audioRecovered: audio.recoveredCount,
    audioUnopened: audio.unopenedCount,
    hostMessages: control.messages.map((message) => message.kind),
    unreadableMessages: control.unreadableCount,
    rttMs: round(control.enet.rttMs),
    lint: Object.fromEntries([...video.lint, ...audio.lint]),
  };
}

/** Time between one frame and the next. */
export function gapsMs(frames: readonly FrameRecord[]): number[] {
  return frames
    .slice(1)
    .map((frame, index) => frame.receivedAtMs - (frames[index]?.receivedAtMs ?? 0));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
