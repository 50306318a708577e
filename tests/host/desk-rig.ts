/**
 * A session desk with real journal, apps and screen leases over a scripted display backend and
 * scripted streams: tests decide when a screen is there, when a stream runs and when it breaks.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DisplayLeases } from '../../src/host/display-leases.ts';
import {
  type DeskWaits,
  SessionDesk,
  type SessionDeskOptions,
  type StartOutcome,
} from '../../src/host/session-desk.ts';
import type { RunningStream, StartStream, StreamPorts } from '../../src/host/stream.ts';
import { type AppEntry, DESKTOP_APP } from '../../src/library/app-catalogue.ts';
import { StreamControl } from '../../src/pipeline/stream-control.ts';
import { RestoreJournal } from '../../src/platform/journal.ts';
import type { SessionOffer } from '../../src/session/offer.ts';
import type { GameStreamPacketFormat } from '../../src/session/plan.ts';
import type { HostCapabilities } from '../../src/session/plan-session.ts';
import type {
  DisplayLease,
  DisplayRequest,
  VirtualDisplayBackend,
} from '../../src/vdisplay/port.ts';

export const SOFA = 'aa'.repeat(32);
export const BED = 'bb'.repeat(32);
export const GAME: AppEntry = { ...DESKTOP_APP, id: 7, title: 'Game' };

export const FORMAT: GameStreamPacketFormat = {
  kind: 'gamestream',
  packetSize: 1392,
  parityPct: 20,
  minParityShards: 2,
  sealVideo: false,
  sealAudio: false,
  key: new Uint8Array(16),
  keyId: 1,
  videoDscp: 0,
  audioDscp: 0,
};

export const CAPABILITIES: HostCapabilities = {
  encoders: [
    {
      rung: 'x264',
      codecs: ['h264'],
      tenBit: false,
      yuv444: false,
      canInvalidate: true,
      maxBitrateKbps: 100_000,
      maxWidth: 4096,
      maxHeight: 4096,
    },
  ],
  displays: [{ backend: 'wlroots', sources: ['virtual', 'mirror'] }],
  hasSound: false,
};

export function offerOf(fingerprint: string, width = 1280): SessionOffer {
  return {
    plane: 'gamestream',
    device: { fingerprint, name: fingerprint.slice(0, 2) },
    peerAddress: '192.0.2.9',
    appId: 1,
    video: {
      mode: { width, height: 720, refreshNum: 60, refreshDen: 1 },
      codec: 'h264',
      chroma: '420',
      bitDepth: 8,
      hdr: false,
      colour: { matrix: 'bt709', fullRange: false },
      bitrateKbps: 10_000,
      slicesPerFrame: 1,
      maxReferenceFrames: 0,
      canInvalidateReferences: true,
    },
    audio: { channels: 2, highQuality: false, packetDurationMs: 5, playOnHost: false },
    padMask: 0,
  };
}

/** A backend whose screens exist as names; `onAcquire` may delay or refuse. */
export class ScriptedScreens implements VirtualDisplayBackend {
  readonly name = 'wlroots';
  /** Screens that exist now. */
  readonly open = new Set<string>();
  readonly requests: DisplayRequest[] = [];
  onAcquire: () => Promise<void> = async () => {};
  onRelease: () => Promise<void> = async () => {};
  /** Takes the newest screen away, as a compositor may. */
  lose: (cause: string) => void = () => {};
  #count = 0;

  async probe() {
    return { available: true, detail: 'scripted' } as const;
  }

  async acquire(request: DisplayRequest): Promise<DisplayLease> {
    this.requests.push(request);
    await this.onAcquire();
    this.#count += 1;
    const outputName = `SCREEN-${this.#count}`;
    this.open.add(outputName);
    const lost = Promise.withResolvers<string>();
    this.lose = lost.resolve;
    const ignore = (): void => {};
    return {
      backend: 'wlroots',
      outputName,
      mode: request.mode,
      source: { kind: 'synthetic', mode: request.mode },
      readBack: async () => request.mode,
      openInjector: async () => ({
        description: 'scripted',
        moveRelative: ignore,
        moveAbsolute: ignore,
        button: ignore,
        scroll: ignore,
        key: ignore,
        text: ignore,
        touch: ignore,
        pen: ignore,
        close: ignore,
      }),
      lost: lost.promise,
      release: async () => {
        await this.onRelease();
        this.open.delete(outputName);
      },
    };
  }
}

