/**
 * Outputs through wlr-output-management: read all heads, apply one new configuration. For
 * compositors without an IPC of their own. Source: wlr-output-management-unstable-v1.
 */
import { WaylandConnection, type WaylandObject } from '../../desktop/wayland/connection.ts';
import {
  OUTPUT_CONFIGURATION,
  OUTPUT_CONFIGURATION_HEAD,
  OUTPUT_HEAD,
  OUTPUT_MANAGER,
  OUTPUT_MODE,
} from '../../desktop/wayland/protocols/wlr.ts';

const ANSWER_TIMEOUT_MS = 3_000;

export interface HeadMode {
  readonly width: number;
  readonly height: number;
  readonly refreshMilliHz: number;
}

export interface Head {
  readonly object: WaylandObject<keyof typeof OUTPUT_HEAD.requests>;
  name: string;
  isEnabled: boolean;
  mode: HeadMode | null;
  x: number;
  y: number;
  scale: number;
}

/** What one head shall become; heads that are not named stay as they are. */
export type HeadChange =
  | { readonly kind: 'disable' }
  | { readonly kind: 'mode'; readonly mode: HeadMode; readonly x: number; readonly y: number };

export class HeadManager {
  readonly #connection: WaylandConnection;
  readonly #manager: WaylandObject<keyof typeof OUTPUT_MANAGER.requests>;
  readonly #heads = new Map<number, Head>();
  readonly #modes = new Map<number, { width: number; height: number; refreshMilliHz: number }>();
  readonly #currentModes = new Map<number, number>();
  #serial: number | null = null;

  private constructor(connection: WaylandConnection) {
    const manager = connection.bindFirst(OUTPUT_MANAGER, {
      head: ([id]) => this.#addHead(Number(id)),
      done: ([serial]) => {
        this.#serial = Number(serial);
      },
    });
    if (!manager) throw new Error('the compositor has no output management protocol');
    this.#connection = connection;
    this.#manager = manager;
  }

  /** Connects and reads all heads; throws when the compositor does not offer or answer it. */
  static async open(socketPath: string): Promise<HeadManager> {
    const connection = new WaylandConnection(socketPath);
    try {
      await connection.roundtripAsync(ANSWER_TIMEOUT_MS);
      const manager = new HeadManager(connection);
      const isKnown = await connection.waitUntil(() => manager.#serial !== null, ANSWER_TIMEOUT_MS);
      if (!isKnown) throw new Error(connection.failure ?? 'the compositor lists no outputs');
      return manager;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  list(): readonly Head[] {
    return [...this.#heads].map(([id, head]) => ({
      ...head,
      mode: this.#modes.get(this.#currentModes.get(id) ?? 0) ?? null,
    }));
  }

  /** Applies one change; null when the compositor took it, else why not. */
  async apply(name: string, change: HeadChange): Promise<string | null> {
    const connection = this.#connection;
    let outcome: string | null = null;
    const configuration = connection.construct(
      this.#manager,
      'create_configuration',
      OUTPUT_CONFIGURATION,
      {
        succeeded: () => {
          outcome = 'succeeded';
        },
        failed: () => {
          outcome = 'the compositor refused the configuration';
        },
        cancelled: () => {
          outcome = 'the outputs changed meanwhile';
        },
      },
      this.#serial ?? 0,
    );
    // Every head must be named: leaving one out is a protocol error.
    for (const head of this.#heads.values()) {
      const isTarget = head.name === name;
      if (isTarget ? change.kind === 'disable' : !head.isEnabled) {
        connection.request(configuration, 'disable_head', head.object.id);
        continue;
      }
      const enabled = connection.construct(
        configuration,
        'enable_head',
        OUTPUT_CONFIGURATION_HEAD,
        {},
        head.object.id,
      );
      if (!isTarget || change.kind !== 'mode') continue;
      const { width, height, refreshMilliHz } = change.mode;
      connection.request(enabled, 'set_custom_mode', width, height, refreshMilliHz);
      connection.request(enabled, 'set_position', change.x, change.y);
      connection.request(enabled, 'set_scale', 1);
    }
    connection.request(configuration, 'apply');
    await connection.waitUntil(() => outcome !== null, ANSWER_TIMEOUT_MS);
    connection.destroy(configuration);
    connection.flush();
    if (outcome === 'succeeded') return null;
    return outcome ?? connection.failure ?? `no answer in ${ANSWER_TIMEOUT_MS} ms`;
  }

  close(): void {
    this.#connection.close();
  }

  #addHead(id: number): void {
    const connection = this.#connection;
    const object = connection.adopt(id, OUTPUT_HEAD, this.#manager.version, {
      name: ([name]) => {
        head.name = String(name);
      },
      enabled: ([enabled]) => {
        head.isEnabled = enabled !== 0;
      },
      mode: ([mode]) => this.#addMode(Number(mode)),
      current_mode: ([mode]) => {
        this.#currentModes.set(id, Number(mode));
      },
      position: ([x, y]) => {
        head.x = Number(x);
        head.y = Number(y);
      },
      scale: ([scale]) => {
        head.scale = Number(scale);
      },
      finished: () => {
        this.#heads.delete(id);
        connection.destroy(object);
      },
    });
    const head: Head = { object, name: '', isEnabled: false, mode: null, x: 0, y: 0, scale: 1 };
    this.#heads.set(id, head);
  }

  #addMode(id: number): void {
    const mode = { width: 0, height: 0, refreshMilliHz: 0 };
    this.#modes.set(id, mode);
    const object = this.#connection.adopt(id, OUTPUT_MODE, this.#manager.version, {
      size: ([width, height]) => {
        mode.width = Number(width);
        mode.height = Number(height);
      },
      refresh: ([refresh]) => {
        mode.refreshMilliHz = Number(refresh);
      },
      finished: () => {
        this.#modes.delete(id);
        this.#connection.destroy(object);
      },
    });
  }
}
