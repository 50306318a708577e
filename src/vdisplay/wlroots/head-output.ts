/**
 * A screen on a wlroots compositor that cannot create outputs at runtime: a headless output that is
 * already there gets the device's mode and afterwards its old one back. The old mode is in the
 * restore journal before it is changed.
 */
import type { RestoreJournal, UndoHandler } from '../../platform/journal.ts';
import type { DisplayMode } from '../../session/mode.ts';
import { type Head, HeadManager } from './heads.ts';
import { instanceOf } from './instance.ts';
import type { TakenOutput } from './taken-output.ts';

/** Kind of the journal entries of this file. */
export const HEAD_MODE_STEP = 'wlr-head-mode';

export interface BorrowRequest {
  readonly socketPath: string;
  readonly journal: RestoreJournal;
  /** Outputs that other sessions use. */
  readonly leased: ReadonlySet<string>;
  readonly mode: DisplayMode;
}

/** Sets the mode on a free headless output; throws with the remedy when there is none. */
export async function borrowHeadlessOutput(request: BorrowRequest): Promise<TakenOutput> {
  const { socketPath, journal, leased, mode } = request;
  const manager = await HeadManager.open(socketPath);
  try {
    const heads = manager.list();
    const head = heads.find(({ name }) => name.startsWith('HEADLESS-') && !leased.has(name));
    if (!head) {
      throw new Error(
        'this compositor cannot create outputs and has no free headless one; start it with ' +
          'WLR_BACKENDS=drm,headless (or headless) and WLR_HEADLESS_OUTPUTS=1, or mirror an output',
      );
    }
    const detail = detailOf(socketPath, head);
    const journalId = journal.record({ kind: HEAD_MODE_STEP, detail });
    const others = heads.filter(({ name, isEnabled }) => isEnabled && name !== head.name);
    const right = others.map(({ x, mode: size, scale }) => x + (size?.width ?? 0) / scale);
    const refusal = await manager.apply(head.name, {
      kind: 'mode',
      mode: {
        width: mode.width,
        height: mode.height,
        refreshMilliHz: Math.round((mode.refreshNum * 1000) / mode.refreshDen),
      },
      x: Math.ceil(Math.max(0, ...right)),
      y: 0,
    });
    if (refusal) {
      journal.strike(journalId);
      throw new Error(`mode on ${head.name}: ${refusal}`);
    }
    return {
      name: head.name,
      giveBack: async () => {
        await undoHeadMode(detail);
        journal.strike(journalId);
      },
    };
  } finally {
    manager.close();
  }
}

/** Puts the old mode back, when that compositor still runs. */
export const undoHeadMode: UndoHandler = async (detail) => {
  const socketPath = String(detail['socket'] ?? '');
  if (instanceOf(socketPath) !== detail['instance']) return;
  let manager: HeadManager;
  try {
    manager = await HeadManager.open(socketPath);
  } catch {
    // The compositor ended; its outputs went with it.
    return;
  }
  try {
    const name = String(detail['name'] ?? '');
    if (!manager.list().some((head) => head.name === name)) return;
    const width = Number(detail['width']);
    const refusal = await manager.apply(
      name,
      width > 0
        ? {
            kind: 'mode',
            mode: {
              width,
              height: Number(detail['height']),
              refreshMilliHz: Number(detail['refreshMilliHz']),
            },
            x: Number(detail['x']),
            y: Number(detail['y']),
          }
        : { kind: 'disable' },
    );
    if (refusal) throw new Error(`old mode of ${name}: ${refusal}`);
  } finally {
    manager.close();
  }
};

function detailOf(socket: string, head: Head): Record<string, string | number> {
  const mode = head.isEnabled ? head.mode : null;
  return {
    socket,
    instance: instanceOf(socket),
    name: head.name,
    width: mode?.width ?? 0,
    height: mode?.height ?? 0,
    refreshMilliHz: mode?.refreshMilliHz ?? 0,
    x: head.x,
    y: head.y,
  };
}
