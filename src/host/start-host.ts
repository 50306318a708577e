/**
 * Puts the host together and takes it apart: identity, journal, probes, planes, management. The
 * order of starting is the order of what depends on what; closing goes the other way round.
 */
import { join } from 'node:path';
import { AUDIO_DEFAULT_KIND, undoAudioDefault } from '../audio/virtual-sink.ts';
import { BUILD, versionLine } from '../config/build-info.ts';
import type { Settings } from '../config/rows.ts';
import { climbEncoderLadder } from '../encode/ladder.ts';
import { APP_UNDO_KIND, undoAppStep } from '../library/app-runner.ts';
import type { HostFacts, RungReport } from '../mgmt/schemas.ts';
import { type Management, startManagement } from '../mgmt/server.ts';
import { RestoreJournal, type UndoHandler } from '../platform/journal.ts';
import type { HostPaths } from '../platform/linux/paths.ts';
import { logger } from '../platform/log.ts';
import { OperatorError } from '../platform/operator-error.ts';
import { DeviceRoster } from '../trust/devices.ts';
import { type HostIdentity, IdentityError, loadOrCreateIdentity } from '../trust/identity.ts';
import { loadApps } from './apps-file.ts';
import { encoderCapabilities, probeDisplays, probeSound } from './capabilities.ts';
import { runAll } from './closing.ts';
import { desktopBackends, desktopUndoHandlers } from './desktop-backends.ts';
import { DisplayLeases } from './display-leases.ts';
import { type GameStreamPlane, startGameStreamPlane } from './gamestream-plane.ts';
import { hostAddresses, hostDisplayName } from './host-names.ts';
import { managedHost } from './managed-host.ts';
import { openMediaSockets } from './media-sockets.ts';
import type { SpawnWorker } from './media-worker.ts';
import { startPerfLog } from './perf-log.ts';
import { captureReport, encoderReport, soundReport } from './rung-reports.ts';
import { SessionDesk } from './session-desk.ts';

const log = logger('host');

export interface HostOptions {
  readonly settings: Settings;
  readonly paths: HostPaths;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly spawn: SpawnWorker;
}

export interface RunningHost {
  readonly facts: HostFacts;
  readonly rungs: { capture: RungReport; encoder: RungReport; audio: RungReport };
  readonly addresses: readonly string[];
  readonly mdnsName: string | null;
  readonly pairedCount: number;
  readonly warnings: readonly string[];
  /** Tells devices, ends everything, puts the machine back. Idempotent. */
  close(): Promise<void>;
}

