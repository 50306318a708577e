/**
 * Shows the moving pattern of pattern.ts fullscreen: a Wayland program for any compositor with
 * xdg-shell. One picture per frame callback, so it runs at the output's rate.
 *
 * Arguments: --socket PATH, --output NAME (default: where the compositor puts it),
 * --freeze-after N (show N pictures, then hold the last). Prints `ready WxH`, then `frozen N`.
 */
import { writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { WaylandConnection, type WaylandObject } from '../../src/desktop/wayland/connection.ts';
import { OutputTracker } from '../../src/desktop/wayland/outputs.ts';
import {
  WL_CALLBACK,
  WL_COMPOSITOR,
  WL_SHM,
  WL_SURFACE,
  XDG_SURFACE,
  XDG_TOPLEVEL,
  XDG_WM_BASE,
} from '../../src/desktop/wayland/protocols/core.ts';
import { ShmBuffer } from '../../src/desktop/wayland/shm-buffer.ts';
import { drawPatternFrame, drawStillFields, type PatternTarget } from './pattern.ts';

const SHM_XRGB8888 = 1;
const WAIT_MS = 1000;

interface Page {
  readonly buffer: ShmBuffer;
  readonly target: PatternTarget;
}

const { values } = parseArgs({
  options: {
    socket: { type: 'string' },
    output: { type: 'string' },
    'freeze-after': { type: 'string' },
  },
});
if (!values.socket) throw new Error('--socket PATH is needed');
const freezeAfter = values['freeze-after'] ? Number(values['freeze-after']) : Infinity;

const connection = new WaylandConnection(values.socket);
connection.onFailure = (cause) => {
  say(`ended: ${cause}`);
  process.exit(0);
};
connection.roundtrip(WAIT_MS);
const tracker = new OutputTracker(connection);
const compositor = need(connection.bindFirst(WL_COMPOSITOR), 'wl_compositor');
const shm = need(connection.bindFirst(WL_SHM), 'wl_shm');
const shell: WaylandObject<keyof typeof XDG_WM_BASE.requests> = need(
  connection.bindFirst(XDG_WM_BASE, {
    ping: ([serial]) => connection.request(shell, 'pong', serial ?? 0),
  }),
  'xdg_wm_base',
);
connection.roundtrip(WAIT_MS);

const output = values.output ? tracker.find(values.output) : null;
if (values.output && !output) throw new Error(`no output ${values.output}`);

let pages: Page[] = [];
let size = { width: 0, height: 0 };
let counter = 0;
let isFrameDue = false;
let isReadySaid = false;

const surface = connection.construct(compositor, 'create_surface', WL_SURFACE, {});
const shellSurface = connection.construct(
  shell,
  'get_xdg_surface',
  XDG_SURFACE,
  {
    configure: ([serial]) => {
      connection.request(shellSurface, 'ack_configure', serial ?? 0);
      isFrameDue = true;
    },
  },
  surface.id,
);
const toplevel = connection.construct(shellSurface, 'get_toplevel', XDG_TOPLEVEL, {
  configure: ([width, height]) => {
    // Nothing asked yet: begin with the size of the output it is meant for.
    const mode = output ?? tracker.list()[0];
    resize(Number(width) || (mode?.modeWidth ?? 0), Number(height) || (mode?.modeHeight ?? 0));
  },
  close: () => process.exit(0),
});
connection.request(toplevel, 'set_title', 'moving pattern');
connection.request(toplevel, 'set_app_id', 'punktfunk-pattern');
connection.request(toplevel, 'set_fullscreen', output?.object.id ?? null);
connection.request(surface, 'commit');

for (;;) {
  connection.dispatch(WAIT_MS);
  if (isFrameDue && size.width > 0) show();
}

function resize(width: number, height: number): void {
  if (width === 0 || height === 0 || (width === size.width && height === size.height)) return;
  size = { width, height };
  for (const { buffer } of pages) buffer.close();
  pages = [makePage(), makePage(), makePage()];
  isReadySaid = false;
}

function makePage(): Page {
  const { width, height } = size;
  const shape = { width, height, strideBytes: width * 4, format: SHM_XRGB8888 };
  const buffer = new ShmBuffer(connection, shm, shape);
  const pixels = new Uint32Array(buffer.bytes.buffer, 0, width * height);
  const target = { pixels, width, height, strideWords: width };
  drawStillFields(target);
  return { buffer, target };
}

function show(): void {
  const page = pages.find(({ buffer }) => !buffer.isBusy);
  if (!page) return;
  isFrameDue = false;
  const isFrozen = counter >= freezeAfter;
  if (!isFrozen) counter += 1;
  const changes = drawPatternFrame(page.target, counter);
  page.buffer.isBusy = true;
  connection.request(surface, 'attach', page.buffer.object.id, 0, 0);
  for (const { x, y, width, height } of counter === 1 || isFrozen
    ? [{ x: 0, y: 0, ...size }]
    : changes) {
    connection.request(surface, 'damage_buffer', x, y, width, height);
  }
  if (counter < freezeAfter) {
    const callback = connection.construct(surface, 'frame', WL_CALLBACK, {
      done: () => {
        connection.destroy(callback);
        isFrameDue = true;
        if (!isReadySaid) say(`ready ${size.width}x${size.height}`);
        isReadySaid = true;
      },
    });
  }
  connection.request(surface, 'commit');
  if (counter === freezeAfter) say(`frozen ${counter}`);
}

/** Straight to the descriptor: this program never returns to the event loop. */
function say(text: string): void {
  writeSync(1, `${text}\n`);
}

function need<R extends string>(object: WaylandObject<R> | null, name: string): WaylandObject<R> {
  if (!object) throw new Error(`the compositor has no ${name}`);
  return object;
}
