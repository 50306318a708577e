/**
 * The program under test as its user runs it: `serve --gamestream` inside a desktop session, with
 * everything in that user's own folders, and `ctl` beside it.
 *
 * `PUNKTFUNK_BIN` names the executable, or is `source`; without it `dist/punktfunk` is taken when it
 * was built, else the source.
 */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { SessionRow } from '../../src/mgmt/schemas.ts';
import { MoonlightDevice } from '../peers/moonlight/client.ts';
import type { DesktopSession, SessionProcess } from './harness-session.ts';

const ROOT = join(import.meta.dir, '..', '..');
const LOOPBACK = '127.0.0.1';
/** Distances of GameStream's ports from the first one (GameStream §1). */
const TCP_OFFSETS = [-5, 0, 21];
const UDP_OFFSETS = [9, 10, 11];
const START_TIMEOUT_MS = 20_000;

export interface StreamHostOptions {
  /** Environment of the desktop that the host is started in. */
  readonly env: Readonly<Record<string, string>>;
  /** Further words of `serve`. */
  readonly flags?: readonly string[];
  /** Text of its `apps.json`. */
  readonly apps?: string;
}

/** Command line of the program under test, without its verb. */
export function programUnderTest(): { readonly command: readonly string[]; readonly kind: string } {
  const named = process.env['PUNKTFUNK_BIN'] ?? '';
  const built = named === '' ? join(ROOT, 'dist', 'punktfunk') : named;
  if (named !== 'source' && existsSync(built)) return { command: [built], kind: built };
  if (named !== 'source' && named !== '') throw new Error(`PUNKTFUNK_BIN: there is no ${named}`);
  return { command: [process.execPath, join(ROOT, 'src', 'main.ts')], kind: 'the source' };
}

/** A host in a desktop session, and the one device that is paired with it. */
export class StreamHost {
  readonly device: MoonlightDevice;
  readonly #session: DesktopSession;
  readonly #options: StreamHostOptions;
  readonly #portBase: number;
  #process: SessionProcess;
  #isPaired = false;

  /** Resolves when the host says how to pair. */
  static async start(session: DesktopSession, options: StreamHostOptions): Promise<StreamHost> {
    const portBase = await freePortBase();
    const folder = join(session.homeDir, '.config', 'punktfunk');
    if (options.apps !== undefined) {
      await session.run(['mkdir', '-p', folder]);
      const written = session.writeFile('apps.json', options.apps);
      await session.run(['cp', written, join(folder, 'apps.json')]);
    }
    return new StreamHost(session, options, portBase).#ready();
  }

  private constructor(session: DesktopSession, options: StreamHostOptions, portBase: number) {
    this.#session = session;
    this.#options = options;
    this.#portBase = portBase;
    this.device = new MoonlightDevice({ address: LOOPBACK, httpPort: portBase });
    this.#process = this.#serve();
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Everything it printed. */
  log(): string {
    return this.#process.output();
  }

  /** Waits for a line of its log. */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray> {
    return this.#process.waitFor(pattern, timeoutMs);
  }

  /** Runs `ctl` with `--json` as the host's user; throws when it does not end with 0. */
  async ctl(...words: readonly string[]): Promise<unknown> {
    const { command } = programUnderTest();
    const program = this.#spawn([...command, 'ctl', ...words, '--json']);
    const code = await program.exited;
    const text = program.output();
    if (code !== 0) throw new Error(`ctl ${words.join(' ')} ended with ${code}: ${text}`);
    return (JSON.parse(text) as { data: unknown }).data;
  }

  /** The one running session. */
  async session(): Promise<SessionRow> {
    const rows = (await this.ctl('sessions')) as SessionRow[];
    const [row] = rows;
    if (!row) throw new Error(`nothing streams; the host said: ${this.log().slice(-2000)}`);
    return row;
  }

  /** Pairs the device with a PIN typed through `ctl`, once. */
  async pairDevice(): Promise<void> {
    if (this.#isPaired) return;
    const pin = String(randomInt(10_000)).padStart(4, '0');
    const typed = Promise.withResolvers<unknown>();
    const outcome = await this.device.pair({
      pin,
      onWaiting: () => typed.resolve(this.#typePin(pin)),
    });
    await typed.promise;
    if (outcome.kind !== 'paired') throw new Error(`pairing ended as ${JSON.stringify(outcome)}`);
    this.#isPaired = true;
  }

  /** Changes that wait to be put back, as the host wrote them down. */
  journal(): readonly unknown[] {
    const path = join(this.#session.homeDir, '.local/state/punktfunk/restore-journal.json');
    if (!existsSync(path)) return [];
    return (JSON.parse(readFileSync(path, 'utf8')) as { entries: unknown[] }).entries;
  }

  /** SIGKILL, as a crash; resolves when it is gone. */
  async crash(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#process.exited;
  }

  /** Starts again after `crash` or `stop`, on the same ports. */
  async restart(): Promise<void> {
    this.#process = this.#serve();
    await this.#ready();
  }

  /** SIGTERM; resolves with its exit code. */
  async stop(): Promise<number> {
    await this.#process.stop();
    return this.#process.exited;
  }

  #serve(): SessionProcess {
    const base = String(this.#portBase);
    const flags = ['--port-base', base, '--mgmt-port', '0', '--no-mdns', '--log-level', 'debug'];
    const { command } = programUnderTest();
    return this.#spawn([
      ...command,
      ...['serve', '--gamestream', ...flags, ...(this.#options.flags ?? [])],
    ]);
  }

  /** As the desktop's user, unless that user cannot reach the program. */
  #spawn(command: readonly string[]): SessionProcess {
    const { env } = this.#options;
    return canUserRun(this.#session, programUnderTest().command)
      ? this.#session.spawn(command, { env })
      : this.#session.spawnOutside(command, { env });
  }

  async #ready(): Promise<this> {
    await this.#process.waitFor(/^Pairing: /m, START_TIMEOUT_MS);
    return this;
  }

  /** The attempt reaches the host a moment after its request left. */
  async #typePin(pin: string): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.ctl('pin', pin);
        return;
      } catch (error) {
        if (attempt === 10) throw error;
        await Bun.sleep(50);
      }
    }
  }
}

const reachable = new WeakMap<DesktopSession, boolean>();

function canUserRun(session: DesktopSession, paths: readonly string[]): boolean {
  const known = reachable.get(session);
  if (known !== undefined) return known;
  const can = paths.every((path) => session.canRead(path));
  reachable.set(session, can);
  return can;
}

/** A first port whose whole family is free at the moment. */
async function freePortBase(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const base = randomInt(20_000, 32_000);
    const tcp = await Promise.all(TCP_OFFSETS.map((offset) => isTcpFree(base + offset)));
    const udp = await Promise.all(UDP_OFFSETS.map((offset) => isUdpFree(base + offset)));
    if ([...tcp, ...udp].every((isFree) => isFree)) return base;
  }
  throw new Error('no free family of ports was found');
}

function isTcpFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(true)));
  });
}

function isUdpFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(false));
    socket.bind(port, '0.0.0.0', () => socket.close(() => resolve(true)));
  });
}