export interface ScriptedStream extends RunningStream {
  readonly ports: StreamPorts;
  readonly isStopped: boolean;
}

export class DeskRig {
  readonly dir = mkdtempSync(join(tmpdir(), 'pf-desk-'));
  readonly journal = new RestoreJournal(join(this.dir, 'journal.json'));
  readonly screens = new ScriptedScreens();
  readonly leases: DisplayLeases;
  readonly streams: ScriptedStream[] = [];
  readonly paired = new Set([SOFA, BED]);
  apps: readonly AppEntry[] = [DESKTOP_APP, GAME];
  capabilities: () => Promise<HostCapabilities> = async () => CAPABILITIES;
  /** Runs between the screen and the workers of a stream; its rejection is a worker's. */
  onStreamStart: (signal: AbortSignal) => Promise<void> = async () => {};
  /** When the screen of the next stream shows its first picture. */
  shown: Promise<void> = Promise.resolve();
  readonly desk: SessionDesk;

  constructor(
    waits: Partial<DeskWaits> = {},
    options: Partial<Pick<SessionDeskOptions, 'secondClient'>> = {},
    lingerMs = 50,
  ) {
    this.leases = new DisplayLeases([this.screens], lingerMs);
    this.desk = new SessionDesk({
      journal: this.journal,
      leases: this.leases,
      spawn: () => {
        throw new Error('no worker runs in these tests');
      },
      secondClient: options.secondClient ?? 'replace',
      policy: { source: 'virtual', maxBitrateKbps: 100_000, audio: false },
      stream: {
        vbvFrames: 1,
        testDropPct: 0,
        segmentationOffload: false,
        videoSocketFd: -1,
        audioSocketFd: -1,
        runtimeDir: null,
      },
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
      capabilities: () => this.capabilities(),
      apps: () => this.apps,
      isPaired: (fingerprint) => this.paired.has(fingerprint),
      startStream: this.#startStream,
      waits,
    });
  }

  get liveStreams(): readonly ScriptedStream[] {
    return this.streams.filter((stream) => !stream.isStopped);
  }

  /** What `/launch` and the RTSP exchange do, with the app of this id. */
  launch(fingerprint: string, appId = 1, width?: number): Promise<StartOutcome> {
    const admitted = this.desk.admit(fingerprint, 'launch', appId);
    if (!admitted.ok) return Promise.resolve(admitted);
    this.desk.reserve(appId, fingerprint);
    return this.announce(fingerprint, width);
  }

  resume(fingerprint: string, width?: number): Promise<StartOutcome> {
    const admitted = this.desk.admit(fingerprint, 'resume', 0);
    return admitted.ok ? this.announce(fingerprint, width) : Promise.resolve(admitted);
  }

  async announce(fingerprint: string, width?: number): Promise<StartOutcome> {
    const outcome = await this.desk.start(offerOf(fingerprint, width), FORMAT, 'launch-1');
    if (!outcome.ok) this.desk.unreserve();
    return outcome;
  }

  async close(): Promise<void> {
    await this.desk.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  readonly #startStream: StartStream = async (setup, ports, signal) => {
    const lease = await ports.acquireDisplay(false);
    signal.throwIfAborted();
    await this.onStreamStart(signal);
    signal.throwIfAborted();
    let isStopped = false;
    const { display } = setup.plan;
    const stream: ScriptedStream = {
      control: new StreamControl(),
      facts: {
        capture: null,
        encoder: null,
        sender: null,
        audio: null,
        load: null,
        outputName: lease.outputName,
        actualMode: `${display.mode.width}x${display.mode.height}@60`,
      },
      lease,
      shown: this.shown,
      ports,
      get isStopped() {
        return isStopped;
      },
      input: () => {},
      stop: async () => {
        isStopped = true;
      },
    };
    this.streams.push(stream);
    return stream;
  };
}

/** Waits for a condition that other work brings about. */
export async function until(isReached: () => boolean, timeoutMs = 3_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!isReached()) {
    if (performance.now() > deadlineMs) throw new Error('not reached in time');
    await Bun.sleep(2);
  }
}
