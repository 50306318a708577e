/**
 * The outputs of a compositor by name, kept up to date from events: wl_output version 4 names them,
 * xdg-output does for older compositors and tells the place in the layout.
 */
import type { WaylandConnection, WaylandGlobal, WaylandObject } from './connection.ts';
import { WL_OUTPUT, XDG_OUTPUT, XDG_OUTPUT_MANAGER } from './protocols/core.ts';

export interface WaylandOutput {
  readonly global: WaylandGlobal;
  readonly object: WaylandObject<keyof typeof WL_OUTPUT.requests>;
  /** Compositor's name, e.g. `HEADLESS-1`; empty until it is known. */
  name: string;
  /** Current mode in pixels, before scale and rotation. */
  modeWidth: number;
  modeHeight: number;
  refreshMilliHz: number;
  /** wl_output.transform: 0 is upright, odd values swap width and height. */
  transform: number;
  /** Place and size in the layout, in logical pixels; zero size until it is known. */
  logicalX: number;
  logicalY: number;
  logicalWidth: number;
  logicalHeight: number;
}

const MODE_CURRENT = 1;

export class OutputTracker {
  readonly #connection: WaylandConnection;
  readonly #outputs = new Map<number, WaylandOutput>();
  readonly #xdgManager: WaylandObject<keyof typeof XDG_OUTPUT_MANAGER.requests> | null;
  /** Called when an output went away. */
  onRemoved: (output: WaylandOutput) => void = () => {};
  /** Called when the mode or the place of an output changed. */
  onChanged: (output: WaylandOutput) => void = () => {};

  /** The registry must have been read once (a roundtrip). Takes the connection's global events. */
  constructor(connection: WaylandConnection) {
    this.#connection = connection;
    this.#xdgManager = connection.bindFirst(XDG_OUTPUT_MANAGER);
    for (const global of connection.globals.values()) this.#add(global);
    connection.onGlobal = (global) => this.#add(global);
    connection.onGlobalRemoved = (global) => this.#remove(global);
  }

  list(): readonly WaylandOutput[] {
    return [...this.#outputs.values()];
  }

  find(name: string): WaylandOutput | null {
    return this.list().find((output) => output.name === name) ?? null;
  }

  #add(global: WaylandGlobal): void {
    if (global.interface !== WL_OUTPUT.name) return;
    const object = this.#connection.bind(global, WL_OUTPUT, {
      geometry: (values) => {
        output.transform = Number(values[7]);
      },
      mode: ([flags, width, height, refresh]) => {
        if ((Number(flags) & MODE_CURRENT) === 0) return;
        output.modeWidth = Number(width);
        output.modeHeight = Number(height);
        output.refreshMilliHz = Number(refresh);
      },
      name: ([name]) => {
        output.name = String(name);
      },
      done: () => this.onChanged(output),
    });
    const output: WaylandOutput = {
      global,
      object,
      name: '',
      modeWidth: 0,
      modeHeight: 0,
      refreshMilliHz: 0,
      transform: 0,
      logicalX: 0,
      logicalY: 0,
      logicalWidth: 0,
      logicalHeight: 0,
    };
    this.#outputs.set(global.name, output);
    if (this.#xdgManager) this.#trackPlace(this.#xdgManager, output);
  }

  #trackPlace(
    manager: WaylandObject<keyof typeof XDG_OUTPUT_MANAGER.requests>,
    output: WaylandOutput,
  ): void {
    this.#connection.construct(
      manager,
      'get_xdg_output',
      XDG_OUTPUT,
      {
        logical_position: ([x, y]) => {
          output.logicalX = Number(x);
          output.logicalY = Number(y);
        },
        logical_size: ([width, height]) => {
          output.logicalWidth = Number(width);
          output.logicalHeight = Number(height);
        },
        name: ([name]) => {
          output.name = String(name);
        },
        done: () => this.onChanged(output),
      },
      output.object.id,
    );
  }

  #remove(global: WaylandGlobal): void {
    const output = this.#outputs.get(global.name);
    if (!output) return;
    this.#outputs.delete(global.name);
    this.#connection.destroy(output.object);
    this.onRemoved(output);
  }
}

/** Smallest box that holds every output of the layout, in logical pixels. */
export function layoutBounds(outputs: readonly WaylandOutput[]): {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
} {
  const placed = outputs.filter((output) => output.logicalWidth > 0 && output.logicalHeight > 0);
  const x = Math.min(...placed.map((output) => output.logicalX));
  const y = Math.min(...placed.map((output) => output.logicalY));
  const right = Math.max(...placed.map((output) => output.logicalX + output.logicalWidth));
  const bottom = Math.max(...placed.map((output) => output.logicalY + output.logicalHeight));
  if (placed.length === 0) return { x: 0, y: 0, width: 0, height: 0 };
  return { x, y, width: right - x, height: bottom - y };
}
