/**
 * Making and removing an output of a running sway. Every change is in the restore journal before it
 * is made: first the outputs that were there (whatever comes on top is ours), then the new one's
 * name. Removing is idempotent, so that a crash at any point is undone at the next start.
 *
 * sway from 1.8 on unplugs such an output. Before, its headless outputs can be neither unplugged nor
 * disabled (wlroots 0.15 refuses the commit): there the output is parked, which means emptied of
 * workspaces, shrunk and put off the corner of the desktop, and taken again by the next session.
 */
import type { RestoreJournal, UndoHandler } from '../../platform/journal.ts';
import type { DisplayMode } from '../../session/mode.ts';
import { instanceOf } from './instance.ts';
import {
  listSwayOutputs,
  listSwayWorkspaces,
  readSwayVersion,
  runSwayCommand,
  type SwayOutput,
} from './sway-ipc.ts';

/** Kind of the journal entries of this file. */
export const SWAY_OUTPUT_STEP = 'sway-output';

/** Mode of a parked output. No real screen has it; the rate is how soon it shows the next mode. */
const PARKED = { size: 64, refreshHz: 60 } as const;

export interface OwnedOutput {
  readonly name: string;
  readonly journalId: number;
}

/** sway's own words for a mode: whole pixels, the rate with at most three decimals. */
export function swayModeText(mode: DisplayMode): string {
  const hertz = Number((mode.refreshNum / mode.refreshDen).toFixed(3));
  return `${mode.width}x${mode.height}@${hertz}Hz`;
}

/**
 * Takes a parked output or creates one, and names it in the journal. `leased` are outputs that
 * other sessions use. Throws with sway's own complaint when it refuses; nothing is left then.
 */
export async function createSwayOutput(
  socketPath: string,
  journal: RestoreJournal,
  leased: ReadonlySet<string>,
): Promise<OwnedOutput> {
  const before = await listSwayOutputs(socketPath);
  const instance = instanceOf(socketPath);
  const parked = before.find((output) => isParked(output) && !leased.has(output.name));
  if (parked) {
    const journalId = journal.record(stepOf(socketPath, instance, { name: parked.name }));
    return { name: parked.name, journalId };
  }
  const known = before.map((output) => output.name).join(' ');
  const provisionalId = journal.record(stepOf(socketPath, instance, { known }));
  const refusal = await runSwayCommand(socketPath, 'create_output');
  if (refusal) {
    journal.strike(provisionalId);
    throw new Error(`sway refused to create an output: ${refusal}`);
  }
  // From here on a failure leaves the provisional entry, so that the output is still undone.
  const after = await listSwayOutputs(socketPath);
  const made = after.find((output) => !before.some(({ name }) => name === output.name));
  if (!made) throw new Error('sway created an output but does not list it');
  const journalId = journal.record(stepOf(socketPath, instance, { name: made.name }));
  journal.strike(provisionalId);
  return { name: made.name, journalId };
}

/** Sets mode, upright picture, scale 1 and the place right of all others; returns sway's complaint. */
export async function configureSwayOutput(
  socketPath: string,
  name: string,
  mode: DisplayMode,
): Promise<string | null> {
  const { right } = corner(await listSwayOutputs(socketPath), name);
  const settings = [
    'enable',
    `mode --custom ${swayModeText(mode)}`,
    'scale 1',
    'transform normal',
    `position ${right} 0`,
  ].join(' ');
  return await runSwayCommand(socketPath, `output ${name} ${settings}; focus output ${name}`);
}

/** Unplugs or parks an output that `create_output` made; others are left alone. */
export async function removeSwayOutput(socketPath: string, name: string): Promise<void> {
  const outputs = await listSwayOutputs(socketPath);
  const output = outputs.find((candidate) => candidate.name === name);
  if (!output || !isCreatedName(name) || isParked(output)) return;
  const [major, minor] = await readSwayVersion(socketPath);
  const canUnplug = major > 1 || (major === 1 && minor >= 8);
  const refusal = canUnplug
    ? await runSwayCommand(socketPath, `output ${name} unplug`)
    : await parkSwayOutput(socketPath, name, outputs);
  if (refusal) throw new Error(`sway refused to remove ${name}: ${refusal}`);
}

/** Undoes what a crashed host left in a sway that still runs. */
export const undoSwayOutput: UndoHandler = async (detail) => {
  const socketPath = String(detail['socket'] ?? '');
  // Another instance, or none: the output went away with the sway that had it.
  if (instanceOf(socketPath) !== detail['instance']) return;
  if (typeof detail['name'] === 'string') {
    await removeSwayOutput(socketPath, detail['name']);
    return;
  }
  const known = new Set(String(detail['known'] ?? '').split(' '));
  for (const { name } of await listSwayOutputs(socketPath)) {
    if (!known.has(name)) await removeSwayOutput(socketPath, name);
  }
};

async function parkSwayOutput(
  socketPath: string,
  name: string,
  outputs: readonly SwayOutput[],
): Promise<string | null> {
  const home = outputs.find(
    (output) => output.name !== name && output.isActive && !isParked(output),
  );
  const commands: string[] = [];
  if (home) {
    for (const workspace of await listSwayWorkspaces(socketPath, name)) {
      commands.push(`workspace ${quoted(workspace)}`, `move workspace to output ${home.name}`);
    }
    commands.push(`focus output ${home.name}`);
  }
  const { right, bottom } = corner(outputs, name);
  const place = `position ${right + PARKED.size} ${bottom + PARKED.size}`;
  const mode = `${PARKED.size}x${PARKED.size}@${PARKED.refreshHz}Hz`;
  commands.push(`output ${name} mode --custom ${mode} ${place}`);
  return await runSwayCommand(socketPath, commands.join('; '));
}

/** Right and lower edge of the desktop without `name` and without parked outputs. */
function corner(
  outputs: readonly SwayOutput[],
  name: string,
): { readonly right: number; readonly bottom: number } {
  const others = outputs.filter(
    (output) => output.isActive && output.name !== name && !isParked(output),
  );
  return {
    right: Math.max(0, ...others.map((output) => output.x + output.width)),
    bottom: Math.max(0, ...others.map((output) => output.y + output.height)),
  };
}

function stepOf(
  socket: string,
  instance: string,
  what: { readonly name: string } | { readonly known: string },
): { kind: string; detail: Record<string, string> } {
  return { kind: SWAY_OUTPUT_STEP, detail: { socket, instance, ...what } };
}

/** Names `create_output` gives: headless, or nested in another Wayland or X11 desktop. */
function isCreatedName(name: string): boolean {
  return /^(?:HEADLESS|WL|X11)-\d+$/.test(name);
}

function isParked({ name, mode }: SwayOutput): boolean {
  return (
    /^HEADLESS-\d+$/.test(name) &&
    mode?.width === PARKED.size &&
    mode.height === PARKED.size &&
    mode.refreshMilliHz === PARKED.refreshHz * 1000
  );
}

function quoted(name: string): string {
  return `"${name.replace(/["\\]/g, '\\$&')}"`;
}
