/**
 * `punktfunk serve` as a process of its own with folders of its own, for what only shows there: exit
 * codes, the terminal, and what is left behind.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { portFamily } from '../../src/config/ports.ts';
import { instanceHolder } from '../../src/platform/linux/instance-lock.ts';
import { programUnderTest } from '../desktop/stream-host.ts';

export const LOOPBACK = '127.0.0.1';
/** The user `nobody` of every Linux system. */
export const NOBODY = 65_534;
const READY_TIMEOUT_MS = 20_000;
const BASE_MIN = 33_000;
/** Distance of the families that tests of one process take one after the other. */
const BASE_STEP = 40;

/** How a run ended. */
export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export class ServeProcess {
  readonly folder = mkdtempSync(join(tmpdir(), 'punktfunk-serve-'));
  readonly stateDir = join(this.folder, 'state');
  readonly configDir = join(this.folder, 'config');
  readonly portBase: number;
  out = '';
  err = '';
  #child: Bun.Subprocess<'ignore', 'pipe', 'pipe'> | null = null;
  #printed: Promise<unknown> = Promise.resolve();

  static async make(): Promise<ServeProcess> {
    return new ServeProcess(await freePortBase());
  }

  private constructor(portBase: number) {
    this.portBase = portBase;
    for (const dir of [this.stateDir, this.configDir]) mkdirSync(dir, { mode: 0o700 });
  }

  /** Starts `serve --gamestream` with the test card and `flags`, e.g. as another user. */
  start(flags: readonly string[] = [], env: Record<string, string> = {}, uid?: number): void {
    const as =
      uid === undefined
        ? []
        : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--inh-caps=-all'];
    if (uid !== undefined) {
      for (const dir of [this.folder, this.configDir]) chownSync(dir, uid, uid);
    }
    const given = new Set(flags.filter((flag) => flag.startsWith('--')));
    const defaults: [string, string][] = [
      ['--source', 'synthetic'],
      ['--port-base', String(this.portBase)],
      ['--mgmt-port', '0'],
      ['--bind', LOOPBACK],
    ];
    const words = defaults.filter(([flag]) => !given.has(flag)).flat();
    const command = [...programUnderTest().command, 'serve', '--gamestream', '--no-mdns'];
    const child = Bun.spawn([...as, ...command, ...words, ...flags], {
      env: {
        PATH: process.env['PATH'] ?? '/usr/bin:/bin',
        HOME: this.folder,
        PUNKTFUNK_STATE_DIR: this.stateDir,
        PUNKTFUNK_CONFIG_DIR: this.configDir,
        ...env,
      },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    });
    this.#child = child;
    this.#printed = Promise.all([
      collect(child.stdout, (text) => {
        this.out += text;
      }),
      collect(child.stderr, (text) => {
        this.err += text;
      }),
    ]);
  }

  /** Resolves when the host printed how to pair; rejects with its words when it ended. */
  async ready(): Promise<void> {
    const deadlineMs = performance.now() + READY_TIMEOUT_MS;
    while (!/^Pairing: /m.test(this.out)) {
      const isLate = performance.now() > deadlineMs;
      if (isLate || this.#child?.exitCode !== null) throw new Error(`${this.out}${this.err}`);
      await Bun.sleep(10);
    }
  }

  signal(...signals: NodeJS.Signals[]): void {
    for (const signal of signals) this.#child?.kill(signal);
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null;
  }

  async ended(): Promise<Ended> {
    if (!this.#child) throw new Error('the program was not started');
    const late = setTimeout(() => this.#child?.kill('SIGKILL'), READY_TIMEOUT_MS);
    const code = await this.#child.exited;
    clearTimeout(late);
    await this.#printed;
    return { code, out: this.out, err: this.err };
  }

  /** Files that a host must not leave in its state folder, and ports that it still holds. */
  async leftovers(): Promise<string[]> {
    const kept = /^(?:identity\.pem|host\.lock|mgmt-token|devices\.json|restore-journal\.json)$/;
    const files = readdirSync(this.stateDir).filter(
      (name) => !kept.test(name) && !name.includes('.damaged'),
    );
    const holder = instanceHolder(this.stateDir);
    const ports = await busyPorts(this.portBase);
    return [...files, ...ports, ...(holder === null ? [] : [`lock held by ${holder}`])];
  }

  async stop(): Promise<void> {
    if (this.isRunning) {
      this.signal('SIGKILL');
      await this.#child?.exited;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Takes a TCP or UDP port on loopback; returns the way to give it back. */
export async function occupy(protocol: 'TCP' | 'UDP', port: number): Promise<() => void> {
  if (protocol === 'TCP') {
    const server = createServer();
    server.listen(port, LOOPBACK);
    await once(server, 'listening');
    return () => server.close();
  }
  const socket = createSocket('udp4');
  socket.bind(port, LOOPBACK);
  await once(socket, 'listening');
  return () => socket.close();
}

async function freePortBase(): Promise<number> {
  const steps = Math.floor((60_000 - BASE_MIN) / BASE_STEP);
  for (let tries = 0; tries < 50; tries += 1) {
    const base = BASE_MIN + Math.floor(Math.random() * steps) * BASE_STEP;
    if ((await busyPorts(base)).length === 0) return base;
  }
  throw new Error('no family of ports is free');
}

async function busyPorts(portBase: number): Promise<string[]> {
  const { http, https, rtsp, video, control, audio } = portFamily(portBase);
  const busy: string[] = [];
  for (const [protocol, ports] of [
    ['TCP', [http, https, rtsp]],
    ['UDP', [video, control, audio]],
  ] as const) {
    for (const port of ports) {
      const release = await occupy(protocol, port).catch(() => null);
      if (release) release();
      else busy.push(`${protocol} ${port}`);
    }
  }
  return busy;
}

async function collect(
  stream: ReadableStream<Uint8Array>,
  take: (text: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) take(decoder.decode(chunk, { stream: true }));
}
