/**
 * Screens on wlroots compositors. sway makes an output of exactly the asked mode at runtime;
 * others lend a headless output that they already have. `mirror` takes an existing output as it is.
 */
import type { Availability, CaptureSource } from '../../capture/port.ts';
import { desktopEnvironment, type Environment } from '../../desktop/session.ts';
import { openWlrInjector } from '../../inject/wlr/injector.ts';
import type { RestoreJournal, UndoHandler } from '../../platform/journal.ts';
import type { Logger } from '../../platform/log.ts';
import { type DisplayMode, formatMode } from '../../session/mode.ts';
import type { DisplayLease, DisplayRequest, VirtualDisplayBackend } from '../port.ts';
import { findWlrootsDesktop, type WlrootsDesktop } from './desktop.ts';
import { borrowHeadlessOutput, HEAD_MODE_STEP, undoHeadMode } from './head-output.ts';
import { listSwayOutputs } from './sway-ipc.ts';
import {
  configureSwayOutput,
  createSwayOutput,
  removeSwayOutput,
  SWAY_OUTPUT_STEP,
  undoSwayOutput,
} from './sway-output.ts';
import type { TakenOutput } from './taken-output.ts';
import { connectTracker, OutputWatch } from './watch.ts';

export interface WlrootsBackendOptions {
  /** Environment to look for the desktop in; never changed. */
  readonly environment: Environment;
  readonly journal: RestoreJournal;
  readonly log: Logger;
}

export function createWlrootsBackend(options: WlrootsBackendOptions): VirtualDisplayBackend {
  /** Outputs of this host's leases: never lent twice. */
  const leased = new Set<string>();
  // One acquisition at a time: two at once could pick the same output.
  let previous: Promise<unknown> = Promise.resolve();
  return {
    name: 'wlroots',
    probe: () => probe(options.environment),
    acquire: (request) => {
      const current = previous.then(() => acquire(options, leased, request));
      previous = current.catch(() => {});
      return current;
    },
  };
}

/** Handlers for what these backends write into the restore journal. */
export function wlrootsUndoHandlers(): Record<string, UndoHandler> {
  return { [SWAY_OUTPUT_STEP]: undoSwayOutput, [HEAD_MODE_STEP]: undoHeadMode };
}

async function probe(environment: Environment): Promise<Availability> {
  const found = await findWlrootsDesktop(environment);
  if ('available' in found) return found;
  const { desktop, canPoint, canType } = found;
  const lacks = [canPoint ? '' : 'virtual pointer', canType ? '' : 'virtual keyboard'];
  const missing = lacks.filter((name) => name !== '').join(' and ');
  const note = missing === '' ? '' : `, without ${missing}: input is limited`;
  return { available: true, detail: `${desktop.processName} at ${desktop.waylandSocket}${note}` };
}

async function acquire(
  options: WlrootsBackendOptions,
  leased: Set<string>,
  request: DisplayRequest,
): Promise<DisplayLease> {
  const found = await findWlrootsDesktop(options.environment);
  if ('available' in found) throw new Error(`${found.missing}; ${found.remedy}`);
  const taken =
    request.kind === 'mirror'
      ? await takeExisting(found, request.outputName)
      : await takeVirtual(options, leased, found, request.mode);
  try {
    return await openLease(options, leased, found, request, taken);
  } catch (error) {
    await taken.giveBack();
    throw error;
  }
}

async function openLease(
  options: WlrootsBackendOptions,
  leased: Set<string>,
  { desktop }: WlrootsDesktop,
  request: DisplayRequest,
  taken: TakenOutput,
): Promise<DisplayLease> {
  const socketPath = desktop.waylandSocket;
  const watch = await OutputWatch.open(socketPath, taken.name);
  let mode: DisplayMode;
  try {
    const isExact = request.kind === 'mirror' || (await watch.waitForMode(request.mode));
    mode = await watch.readMode(request.mode);
    if (!isExact) {
      options.log.warn('the compositor set another mode', {
        asked: formatMode(request.mode),
        set: formatMode(mode),
      });
    }
  } catch (error) {
    watch.close();
    throw error;
  }
  const isVirtual = request.kind === 'virtual';
  if (isVirtual) leased.add(taken.name);
  const source: CaptureSource = {
    kind: 'wlr',
    socketPath,
    outputName: taken.name,
    mode,
    drawCursor: true,
  };
  let released: Promise<void> | null = null;
  return {
    backend: `wlroots (${desktop.processName})`,
    outputName: taken.name,
    mode,
    source,
    environment: desktopEnvironment(desktop),
    readBack: () => watch.readMode(request.mode),
    openInjector: () => openWlrInjector({ socketPath, outputName: taken.name, log: options.log }),
    lost: watch.lost,
    release: () => {
      released ??= (async () => {
        watch.close();
        await taken.giveBack();
        if (isVirtual) leased.delete(taken.name);
      })();
      return released;
    },
  };
}

async function takeVirtual(
  options: WlrootsBackendOptions,
  leased: ReadonlySet<string>,
  found: WlrootsDesktop,
  mode: DisplayMode,
): Promise<TakenOutput> {
  const { swaySocket, waylandSocket, processName } = found.desktop;
  const { journal, log } = options;
  if (!swaySocket) {
    if (found.canManageOutputs) {
      return await borrowHeadlessOutput({ socketPath: waylandSocket, journal, leased, mode });
    }
    throw new Error(
      `${processName} can neither create an output nor set a mode; mirror an existing output instead`,
    );
  }
  const owned = await createSwayOutput(swaySocket, journal, leased);
  const giveBack = async () => {
    try {
      await removeSwayOutput(swaySocket, owned.name);
    } catch (error) {
      // Without its sway the output is gone too; a sway that refuses keeps the journal entry.
      const stillRuns = await listSwayOutputs(swaySocket).then(
        () => true,
        () => false,
      );
      if (stillRuns) {
        log.warn('the output was not removed', { output: owned.name, cause: String(error) });
        return;
      }
    }
    journal.strike(owned.journalId);
  };
  const refusal = await configureSwayOutput(swaySocket, owned.name, mode);
  if (refusal) {
    await giveBack();
    throw new Error(`sway refused ${formatMode(mode)} on ${owned.name}: ${refusal}`);
  }
  return { name: owned.name, giveBack };
}

async function takeExisting(
  { desktop }: WlrootsDesktop,
  wanted: string | undefined,
): Promise<TakenOutput> {
  const { connection, tracker } = await connectTracker(desktop.waylandSocket);
  const names = tracker.list().map((output) => output.name);
  connection.close();
  const giveBack = async () => {};
  if (wanted !== undefined) {
    if (names.includes(wanted)) return { name: wanted, giveBack };
    throw new Error(`there is no output ${wanted}; the outputs are: ${names.join(', ') || 'none'}`);
  }
  const outputs = desktop.swaySocket ? await listSwayOutputs(desktop.swaySocket) : [];
  const focused = outputs.find((output) => output.isActive && output.isFocused)?.name;
  const name = focused ?? names[0];
  if (name === undefined) throw new Error(`${desktop.processName} has no output to mirror`);
  return { name, giveBack };
}
