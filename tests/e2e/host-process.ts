/**
 * The host as its user runs it, `serve --gamestream`, on free loopback ports with folders of its
 * own and the test card as picture: no desktop, no sound system, no journal but its own.
 *
 * `PUNKTFUNK_BIN` names the executable, or is `source`; without it `dist/punktfunk` is taken when it
 * was built, else the source.
 */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SessionRow } from '../../src/mgmt/schemas.ts';
import { programUnderTest } from '../desktop/stream-host.ts';
import { MoonlightDevice } from '../peers/moonlight/client.ts';

export const LOOPBACK = '127.0.0.1';
const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 10_000;
/** Distances of GameStream's ports from the first one (GameStream §1.1). */
const TCP_OFFSETS = [-5, 0, 21];
const UDP_OFFSETS = [9, 10, 11];

export interface HostProcessOptions {
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Text of `apps.json`. */
  readonly apps?: string;
  readonly isAnnounced?: boolean;
}

export interface CtlResult {
  readonly code: number;
  /** `data` of the JSON document; null when there is none. */
  readonly data: unknown;
  readonly text: string;
}

export class HostProcess {
  readonly folder = mkdtempSync(join(tmpdir(), 'punktfunk-e2e-'));
  readonly portBase: number;
  readonly #options: HostProcessOptions;
  #process: Bun.Subprocess<'ignore', 'pipe', 'pipe'> | null = null;
  #log = '';

  static async start(options: HostProcessOptions = {}): Promise<HostProcess> {
    const host = new HostProcess(await freePortBase(), options);
    await host.launch();
    return host;
  }

  private constructor(portBase: number, options: HostProcessOptions) {
    this.portBase = portBase;
    this.#options = options;
    for (const name of ['config', 'run']) mkdirSync(join(this.folder, name), { mode: 0o700 });
    if (options.apps) writeFileSync(join(this.folder, 'config', 'apps.json'), options.apps);
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Everything printed so far, by all runs. */
  get log(): string {
    return this.#log;
  }

  /** Starts the program and waits until it says how to pair. */
  async launch(): Promise<void> {
    const { flags = [], env = {}, isAnnounced = false } = this.#options;
    const words = [
      ...['serve', '--gamestream', '--source', 'synthetic', '--log-level', 'debug'],
      ...['--port-base', String(this.portBase), '--mgmt-port', '0'],
      ...(isAnnounced ? [] : ['--no-mdns']),
      ...flags,
    ];
    const from = this.#log.length;
    const child = Bun.spawn([...programUnderTest().command, ...words], {
      env: { ...this.#environment(), ...env },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    });
    this.#process = child;
    void this.#collect(child.stdout);
    void this.#collect(child.stderr);
    const isReady = () => /^Pairing: /m.test(this.#log.slice(from)) || child.exitCode !== null;
    await waitUntil(isReady, 'the host is ready', START_TIMEOUT_MS);
    if (child.exitCode !== null) {
      throw new Error(`the host ended with ${child.exitCode}: ${this.#log.slice(from)}`);
    }
  }

  /** Runs `ctl … --json` beside the host. */
  async ctl(...words: readonly string[]): Promise<CtlResult> {
    const child = Bun.spawn([...programUnderTest().command, 'ctl', ...words, '--json'], {
      env: this.#environment(),
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    });
    const [text, problem, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    let data: unknown = null;
    try {
      data = (JSON.parse(text) as { data?: unknown }).data ?? null;
    } catch {
      // A refusal may be a sentence.
    }
    return { code, data, text: text + problem };
  }

  async sessions(): Promise<SessionRow[]> {
    return (await this.ctl('sessions')).data as SessionRow[];
  }

  /** A device that knows this host's address and nothing else. */
  newDevice(): MoonlightDevice {
    return new MoonlightDevice({ address: LOOPBACK, httpPort: this.portBase });
  }

  /** A device paired by `punktfunk ctl pin`. */
  async pairedDevice(name = 'test device'): Promise<MoonlightDevice> {
    const device = this.newDevice();
    const pin = String(randomInt(10_000)).padStart(4, '0');
    const typed = Promise.withResolvers<CtlResult>();
    const outcome = await device.pair({
      pin,
      onWaiting: () => typed.resolve(this.typePin(pin, name)),
    });
    const { code, text } = await typed.promise;
    if (outcome.kind !== 'paired' || code !== 0) {
      throw new Error(`pairing ended as ${JSON.stringify(outcome)}; ctl pin: ${code} ${text}`);
    }
    return device;
  }

  /** The attempt reaches the host a moment after its request left. */
  async typePin(pin: string, name: string): Promise<CtlResult> {
    for (let attempt = 1; ; attempt += 1) {
      const result = await this.ctl('pin', pin, '--name', name);
      if (result.code === 0 || attempt === 10) return result;
      await Bun.sleep(50);
    }
  }

  waitForLog(pattern: RegExp, timeoutMs: number, from = 0): Promise<void> {
    return waitUntil(() => pattern.test(this.#log.slice(from)), String(pattern), timeoutMs);
  }

  /** Waits until every session that started has ended. */
  untilIdle(timeoutMs = 5000): Promise<void> {
    const count = (pattern: RegExp): number => this.#log.match(pattern)?.length ?? 0;
    const isIdle = () => count(/session starts/g) === count(/session ended/g);
    return waitUntil(isIdle, 'no session runs', timeoutMs);
  }

  /** Changes that wait to be put back. */
  journal(): readonly unknown[] {
    const path = join(this.folder, 'state', 'restore-journal.json');
    if (!existsSync(path)) return [];
    return (JSON.parse(readFileSync(path, 'utf8')) as { entries: unknown[] }).entries;
  }

  /** Resident memory in MiB. */
  residentMib(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
  }

  /** SIGTERM; resolves with the exit code. */
  terminate(): Promise<number> {
    return this.#end('SIGTERM');
  }

  /** SIGKILL, as a crash. */
  async crash(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Ends the program and removes its folders. */
  async dispose(): Promise<void> {
    await this.terminate();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number> {
    const child = this.#process;
    if (!child) return 0;
    child.kill(signal);
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    const code = await child.exited;
    clearTimeout(late);
    return code;
  }

  async #collect(output: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of output) this.#log += decoder.decode(chunk, { stream: true });
  }

  /** The folders of this host; nothing of the desktop that the tests run in. */
  #environment(): Record<string, string> {
    return {
      PATH: process.env['PATH'] ?? '/usr/bin:/bin',
      HOME: this.folder,
      XDG_RUNTIME_DIR: join(this.folder, 'run'),
      PUNKTFUNK_STATE_DIR: join(this.folder, 'state'),
      PUNKTFUNK_CONFIG_DIR: join(this.folder, 'config'),
    };
  }
}

export async function waitUntil(
  isDone: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs: number,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isDone())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await Bun.sleep(10);
  }
}

/** A first port whose whole family is free at the moment, below the ports the system hands out. */
async function freePortBase(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const base = 20_000 + 40 * randomInt(310);
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