/** Throws {@link OperatorError} when the host cannot start; then nothing is left behind. */
export async function startHost(options: HostOptions): Promise<RunningHost> {
  const { settings, paths, env, spawn } = options;
  const warnings: string[] = [];
  let isStarting = true;
  const warn = (sentence: string): void => {
    if (isStarting) warnings.push(sentence);
    log.warn(sentence);
  };
  const roster = new DeviceRoster(join(paths.stateDir, 'devices.json'), warn, Date.now());
  const identity = openIdentity(paths, roster, warn);
  const journal = new RestoreJournal(join(paths.stateDir, 'restore-journal.json'), warn);
  await undoEarlierRun(journal, warn);
  const apps = loadApps(paths.appsFile, warn);
  const ladder = climbEncoderLadder(settings.encoder);
  if (ladder.problem !== null) warn(`devices cannot stream: ${ladder.problem}`);
  const backends = desktopBackends(options, journal);
  let displays = await probeDisplays(backends);
  let sound = probeSound(paths.runtimeDir);
  const refresh = async (): Promise<void> => {
    displays = await probeDisplays(backends);
    sound = probeSound(paths.runtimeDir);
  };
  const leases = new DisplayLeases(backends);
  const media = settings.gamestream ? await openMediaSockets(settings) : null;
  const desk = new SessionDesk({
    journal,
    leases,
    spawn,
    secondClient: settings.secondClient,
    policy: {
      source: settings.source,
      maxBitrateKbps: settings.maxBitrateKbps,
      audio: settings.audio,
      ...(settings.mirrorOutput === null ? {} : { mirrorOutput: settings.mirrorOutput }),
    },
    stream: {
      vbvFrames: settings.vbvFrames,
      testDropPct: settings.videoDrop,
      segmentationOffload: settings.gso,
      videoSocketFd: media?.videoFd ?? -1,
      audioSocketFd: media?.audioFd ?? -1,
      runtimeDir: paths.runtimeDir,
    },
    env,
    apps: apps.list,
    isPaired: (fingerprint) => roster.get(fingerprint)?.enabled === true,
    async capabilities() {
      await refresh();
      return {
        encoders: encoderCapabilities(ladder),
        ...(ladder.problem === null ? {} : { encoderProblem: ladder.problem }),
        displays: displays.displays,
        hasSound: sound.available,
      };
    },
  });
  const stopRevoking = roster.onRevoked(({ fingerprint }) => void desk.revoke(fingerprint));
  const hostName = hostDisplayName(settings.hostName);
  let plane: GameStreamPlane | null = null;
  let management: Management | null = null;
  const rungs = () => ({
    capture: captureReport(settings.source, displays),
    encoder: encoderReport(ladder),
    audio: soundReport(settings.audio, sound),
  });
  const facts = (): HostFacts =>
    hostFacts(identity, hostName, [...ladder.codecs], plane, management);
  const stopPerfLog = settings.perf ? startPerfLog(desk) : () => {};
  const close = closeOnce(() =>
    runAll([
      stopPerfLog,
      stopRevoking,
      // The desk first: devices are told and the desktop is put back while every door still answers.
      () => desk.close(),
      () => management?.close(),
      () => plane?.close(),
      () => media?.close(),
    ]),
  );
  try {
    if (media) {
      plane = await startGameStreamPlane({
        settings,
        paths,
        identity,
        roster,
        desk,
        media,
        ladder,
        hostName,
        warn,
        apps: apps.list,
        // Only GNOME's interface takes touch contacts as they are.
        takesTouch: () => captureReport(settings.source, displays).taken === 'mutter',
      });
    }
    management = await startManagement({
      host: managedHost({
        desk,
        roster,
        pairing: plane?.pairing ?? null,
        version: BUILD.version,
        facts,
        rungs,
      }),
      certificatePem: identity.certificatePem,
      privateKeyPem: identity.privateKeyPem,
      stateDir: paths.stateDir,
      bind: settings.mgmtBind,
      port: settings.mgmtPort,
      hostName,
    });
  } catch (error) {
    await close();
    throw error;
  }
  isStarting = false;
  log.debug(versionLine(), { state: paths.stateDir });
  return {
    facts: facts(),
    rungs: rungs(),
    addresses: hostAddresses(settings.bind),
    mdnsName: plane?.mdnsName ?? null,
    pairedCount: roster.list().length,
    warnings,
    close,
  };
}

function openIdentity(
  paths: HostPaths,
  roster: DeviceRoster,
  warn: (sentence: string) => void,
): HostIdentity {
  try {
    return loadOrCreateIdentity({
      path: join(paths.stateDir, 'identity.pem'),
      commonName: 'punktfunk host',
      nowMs: Date.now(),
      hasPairedDevices: roster.list().length > 0,
      onNote: warn,
    });
  } catch (error) {
    if (!(error instanceof IdentityError)) throw error;
    throw new OperatorError({ what: `${error.message}.`, next: 'Then start the host again.' });
  }
}

/** What a crash of an earlier run left changed on this machine is put back first. */
async function undoEarlierRun(
  journal: RestoreJournal,
  warn: (sentence: string) => void,
): Promise<void> {
  const handlers: Record<string, UndoHandler> = {
    [APP_UNDO_KIND]: undoAppStep,
    [AUDIO_DEFAULT_KIND]: undoAudioDefault,
    ...desktopUndoHandlers(),
  };
  const { undone, failed } = await journal.undoAll(handlers);
  if (undone > 0) log.info('changes of an earlier run were put back', { count: undone });
  for (const { entry, reason } of failed) {
    warn(`a change of an earlier run (${entry.step.kind}) is not put back yet: ${reason}`);
  }
}

function hostFacts(
  identity: HostIdentity,
  hostName: string,
  codecs: HostFacts['codecs'],
  plane: GameStreamPlane | null,
  management: Management | null,
): HostFacts {
  return {
    hostname: hostName,
    uniqueid: identity.uniqueId,
    fingerprint: identity.fingerprint,
    local_ip: hostAddresses('0.0.0.0')[0] ?? null,
    version: BUILD.version,
    abi_version: 1,
    app_version: plane?.appVersion ?? '',
    gfe_version: plane?.gfeVersion ?? '',
    codecs,
    gamestream: plane !== null,
    ports: {
      mgmt: management?.port ?? 1,
      http: plane?.ports.http ?? null,
      https: plane?.ports.https ?? null,
      rtsp: plane?.ports.rtsp ?? null,
      video: plane?.ports.video ?? null,
      control: plane?.ports.control ?? null,
      audio: plane?.ports.audio ?? null,
    },
  };
}

function closeOnce(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | null = null;
  return () => {
    done ??= work();
    return done;
  };
}
