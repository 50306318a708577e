/**
 * A desktop session for tests: an ordinary user, a private runtime directory, a session bus and,
 * when asked for, PipeWire with WirePlumber. Readiness is observed, never slept for; everything is
 * ended by the pid that was started and the directory is removed.
 */
import { chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Account that compositors run as when the tests run as root (sway 1.7 refuses root). */
const TEST_USER = 'punktfunk-test';
const READY_TIMEOUT_MS = 15_000;
const STOP_TIMEOUT_MS = 3_000;
const OUTPUT_BYTES_MAX = 256 * 1024;
const READY_POLL_MS = 10;

export interface SessionOptions {
  /** PipeWire and WirePlumber besides the session bus. */
  readonly pipewire?: boolean;
  readonly currentDesktop?: string;
}

export interface SpawnOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: 'pipe' | 'ignore';
}

/** A program of the session; its output is kept up to a bound. */
export interface SessionProcess {
  readonly pid: number;
  readonly exited: Promise<number>;
  readonly stdin: { write(text: string): void; flush(): void; end(): void } | null;
  /** Everything printed so far, both streams. */
  output(): string;
  /** Resolves with the first match in the output; rejects when it ends or time is up. */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  /** SIGTERM, then SIGKILL. Resolves when it is gone. */
  stop(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

/** Sentence naming the programs of `names` that this machine lacks, or null when all are there. */
export function missingPrograms(names: readonly string[]): string | null {
  const missing = names.filter((name) => !Bun.which(name));
  return missing.length > 0 ? `not installed: ${missing.join(', ')}` : null;
}

/** Why no session can be started here, or null. `programs` are those the test needs besides. */
export function sessionSkipReason(programs: readonly string[]): string | null {
  const base = ['dbus-daemon', 'stdbuf'];
  if (process.getuid?.() === 0) base.push('setpriv', 'useradd');
  return missingPrograms([...base, ...programs]);
}

export class DesktopSession {
  readonly runtimeDir: string;
  readonly homeDir: string;
  /** Environment of every program of the session. */
  readonly env: Readonly<Record<string, string>>;
  readonly busAddress: string;
  readonly #uid: number;
  readonly #gid: number;
  readonly #prefix: readonly string[];
  readonly #processes: SessionProcess[] = [];
  #isStopped = false;

  constructor(options: SessionOptions) {
    const account = sessionAccount();
    this.#uid = account.uid;
    this.#gid = account.gid;
    this.#prefix = account.prefix;
    this.runtimeDir = mkdtempSync(join(tmpdir(), 'pfdesk-'));
    this.homeDir = join(this.runtimeDir, 'home');
    mkdirSync(this.homeDir, { mode: 0o700 });
    chownSync(this.homeDir, this.#uid, this.#gid);
    chownSync(this.runtimeDir, this.#uid, this.#gid);
    this.busAddress = `unix:path=${join(this.runtimeDir, 'bus')}`;
    this.env = {
      PATH: process.env['PATH'] ?? '/usr/bin:/bin',
      LANG: 'C.UTF-8',
      HOME: this.homeDir,
      XDG_RUNTIME_DIR: this.runtimeDir,
      XDG_CURRENT_DESKTOP: options.currentDesktop ?? 'test',
      DBUS_SESSION_BUS_ADDRESS: this.busAddress,
    };
  }

  /** Writes a file that the session's user can read, below the runtime directory. */
  writeFile(name: string, content: string): string {
    const path = join(this.runtimeDir, name);
    writeFileSync(path, content, { mode: 0o644 });
    chownSync(path, this.#uid, this.#gid);
    return path;
  }

  /** Starts a program as the session's user; it is ended with the session. */
  spawn(command: readonly string[], options: SpawnOptions = {}): SessionProcess {
    const started = startProcess([...this.#prefix, ...command], {
      env: { ...this.env, ...options.env },
      cwd: this.runtimeDir,
      stdin: options.stdin ?? 'ignore',
    });
    this.#processes.push(started);
    return started;
  }

  /** Starts a program as the user who runs the tests; it is ended with the session. */
  spawnOutside(command: readonly string[], options: SpawnOptions = {}): SessionProcess {
    const started = startProcess([...command], {
      env: { ...this.env, ...options.env },
      cwd: process.cwd(),
      stdin: options.stdin ?? 'ignore',
    });
    this.#processes.push(started);
    return started;
  }

  /** Whether the session's user can read a file of the person who runs the tests. */
  canRead(path: string): boolean {
    return Bun.spawnSync([...this.#prefix, 'test', '-r', path]).exitCode === 0;
  }

  /** Runs a program to its end and returns what it printed; throws when it fails. */
  async run(command: readonly string[], options: SpawnOptions = {}): Promise<string> {
    const program = this.spawn(command, options);
    const code = await program.exited;
    if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}: ${program.output()}`);
    return program.output();
  }

  /** Ends every program, newest first, and removes the directory. Idempotent. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    for (const program of [...this.#processes].reverse()) await program.stop();
    rmSync(this.runtimeDir, { recursive: true, force: true });
  }
}

/** Starts the bus and, when asked for, PipeWire with WirePlumber. */
export async function startSession(options: SessionOptions = {}): Promise<DesktopSession> {
  const session = new DesktopSession(options);
  try {
    // A configuration without service directories: nothing is activated behind the test's back.
    const config = session.writeFile('bus.conf', busConfig(session.busAddress));
    session.spawn(['dbus-daemon', `--config-file=${config}`, '--nofork']);
    await waitForPath(join(session.runtimeDir, 'bus'));
    if (options.pipewire) {
      session.spawn(['pipewire']);
      await waitForPath(join(session.runtimeDir, 'pipewire-0'));
      session.spawn(['wireplumber']);
      await waitUntil(
        async () => {
          const list = session.spawn(['pw-cli', 'ls', 'Client']);
          await list.exited;
          return list.output().includes('WirePlumber');
        },
        'WirePlumber connects',
        100,
      );
    }
    return session;
  } catch (error) {
    await session.stop();
    throw error;
  }
}

/** Polls a cheap condition of another process; throws with `what` when time is up. */
export async function waitUntil(
  isReached: () => boolean | Promise<boolean>,
  what: string,
  pollMs = READY_POLL_MS,
  timeoutMs = READY_TIMEOUT_MS,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isReached())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await Bun.sleep(pollMs);
  }
}

export async function waitForPath(path: string): Promise<void> {
  await waitUntil(() => existsSync(path), `${path} appears`);
}

function sessionAccount(): { uid: number; gid: number; prefix: string[] } {
  const uid = process.getuid?.() ?? 0;
  if (uid !== 0) return { uid, gid: process.getgid?.() ?? 0, prefix: [] };
  const lookUp = () => Bun.spawnSync(['id', '-u', TEST_USER]);
  if (lookUp().exitCode !== 0) {
    const made = Bun.spawnSync(['useradd', '-M', '-d', '/nonexistent', TEST_USER]);
    if (lookUp().exitCode !== 0) throw new Error(`useradd ${TEST_USER}: ${made.stderr.toString()}`);
  }
  const userId = Number(lookUp().stdout.toString());
  const groupId = Number(Bun.spawnSync(['id', '-g', TEST_USER]).stdout.toString());
  return {
    uid: userId,
    gid: groupId,
    prefix: [
      'setpriv',
      `--reuid=${userId}`,
      `--regid=${groupId}`,
      '--clear-groups',
      '--inh-caps=-all',
    ],
  };
}

function startProcess(
  command: string[],
  options: { env: Record<string, string>; cwd: string; stdin: 'pipe' | 'ignore' },
): SessionProcess {
  const child = Bun.spawn(command, { ...options, stdout: 'pipe', stderr: 'pipe' });
  let text = '';
  let isEnded = false;
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      text = (text + decoder.decode(chunk, { stream: true })).slice(-OUTPUT_BYTES_MAX);
    }
  };
  const collected = Promise.all([collect(child.stdout), collect(child.stderr)]);
  const exited = Promise.all([child.exited, collected]).then(([code]) => {
    isEnded = true;
    return code;
  });
  return {
    pid: child.pid,
    exited,
    stdin: child.stdin ?? null,
    output: () => text,
    waitFor: async (pattern, timeoutMs = READY_TIMEOUT_MS) => {
      let match: RegExpExecArray | null = null;
      await waitUntil(
        () => {
          match = pattern.exec(text);
          if (!match && isEnded) throw new Error(`${command.join(' ')} ended: ${text}`);
          return match !== null;
        },
        `${command.join(' ')} prints ${pattern}; it printed: ${text.slice(-2000)}`,
        READY_POLL_MS,
        timeoutMs,
      );
      return match as unknown as RegExpExecArray;
    },
    stop: async () => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await child.exited;
      clearTimeout(timer);
    },
    kill: (signal) => child.kill(signal),
  };
}

function busConfig(address: string): string {
  return `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>${address}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>
`;
}
